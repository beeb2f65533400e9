"""Our address in the list of webhooks that plex.tv keeps for an account.

plex.tv only takes the whole list and knows no condition, so each change reads it at the last
moment, keeps what others have put there, and writes. Adding our address also compares what plex.tv
says it has then, and tries again; taking it out does not: one that stays gets 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.models import PlexAccount, Webhook
from library.plex.client import PlexProblem
from library.plex.plex_tv import replace_webhooks, webhooks_of
from library.plex.sign_in import token_of_account
from library.webhooks.services import digest_of
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mediaflow.accounts.models import User

TRIES: Final = 3


def accounts_with_webhooks() -> QuerySet[PlexAccount]:
    """Those that are signed in and have Plex Pass."""
    signed_in = PlexAccount.objects.exclude(token_encrypted="")
    return signed_in.filter(is_token_dead=False, has_plex_pass=True).order_by("username")


def register(webhook: Webhook, address: str, account: PlexAccount, *, actor: User | None) -> None:
    """Add our address. Raises PlexProblem; the list is as it was then, or has it already."""
    token = token_of_account(account)
    for _ in range(TRIES):
        before = webhooks_of(token)
        if address in before:
            break
        kept = replace_webhooks(token, [*before, address])
        if set(before) <= set(kept) and address in kept:
            break
    else:
        raise PlexProblem("bad_reply", "plex.tv did not keep the address.")
    record_audit("webhook.register", actor=actor, subject=webhook.name, detail=account.username)


def unregister(webhook: Webhook, *, actor: User | None) -> list[str]:
    """Take our address out of every account's list. Returns the accounts that had it.

    The secret is stored nowhere: the address is known by its digest. Raises PlexProblem.
    """
    found = []
    for account in PlexAccount.objects.exclude(token_encrypted="").filter(is_token_dead=False):
        if _take_out(webhook, account):
            record_audit(
                "webhook.unregister", actor=actor, subject=webhook.name, detail=account.username
            )
            found.append(account.username)
    return found


def _take_out(webhook: Webhook, account: PlexAccount) -> bool:
    token = token_of_account(account)
    try:
        before = webhooks_of(token)
    except PlexProblem as problem:
        if problem.kind == "refused":  # without Plex Pass there is no list
            return False
        raise
    ours = [url for url in before if digest_of(_secret_in(url)) == webhook.secret_digest]
    if not ours:
        return False
    replace_webhooks(token, [url for url in before if url not in ours])
    return True


def _secret_in(address: str) -> str:
    """Of `https://…/hooks/<secret>/`."""
    return address.rstrip("/").rpartition("/")[2]
