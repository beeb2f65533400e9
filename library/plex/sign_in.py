"""Signing in to Plex by PIN, in the browser: no password comes here.

A token is dead only when plex.tv says so (401). Whatever else goes wrong is an error to show, and
the token is kept.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from library.models import PlexAccount, PlexPin, PlexServer
from library.plex import plex_tv
from library.plex.account_servers import save_servers
from library.plex.client import PlexProblem
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import SecretLost, decrypt_secret, encrypt_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.plex.plex_tv import AccountFacts
    from mediaflow.accounts.models import User

TRIES: Final = 3  # of a look during which the sign-in changes
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
    values = {
        **_answer(facts),
        "token_encrypted": encrypt_secret(token),
        "token_kind": "jwt" if is_short_lived(token) else "legacy",
    }
    with transaction.atomic():
        account, is_new = PlexAccount.objects.update_or_create(
            plex_uuid=facts.uuid, defaults=values
        )
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

    A server that plex.tv no longer lists stays: its own token may well work. What was asked with a
    token that a sign-out or another sign-in replaced meanwhile is not written.
    """
    for _ in range(TRIES):
        asked_with = account.token_encrypted
        known_before = set(PlexServer.objects.values_list("machine_id", flat=True))
        try:
            token = token_of_account(account)
            facts, told = plex_tv.account_of(token), plex_tv.servers_of(token)
        except PlexProblem as problem:
            _note_problem(account, asked_with, problem)
            raise
        with transaction.atomic():
            # The update also holds the row: a sign-out waits until the servers are written.
            rows = PlexAccount.objects.filter(pk=account.pk, token_encrypted=asked_with)
            if rows.update(**_answer(facts)):
                return save_servers(account, told, known_before=known_before)
        account.refresh_from_db()
    raise PlexProblem("busy", f"The sign-in of {account.username} changed meanwhile; try again.")


def _note_problem(account: PlexAccount, asked_with: str, problem: PlexProblem) -> None:
    values: dict[str, Any] = {"error": problem.text[:500]}
    if problem.kind == "auth":
        values["is_token_dead"] = True
    rows = PlexAccount.objects.filter(pk=account.pk, token_encrypted=asked_with)
    rows.exclude(token_encrypted="").update(**values)


def _answer(facts: AccountFacts) -> dict[str, Any]:
    return {
        "username": facts.username,
        "has_plex_pass": facts.has_plex_pass,
        "is_token_dead": False,
        "error": "",
        "checked_at": timezone.now(),
    }


def sign_out(
    account: PlexAccount, *, actor: User | None = None, tell: Callable[[str], None] | None = None
) -> bool:
    """Forgets the tokens of the account and of its servers; films and settings stay.

    A token that was typed stays with its server, which has no account. Plex is told as well, so
    that the token ends there; False when it could not be.
    """
    is_told = True
    try:
        (tell or plex_tv.sign_out)(token_of_account(account))
    except PlexProblem as problem:
        is_told = problem.kind == "auth"  # dead already
    with transaction.atomic():
        # The account first: a look at plex.tv that is in flight sees it, or is waited for.
        PlexAccount.objects.filter(pk=account.pk).update(
            token_encrypted="", is_token_dead=True, error=""
        )
        PlexServer.objects.filter(account=account).update(
            token_encrypted="", is_token_dead=True, error=f"{account.username} is signed out."
        )
        record_audit("plex.sign_out", actor=actor, subject=account.username)
    account.refresh_from_db()
    return is_told
