"""Signing in to Plex by PIN, in the browser: no password comes here.

A token is dead only when plex.tv says so (401). Whatever else goes wrong is an error to show, and
the token is kept.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from library.models import PlexAccount, PlexPin, PlexServer
from library.plex import plex_tv
from library.plex.client import PlexProblem
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import SecretLost, decrypt_secret, encrypt_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.plex.plex_tv import AccountFacts, ServerFacts
    from mediaflow.accounts.models import User

POLL_GAP_S: Final = 1  # plex.tv is asked no more often, however many windows are open
_NONCE_BYTES: Final = 24
_KEPT: Final = timedelta(days=1)


class SignInOver(Exception):
    """The PIN leads nowhere any more: too old, used, or of another person."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class SignInDone(SignInOver):
    """The PIN was used: the account is signed in."""


def begin_sign_in(user: User) -> PlexPin:
    """Raises PlexProblem when plex.tv gives no PIN."""
    pin = plex_tv.new_pin()
    PlexPin.objects.filter(created_at__lt=timezone.now() - _KEPT).delete()
    return PlexPin.objects.create(
        nonce=secrets.token_urlsafe(_NONCE_BYTES),
        pin_id=pin.id,
        code=pin.code,
        requested_by=user,
        expires_at=pin.expires_at,
    )


def own_pin(user: User, nonce: str) -> PlexPin:
    """Raises SignInOver: only who began a sign-in may end it."""
    pin = PlexPin.objects.filter(nonce=nonce, requested_by=user).first()
    if pin is None:
        raise SignInOver("This sign-in was begun by somebody else, or is a day old.")
    if pin.used_at is not None:
        raise SignInDone("This sign-in is done.")
    if pin.expires_at <= timezone.now():
        raise SignInOver("This sign-in took too long; Plex has forgotten it.")
    return pin


def poll_sign_in(pin: PlexPin, *, actor: User) -> PlexAccount | None:
    """The account, once the person has agreed at Plex; None until then.

    Raises PlexProblem when plex.tv cannot be asked, SignInOver when it has forgotten the PIN.
    """
    if not cache.add(f"plex-pin-{pin.pk}", 1, POLL_GAP_S):
        return None
    try:
        token = plex_tv.pin_token(pin.pin_id)
    except PlexProblem as problem:
        if problem.kind == "refused":
            raise SignInOver("Plex has forgotten this sign-in; begin again.") from None
        raise
    if not token:
        return None
    account = save_account(token, actor=actor)
    PlexPin.objects.filter(pk=pin.pk).update(used_at=timezone.now(), code="")
    return account


def save_account(token: str, *, actor: User | None = None) -> PlexAccount:
    """A new account, or one that is known with a new token. Raises PlexProblem."""
    facts = plex_tv.account_of(token)
    with transaction.atomic():
        account, is_new = PlexAccount.objects.get_or_create(
            plex_uuid=facts.uuid, defaults={"username": facts.username}
        )
        account.token_encrypted = encrypt_secret(token)
        account.token_kind = "jwt" if is_short_lived(token) else "legacy"
        _note_answer(account, facts)
        account.save()
        action = "plex.sign_in" if is_new else "plex.sign_in_again"
        record_audit(action, actor=actor, subject=account.username)
    return account


def is_short_lived(token: str) -> bool:
    """Tokens of the new kind are JSON Web Tokens and end after seven days."""
    return token.startswith("eyJ")


def token_of_account(account: PlexAccount) -> str:
    """Raises PlexProblem (auth): signed out, or the key that opens it was lost."""
    try:
        token = decrypt_secret(account.token_encrypted)
    except SecretLost:
        words = f"The key to the token of {account.username} is gone. Sign in to Plex again."
        raise PlexProblem("auth", words) from None
    if not token:
        raise PlexProblem("auth", f"{account.username} is signed out. Sign in to Plex again.")
    return token


def refresh_account(account: PlexAccount) -> list[PlexServer]:
    """Asks plex.tv again: who it is, which servers there are. Raises PlexProblem, noted in the row.

    A server that plex.tv no longer lists stays: its own token may well work.
    """
    try:
        token = token_of_account(account)
        facts, servers = plex_tv.account_of(token), plex_tv.servers_of(token)
    except PlexProblem as problem:
        account.error = problem.text[:500]
        account.is_token_dead = account.is_token_dead or problem.kind == "auth"
        account.save(update_fields=["error", "is_token_dead"])
        raise
    _note_answer(account, facts)
    account.save()
    return [save_server(account, server) for server in servers]


def _note_answer(account: PlexAccount, facts: AccountFacts) -> None:
    account.username, account.has_plex_pass = facts.username, facts.has_plex_pass
    account.is_token_dead, account.error, account.checked_at = False, "", timezone.now()


def save_server(account: PlexAccount, facts: ServerFacts) -> PlexServer:
    """What plex.tv says of a server; its settings here stay as they are.

    A server that two accounts see belongs to the one that owns it.
    """
    server = PlexServer.objects.filter(machine_id=facts.machine_id).first()
    if server is None:
        server = PlexServer(machine_id=facts.machine_id, is_enabled=facts.is_owned)
    elif server.is_owned and not facts.is_owned and server.account_id not in (None, account.pk):
        return server
    if facts.token and not _has_token(server, facts.token):
        server.token_encrypted, server.is_token_dead = encrypt_secret(facts.token), False
    server.account, server.name, server.is_owned = account, facts.name, facts.is_owned
    server.version = facts.version or server.version
    known = {row.get("uri"): row for row in server.connections if isinstance(row, dict)}
    server.connections = [
        {**known.get(one.uri, {}), "uri": one.uri, "kind": one.kind} for one in facts.addresses
    ]
    server.save()
    return server


def _has_token(server: PlexServer, token: str) -> bool:
    try:
        return decrypt_secret(server.token_encrypted) == token and not server.is_token_dead
    except SecretLost:
        return False


def sign_out(
    account: PlexAccount, *, actor: User | None = None, tell: Callable[[str], None] | None = None
) -> bool:
    """Forgets the tokens of the account and of its servers; films and settings stay.

    Plex is told as well, so that the token ends there; False when it could not be.
    """
    is_told = True
    try:
        (tell or plex_tv.sign_out)(token_of_account(account))
    except PlexProblem as problem:
        is_told = problem.kind == "auth"  # dead already
    with transaction.atomic():
        PlexServer.objects.filter(account=account).update(
            token_encrypted="", is_token_dead=True, error=f"{account.username} is signed out."
        )
        PlexAccount.objects.filter(pk=account.pk).update(
            token_encrypted="", is_token_dead=True, error=""
        )
        record_audit("plex.sign_out", actor=actor, subject=account.username)
    account.refresh_from_db()
    return is_told
