"""Servers whose address or token a person types: asked before anything is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from library.models import PlexServer
from library.plex.client import PlexProblem, token_of
from library.plex.connections import (
    addresses_of,
    best_of,
    try_all,
    values_of,
    who_answers,
    why_none,
)
from library.plex.plex_tv import Address
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.outbound import OutboundProblem, check_url, origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.plex.connections import Tried
    from mediaflow.accounts.models import User


NEW_ADDRESS: Final = (
    "The address is a new one: type the token as well, for the stored one is not sent there."
)


class TypedProblem(Exception):
    """What was typed does not work. `field` is url, token or "" (neither); `text` says why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def add_server(
    *, url: str, token: str, is_on_this_machine: bool, actor: User | None = None
) -> PlexServer:
    """A server by its address and token. One that is known needs no token at a known address.

    Takes some ten seconds at most. Raises TypedProblem; nothing is stored then.
    """
    address = _address(url)
    try:
        machine_id = who_answers(address, may_be_this_machine=is_on_this_machine)
    except (PlexProblem, OutboundProblem) as problem:
        raise TypedProblem("url", problem.text) from None
    known = PlexServer.objects.filter(machine_id=machine_id).first()
    server = known or PlexServer(machine_id=machine_id)
    values = try_typed(server, url=address, token=token, is_on_this_machine=is_on_this_machine)
    if known is None:
        server, _is_new = PlexServer.objects.update_or_create(
            machine_id=machine_id, defaults=values
        )
    else:
        store_typed(server, values)
        server.refresh_from_db()
    record_audit("plex.server_add", actor=actor, subject=server.name, detail=server.url)
    return server


def try_typed(
    server: PlexServer, *, url: str, token: str = "", is_on_this_machine: bool = False
) -> dict[str, Any]:
    """The columns of a server that is reached at this address (and with this token) from now on.

    `url` "" means the best address that plex.tv names. Nothing is stored. The stored token goes to
    no address that it was not given for: whoever may type an address would have the token sent to
    a machine of theirs. Raises TypedProblem.
    """
    told = [address for address in addresses_of(server) if address.kind != "manual"]
    if url:
        told = [Address(_address(url), "manual")]
    used = token or _stored_token(server, told)
    tried = try_all(
        told, machine_id=server.machine_id, token=used, may_be_this_machine=is_on_this_machine
    )
    best = best_of(tried)
    if best is None:
        raise _problem(server, tried)
    done = {one.uri for one in tried}
    others = [row for row in server.connections if row.get("kind") != "manual"]
    values = values_of(best, server)
    values |= {
        "connections": [
            *(one.to_json() for one in tried),
            *(row for row in others if row.get("uri") not in done),
        ],
        "is_url_manual": bool(url),
        "is_on_this_machine": is_on_this_machine,
    }
    if token:  # whose it is is not known; it stays whatever plex.tv says of the server
        values |= {"token_encrypted": encrypt_secret(token), "account": None, "is_owned": True}
    return values


def _stored_token(server: PlexServer, addresses: Sequence[Address]) -> str:
    try:
        stored = token_of(server)
    except PlexProblem:
        words = "Give a token, or sign in to Plex with an account that has this server."
        raise TypedProblem("token", words) from None
    told = [row["uri"] for row in server.connections if row.get("kind") != "manual"]
    known = {origin_of(uri) for uri in (server.url, *told) if uri}
    if any(origin_of(address.uri) not in known for address in addresses):
        raise TypedProblem("token", NEW_ADDRESS)
    return stored


def _problem(server: PlexServer, tried: Sequence[Tried]) -> TypedProblem:
    if any(one.is_auth for one in tried):
        return TypedProblem("token", "The server does not accept the token; copy it once more.")
    if len(tried) == 1:
        return TypedProblem("url", tried[0].error)
    return TypedProblem("url", why_none(server, tried))


def store_typed(server: PlexServer, values: dict[str, Any]) -> None:
    """Write them, unless the token that they were tried with is gone. Raises TypedProblem."""
    rows = PlexServer.objects.filter(pk=server.pk)
    if "url" in values and "token_encrypted" not in values:
        rows = rows.filter(token_encrypted=server.token_encrypted)
    if values and not rows.update(**values):
        raise TypedProblem("", "It was changed or removed meanwhile; load its page and try again.")


def _address(url: str) -> str:
    try:
        return check_url(url)
    except OutboundProblem as problem:
        raise TypedProblem("url", problem.text) from None
