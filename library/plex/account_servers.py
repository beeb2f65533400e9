"""Servers as plex.tv lists them for an account, and whose token each of them has.

A server with an `account` has the token that plex.tv gave that account. One without has a token
that a person typed: it stays until it is changed or refused. Who owns a server goes before a guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from library.models import PlexServer
from mediaflow.base.encryption import SecretLost, decrypt_secret, encrypt_secret
from mediaflow.base.outbound import origin_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from library.models import PlexAccount
    from library.plex.plex_tv import ServerFacts


def save_servers(
    account: PlexAccount, told: Iterable[ServerFacts], *, known_before: Collection[str]
) -> list[PlexServer]:
    """Make or refresh their rows, in the caller's transaction, which holds the account's row.

    `known_before` are the machine ids that there were before plex.tv was asked: one of them that
    is gone was removed meanwhile, and stays so. Settings of a server stay as they are.
    """
    in_order = sorted(told, key=lambda facts: facts.machine_id)  # two looks never wait in a ring
    saved = [_save_server(account, facts, known_before) for facts in in_order]
    return [server for server in saved if server is not None]


def _save_server(
    account: PlexAccount, facts: ServerFacts, known_before: Collection[str]
) -> PlexServer | None:
    server = PlexServer.objects.select_for_update().filter(machine_id=facts.machine_id).first()
    if server is None:
        if facts.machine_id in known_before:
            return None
        values = _facts(PlexServer(), account, facts)
        return PlexServer.objects.create(
            machine_id=facts.machine_id, is_enabled=facts.is_owned, **values
        )
    values = {}
    if _may_have(server, account, facts):
        values = _facts(server, account, facts)
    elif facts.is_owned and server.account_id is None:
        values = {"connections": _addresses(server, facts)}
    if values:
        PlexServer.objects.filter(pk=server.pk).update(**values)
        server.refresh_from_db()
    return server


def _may_have(server: PlexServer, account: PlexAccount, facts: ServerFacts) -> bool:
    """Whether the server is, or becomes, one of this account."""
    if server.account_id == account.pk:
        return True
    is_living = not server.is_token_dead and bool(_token(server))
    if not facts.token or (server.account_id is None and is_living):
        return False
    if facts.is_owned != server.is_owned:
        return facts.is_owned
    return not is_living


def _facts(server: PlexServer, account: PlexAccount, facts: ServerFacts) -> dict[str, Any]:
    values: dict[str, Any] = {
        "account": account,
        "name": facts.name,
        "version": facts.version or server.version,
        "is_owned": facts.is_owned,
        "connections": _addresses(server, facts),
    }
    if facts.token and (server.is_token_dead or _token(server) != facts.token):
        values |= {"token_encrypted": encrypt_secret(facts.token), "is_token_dead": False}
    told = {origin_of(one.uri) for one in facts.addresses}
    if server.account_id != account.pk and server.url and origin_of(server.url) not in told:
        # It was given along with another token; this one goes only where plex.tv says.
        values |= {"url": "", "is_url_manual": False}
    return values


def _addresses(server: PlexServer, facts: ServerFacts) -> list[dict[str, Any]]:
    """As told, with what the last test of each brought."""
    known = {row.get("uri"): row for row in server.connections if isinstance(row, dict)}
    return [{**known.get(one.uri, {}), "uri": one.uri, "kind": one.kind} for one in facts.addresses]


def _token(server: PlexServer) -> str:
    try:
        return decrypt_secret(server.token_encrypted)
    except SecretLost:
        return ""
