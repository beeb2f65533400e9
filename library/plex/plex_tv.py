"""Calls to plex.tv: PINs, the account behind a token, its servers. No database.

`MEDIAFLOW_PLEX_TV_URL` puts a stand-in in the place of plex.tv and of app.plex.tv.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from django.conf import settings

from library.plex.client import PlexProblem, status_problem
from library.plex.device import PRODUCT, client_identifier, plex_headers
from library.plex.values import entries, flag, number, text
from mediaflow.base.outbound import OutboundProblem, OutboundSession, check_url

if TYPE_CHECKING:
    from mediaflow.base.outbound import Reply

NAME: Final = "plex.tv"
TIMEOUT_S: Final = 8.0  # a person waits for it
MAX_BYTES: Final = 8 * 1024 * 1024
_LONGEST_URL: Final = 300  # of PlexServer.url
_DEFAULT_PIN_S: Final = 900
_LONGEST_PIN_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Pin:
    id: int
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccountFacts:
    uuid: str
    username: str
    has_plex_pass: bool


@dataclass(frozen=True, slots=True)
class Address:
    """One way to a server. `kind` is local, remote or relay."""

    uri: str
    kind: str


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server that an account may use, with a token of its own."""

    machine_id: str
    name: str
    version: str
    token: str
    is_owned: bool
    addresses: tuple[Address, ...]


def new_pin() -> Pin:
    """Raises PlexProblem."""
    found = _read(_call("POST", "/api/v2/pins", params={"strong": "true"}))
    pin_id, code = number(found.get("id")), text(found.get("code"))
    if not pin_id or not code:
        raise _nonsense()
    lifetime_s = min(max(number(found.get("expiresIn")) or _DEFAULT_PIN_S, 60), _LONGEST_PIN_S)
    return Pin(pin_id, code, datetime.now(UTC) + timedelta(seconds=lifetime_s))


def pin_token(pin_id: int) -> str:
    """The token, once the person has agreed; "" until then. Raises PlexProblem.

    A PIN that plex.tv has forgotten is a problem of kind "refused".
    """
    found = _read(_call("GET", f"/api/v2/pins/{pin_id}"))
    return text(found.get("authToken"))


def account_of(token: str) -> AccountFacts:
    """Raises PlexProblem, of kind "auth" only when plex.tv says that the token is dead."""
    found = _read(_call("GET", "/api/v2/user", token=token))
    uuid, subscription = text(found.get("uuid")), found.get("subscription")
    if not uuid:
        raise _nonsense()
    return AccountFacts(
        uuid=uuid[:64],
        username=(text(found.get("username")) or text(found.get("title")) or "Plex")[:150],
        has_plex_pass=isinstance(subscription, dict) and flag(subscription.get("active")),
    )


def servers_of(token: str) -> list[ServerFacts]:
    """Raises PlexProblem."""
    params = {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"}
    trees = _json(_call("GET", "/api/v2/resources", token=token, params=params))
    if not isinstance(trees, list):
        raise _nonsense()
    found = [_server(tree) for tree in trees if isinstance(tree, dict)]
    return [server for server in found if server is not None]


def webhooks_of(token: str) -> list[str]:
    """The addresses that Plex calls for this account; those of other programs are among them.

    Raises PlexProblem, of kind "refused" for an account without Plex Pass.
    """
    return _addresses_in(_json(_call("GET", "/api/v2/user/webhooks", token=token)))


def replace_webhooks(token: str, urls: list[str]) -> list[str]:
    """The new list, whole: what is not in it is gone. Returns what plex.tv keeps now."""
    data = {"urls[]": urls} if urls else {"urls": ""}
    return _addresses_in(_json(_call("POST", "/api/v2/user/webhooks", token=token, data=data)))


def _addresses_in(found: Any) -> list[str]:
    if not isinstance(found, list):
        raise _nonsense()
    return [text(tree.get("url")) for tree in found if isinstance(tree, dict) and tree.get("url")]


def sign_out(token: str) -> None:
    """Ends the token at plex.tv. Raises PlexProblem."""
    reply = _call("DELETE", "/api/v2/users/signout", token=token)
    if reply.status >= 300:
        raise status_problem(reply.status, NAME)


def sign_in_url(code: str, forward_url: str) -> str:
    """Where the person agrees. Plex sends the browser back to `forward_url`."""
    words = urlencode(
        {
            "clientID": client_identifier(),
            "code": code,
            "context[device][product]": PRODUCT,
            "forwardUrl": forward_url,
        },
        quote_via=quote,
    )
    base = settings.ENVIRONMENT.plex_tv_url or "https://app.plex.tv"
    return f"{base}/auth#?{words}"


def _server(tree: dict[str, Any]) -> ServerFacts | None:
    machine_id = text(tree.get("clientIdentifier"))
    if "server" not in text(tree.get("provides")).split(",") or not machine_id:
        return None
    return ServerFacts(
        machine_id=machine_id[:80],
        name=(text(tree.get("name")) or "Plex Media Server")[:150],
        version=text(tree.get("productVersion"))[:40],
        token=text(tree.get("accessToken")),
        is_owned=flag(tree.get("owned")),
        addresses=tuple(_addresses(tree)),
    )


def _addresses(tree: dict[str, Any]) -> list[Address]:
    """As advertised. Names of plex.direct fail under rebind protection, so a local server's plain
    address is one as well, unless it insists on https."""
    found: list[Address] = []
    for connection in entries(tree, "connections"):
        kind = "relay" if flag(connection.get("relay")) else "remote"
        if kind == "remote" and flag(connection.get("local")):
            kind = "local"
        uris = [text(connection.get("uri"))]
        address, port = text(connection.get("address")), number(connection.get("port"))
        if kind == "local" and address and port and not flag(tree.get("httpsRequired")):
            host = f"[{address}]" if ":" in address else address
            uris.append(f"http://{host}:{port}")
        found += [Address(uri, kind) for told in uris if (uri := _usable(told))]
    return list(dict.fromkeys(found))


def _usable(uri: str) -> str:
    """ "" for what is no address of a server: others say what stands there."""
    try:
        return check_url(uri) if len(uri) <= _LONGEST_URL else ""
    except OutboundProblem:
        return ""


def _call(
    method: str, path: str, *, token: str = "", params: Any = None, data: Any = None
) -> Reply:
    stand_in = settings.ENVIRONMENT.plex_tv_url
    # Nobody types this address: where a stand-in runs is up to who starts MediaFlow.
    with OutboundSession(may_be_this_machine=bool(stand_in)) as session:
        try:
            return session.call(
                method,
                (stand_in or "https://plex.tv") + path,
                headers=plex_headers(token),
                params=params,
                data=data,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_BYTES,
            )
        except OutboundProblem as problem:
            raise PlexProblem("network", problem.text) from None


def _json(reply: Reply) -> Any:
    if not 200 <= reply.status < 300:
        raise status_problem(reply.status, NAME)
    try:
        return json.loads(reply.body)
    except ValueError:
        raise _nonsense() from None


def _read(reply: Reply) -> dict[str, Any]:
    found = _json(reply)
    if not isinstance(found, dict):
        raise _nonsense()
    return found


def _nonsense() -> PlexProblem:
    return PlexProblem("bad_reply", "plex.tv answered with something that Plex does not say.")
