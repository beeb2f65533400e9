"""The one way to call other programs over HTTP: Plex, plex.tv, Sonarr, Radarr.

People type these addresses, so each call is guarded against being sent where it must not go
(trust.md, security 6): http or https only, never link-local or metadata addresses, never this
machine unless its row says so, and never MediaFlow's own port. What counts is the address that the
socket is connected to, so a name that resolves to something else the second time gains nothing.
Redirects are not followed, answers are bounded in size and time, proxies of the environment are
ignored. Texts of answers never reach a page.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 30.0
_BLOCK_BYTES: Final = 256 * 1024
# Addresses from which clouds give out credentials, beyond link-local.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)


class OutboundProblem(Exception):
    """A call that got no usable answer: `kind` address, network, timeout or too_large."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status. `headers` are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def check_url(url: str) -> str:
    """The address without a slash at its end. Raises OutboundProblem for what is no http(s) URL."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OutboundProblem("address", f"{text[:100]!r} is no address of a server.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OutboundProblem(
            "address", "Give an address that begins with http:// or https://, and a host."
        )
    if parts.username or parts.password or parts.query or parts.fragment or port == 0:
        raise OutboundProblem("address", "Give only scheme, host, port and path.")
    return text.rstrip("/")


def why_refused(address: str, port: int, *, may_be_this_machine: bool) -> str:
    """Why no call goes to an IP address; "" when it may. Pure but for MediaFlow's own port."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return f"{ip} is no address of a server."
    if ip.is_loopback:
        if port == settings.ENVIRONMENT.port:
            return "That is MediaFlow itself."
        if not may_be_this_machine:
            return f"{ip} is this machine; say so if the server really runs here."
    return ""


class OutboundSession:
    """Keeps connections open between calls. Not for several threads at once."""

    def __init__(self, *, may_be_this_machine: bool = False) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = _GuardedAdapter(may_be_this_machine)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> OutboundSession:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        json: Any = None,
        timeout_s: float = READ_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> Reply:
        """`timeout_s` bounds the whole call. Raises OutboundProblem; texts name no secret."""
        begun = time.monotonic()
        try:
            with self._session.request(
                method, url, headers=dict(headers or {}), params=params, data=data, json=json,
                timeout=(connect_timeout_s, timeout_s), allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                body = _read(response, begun + timeout_s, max_bytes)
                return Reply(response.status_code, response.headers, body, time.monotonic() - begun)
        except _RefusedAddress as refused:
            raise OutboundProblem("address", str(refused)) from None
        except requests.Timeout:
            raise OutboundProblem("timeout", f"{_host(url)} did not answer in time.") from None
        except requests.exceptions.SSLError:
            text = f"The certificate of {_host(url)} cannot be trusted."
            raise OutboundProblem("network", text) from None
        except (requests.RequestException, ValueError) as error:
            if refusal := _refusal_in(error):
                raise OutboundProblem("address", refusal) from None
            text = f"{_host(url)} cannot be reached: {_cause(error)}."
            raise OutboundProblem("network", text) from None


class _RefusedAddress(OSError):
    """Raised below urllib3, which must not retry it."""


class _GuardedHTTP(HTTPConnection):
    may_be_this_machine = False

    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), may_be_this_machine=self.may_be_this_machine)


class _GuardedHTTPS(HTTPSConnection):
    may_be_this_machine = False

    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), may_be_this_machine=self.may_be_this_machine)


class _LocalHTTP(_GuardedHTTP):
    may_be_this_machine = True


class _LocalHTTPS(_GuardedHTTPS):
    may_be_this_machine = True


def _checked(connection: socket.socket, *, may_be_this_machine: bool) -> socket.socket:
    """The socket, if what it is connected to may be called; nothing was sent yet."""
    peer = connection.getpeername()
    reason = why_refused(peer[0], peer[1], may_be_this_machine=may_be_this_machine)
    if reason:
        connection.close()
        raise _RefusedAddress(reason)
    return connection


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class _LocalHTTPPool(HTTPConnectionPool):
    ConnectionCls = _LocalHTTP


class _LocalHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LocalHTTPS


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, may_be_this_machine: bool) -> None:
        self._may_be_this_machine = may_be_this_machine
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        here = self._may_be_this_machine
        self.poolmanager.pool_classes_by_scheme = {
            "http": _LocalHTTPPool if here else _HTTPPool,
            "https": _LocalHTTPSPool if here else _HTTPSPool,
        }


def _read(response: requests.Response, deadline: float, max_bytes: int) -> bytes:
    blocks, size = [], 0
    for block in response.iter_content(_BLOCK_BYTES):
        size += len(block)
        if size > max_bytes:
            raise OutboundProblem("too_large", f"{_host(response.url)} answered with too much.")
        if time.monotonic() > deadline:
            raise OutboundProblem("timeout", f"{_host(response.url)} did not answer in time.")
        blocks.append(block)
    return b"".join(blocks)


def _refusal_in(error: BaseException | None) -> str:
    """The guard's own words, wherever the libraries have wrapped them."""
    seen = 0
    pending: list[object] = [error]
    while pending and seen < 20:
        current = pending.pop()
        seen += 1
        if isinstance(current, _RefusedAddress):
            return str(current)
        if isinstance(current, BaseException):
            reason = getattr(current, "reason", None)
            pending += [current.__cause__, current.__context__, reason, *current.args]
    return ""


def _cause(error: Exception) -> str:
    """In a few words; the libraries' own texts are long and name addresses with tokens."""
    text = repr(error)
    for sign, words in (
        ("refused", "the connection was refused"),
        ("NameResolution", "the name is not known"),
        ("Name or service", "the name is not known"),
        ("No route", "there is no way to it"),
        ("unreachable", "there is no way to it"),
        ("reset", "the connection was cut"),
        ("RemoteDisconnected", "the connection was cut"),
        ("IncompleteRead", "the connection was cut"),
        ("ChunkedEncoding", "the connection was cut"),
        ("InvalidURL", "the address is not valid"),
    ):
        if sign in text:
            return words
    return type(error).__name__


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "The server"
