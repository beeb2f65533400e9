"""Which address of a Plex server is used: all are tried at once, the best that answers wins.

Local goes before remote, https before http. Plex's relay is slow and never used. A server is asked
who it is before it gets a token: an address of the local network may belong to another one by now.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone

from library.models import PlexServer
from library.plex.client import PlexProblem, status_problem, token_of
from library.plex.device import plex_headers
from library.plex.plex_tv import Address
from library.plex.values import container_of, text
from mediaflow.base.outbound import OutboundProblem, OutboundSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mediaflow.base.outbound import Reply

ANSWER_S: Final = 5.0
CONNECT_S: Final = 3.0
MAX_ADDRESSES: Final = 16
_MAX_BYTES: Final = 1024 * 1024
_TRIES: Final = 3  # of a choice during which the settings change
_KIND_ORDER: Final = {"manual": 0, "local": 1, "remote": 2}


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one address. `is_auth`: it is the server, which refuses the token."""

    uri: str
    kind: str  # local, remote, relay, manual
    is_ok: bool
    ms: int | None
    error: str
    is_auth: bool = False
    machine_id: str = ""
    name: str = ""
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "uri": self.uri, "kind": self.kind, "is_ok": self.is_ok, "ms": self.ms,
            "error": self.error,
        }  # fmt: skip


def try_address(
    address: Address, *, machine_id: str, token: str, may_be_this_machine: bool
) -> Tried:
    """Never raises. `machine_id` "" takes whatever server answers (a new one, typed by hand)."""
    if address.kind == "relay":
        return Tried(address.uri, "relay", False, None, "Plex's relay is too slow; it is not used.")
    begun = time.monotonic()
    with OutboundSession(may_be_this_machine=may_be_this_machine) as session:
        try:
            who = _who(session, address.uri)
            if machine_id and who != machine_id:
                raise PlexProblem("refused", "Another Plex server answers there.")
            root = _container(_get(session, f"{address.uri}/", token))
        except OutboundProblem as problem:
            return Tried(address.uri, address.kind, False, None, problem.text)
        except PlexProblem as problem:
            is_auth = problem.kind == "auth"
            words = "The server does not accept the token." if is_auth else problem.text
            return Tried(address.uri, address.kind, False, None, words, is_auth=is_auth)
    return Tried(
        address.uri,
        address.kind,
        True,
        round((time.monotonic() - begun) * 1000),
        "",
        machine_id=who,
        name=(text(root.get("friendlyName")) or "Plex Media Server")[:150],
        version=text(root.get("version"))[:40],
    )


def who_answers(uri: str, *, may_be_this_machine: bool) -> str:
    """The machine identifier of the server there. Raises PlexProblem, OutboundProblem."""
    with OutboundSession(may_be_this_machine=may_be_this_machine) as session:
        return _who(session, uri)


def _who(session: OutboundSession, uri: str) -> str:
    """Without a token: anybody might answer there."""
    who = text(_container(_get(session, f"{uri}/identity", "")).get("machineIdentifier"))
    if not who:
        raise PlexProblem("bad_reply", "No Plex server answers there.")
    return who[:80]


def _get(session: OutboundSession, url: str, token: str) -> Reply:
    return session.call(
        "GET", url, headers=plex_headers(token), timeout_s=ANSWER_S, connect_timeout_s=CONNECT_S,
        max_bytes=_MAX_BYTES,
    )  # fmt: skip


def _container(reply: Reply) -> dict[str, Any]:
    if reply.status != 200:
        raise status_problem(reply.status, "The server")
    container = container_of(reply.body)
    if container is None:
        raise PlexProblem("bad_reply", "No Plex server answers there.")
    return container


def try_all(
    addresses: Sequence[Address], *, machine_id: str, token: str, may_be_this_machine: bool
) -> list[Tried]:
    """All at once, in the order given; takes as long as the slowest, at most some ten seconds."""
    chosen = list(addresses)[:MAX_ADDRESSES]
    if not chosen:
        return []

    def ask(address: Address) -> Tried:
        return try_address(
            address, machine_id=machine_id, token=token, may_be_this_machine=may_be_this_machine
        )

    with ThreadPoolExecutor(len(chosen), thread_name_prefix="plex-address") as pool:
        return list(pool.map(ask, chosen))


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """The nearest that answers, https before http, then the fastest."""
    usable = [one for one in tried if one.is_ok]
    return min(usable, key=_rank, default=None)


def _rank(one: Tried) -> tuple[int, bool, int]:
    return (_KIND_ORDER.get(one.kind, 9), not one.uri.startswith("https://"), one.ms or 0)


def choose_connection(server: PlexServer) -> bool:
    """Try every address of a server and keep the best. False when none can be used.

    What is known stays as it is when nothing answers: that is a fault of the network, not of the
    token. Writes the row, unless its token or addresses were changed meanwhile: then those are
    tried. Raises nothing.
    """
    for _ in range(_TRIES):
        values = _tried_values(server)
        is_written = _write_if_same(server, values)
        try:
            server.refresh_from_db()
        except PlexServer.DoesNotExist:
            server.error = f"{server.name} was removed meanwhile."
            return False
        if is_written:
            return not values["error"]
    server.error = f"The settings of {server.name} changed meanwhile; test its connections again."
    return False


def _tried_values(server: PlexServer) -> dict[str, Any]:
    """Columns as the addresses and the token of a server prove to be now."""
    try:
        token = token_of(server)
    except PlexProblem as problem:
        return {"error": problem.text[:500], "is_token_dead": True}
    tried = try_all(
        addresses_of(server),
        machine_id=server.machine_id,
        token=token,
        may_be_this_machine=server.is_on_this_machine,
    )
    usable = [one for one in tried if one.kind == "manual" or not server.is_url_manual]
    best = best_of(usable)
    values: dict[str, Any] = {"connections": [one.to_json() for one in tried]}
    if best is None:
        values["is_token_dead"] = any(one.is_auth for one in usable)
        return values | {"error": why_none(server, usable)[:500]}
    return values | values_of(best, server)


def values_of(used: Tried, server: PlexServer) -> dict[str, Any]:
    """Columns of a server that is reached at an address from now on."""
    values: dict[str, Any] = {
        "url": used.uri, "version": used.version, "name": used.name, "error": "",
        "is_token_dead": False, "seen_at": timezone.now(),
    }  # fmt: skip
    if used.version != server.version:
        values["can_list_changes"] = None  # the next sync asks the new version
    return values


def _write_if_same(server: PlexServer, values: dict[str, Any]) -> bool:
    """False, and nothing written, where it is reached in another way by now or was removed."""
    with transaction.atomic():
        fresh = PlexServer.objects.select_for_update().filter(pk=server.pk).first()
        if fresh is None or _way_of(fresh) != _way_of(server):
            return False
        PlexServer.objects.filter(pk=server.pk).update(**values)
    return True


def _way_of(server: PlexServer) -> tuple[Any, ...]:
    """What decides whether a server is reached: more than this is not looked at."""
    return (
        server.token_encrypted, server.is_on_this_machine, server.is_url_manual,
        addresses_of(server),
    )  # fmt: skip


def addresses_of(server: PlexServer) -> list[Address]:
    """The one that was typed, which alone is used then; and what plex.tv advertised."""
    found = [
        Address(row["uri"], row.get("kind", "remote"))
        for row in server.connections
        if isinstance(row, dict) and row.get("uri") and row.get("kind") != "manual"
    ]
    if server.is_url_manual and server.url:
        return [Address(server.url, "manual"), *found]
    return found


def why_none(server: PlexServer, tried: Sequence[Tried]) -> str:
    if any(one.is_auth for one in tried):
        if server.account_id is None:
            return (
                f"{server.name} does not accept the token that was typed any more. Type another in"
                " its settings, or sign in to Plex as its owner."
            )
        return f"{server.name} does not accept MediaFlow's token any more. Sign in to Plex again."
    if not tried:
        return f"No address of {server.name} is known; give one by hand."
    if server.is_url_manual:
        return f"The address given for {server.name} does not work: {tried[0].error}"
    direct = [one for one in tried if one.kind != "relay"]
    if not direct:
        return f"{server.name} is reached through Plex's relay only, which is too slow."
    if len(direct) == 1:
        return f"{server.name} cannot be used: {direct[0].error}"
    return f"None of the {len(direct)} addresses of {server.name} answers."
