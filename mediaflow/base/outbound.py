"""The one way to call other programs over HTTP: Plex, plex.tv, Sonarr, Radarr.

People type these addresses, so each call is guarded against being sent where it must not go
(trust.md, security 6): http or https only, never link-local or metadata addresses, never this
machine unless its row says so, and never MediaFlow's own port. A name is resolved once, its
addresses are checked before anything is sent, and one of those that passed is connected to: a name
that resolves to something else the second time gains nothing, and nobody can ask what listens.
Redirects are not followed, a call is bounded in size and time from the name server to the last
byte, proxies of the environment are ignored. Texts of answers never reach a page.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 30.0
_HINT: Final = "check the address, and that the program runs there"
_BLOCK_BYTES: Final = 256 * 1024
# Addresses from which clouds give out credentials, beyond link-local.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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
        raise _no_address(text) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OutboundProblem(
            "address", "Give an address that begins with http:// or https://, and a host."
        )
    if parts.username or parts.password or parts.query or parts.fragment or port == 0:
        raise OutboundProblem("address", "Give only scheme, host, port and path.")
    if any(sign.isspace() for sign in text):
        raise _no_address(text)
    return text.rstrip("/")


def _no_address(text: str) -> OutboundProblem:
    words = f"{text[:100]!r} is no address; give one such as http://192.168.1.20:8080."
    return OutboundProblem("address", words)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address that `check_url` let pass: who gets what is sent there.

    One machine may have several spellings; they count as different, which costs a question.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


def why_refused(address: str, port: int, *, may_be_this_machine: bool) -> str:
    """Why no call goes to an IP address; "" when it may. It asks the system which are its own."""
    ip = _innermost(ipaddress.ip_address(address.partition("%")[0]))
    is_nowhere = ip.is_link_local or ip.is_multicast or ip.is_unspecified
    if isinstance(ip, ipaddress.IPv4Address):
        is_nowhere = is_nowhere or ip.is_reserved or ip in _THIS_NETWORK
    if is_nowhere or ip in _METADATA:
        return f"{ip} is no address of a server; give the server's own."
    if port == settings.ENVIRONMENT.port and _is_own(ip):
        return "That is MediaFlow itself."
    if not may_be_this_machine and (ip.is_loopback or _is_own(ip)):
        return f"{ip} is this machine; say so if the server really runs here."
    return ""


def _innermost(ip: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for: mapped, 6to4 or translated (NAT64)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _is_own(ip: _Address) -> bool:
    """Only an address of this machine can be bound to."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True


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
            with _time_limit(timeout_s), self._session.request(
                method, url, headers=dict(headers or {}), params=params, data=data, json=json,
                timeout=(min(connect_timeout_s, timeout_s), timeout_s), allow_redirects=False,
                stream=True,
            ) as response:  # fmt: skip
                body = _read(response, max_bytes)
                return Reply(response.status_code, response.headers, body, time.monotonic() - begun)
        except _TimeIsUp:
            raise OutboundProblem(
                "timeout", f"{_host(url)} did not answer in time; {_HINT}."
            ) from None
        except (requests.RequestException, ValueError) as error:
            raise _problem(url, error) from None


def _problem(url: str, error: Exception) -> OutboundProblem:
    if refusal := _refusal_in(error):
        return OutboundProblem("address", refusal)
    if isinstance(error, requests.Timeout):
        return OutboundProblem("timeout", f"{_host(url)} did not answer in time; {_HINT}.")
    if isinstance(error, requests.exceptions.SSLError):
        words = f"The certificate of {_host(url)} cannot be trusted; give it another one."
        return OutboundProblem("network", words)
    return OutboundProblem("network", f"{_host(url)} cannot be reached: {_cause(error)}.")


class _TimeIsUp(Exception):
    """The whole call took too long: its connection was cut."""


class _Call:
    """The call that a thread makes now, and the connection that it uses."""

    def __init__(self) -> None:
        self.is_cut = False
        self._twin: socket.socket | None = None
        self._left: list[socket.socket] = []
        self._lock = threading.Lock()

    def uses(self, twin: socket.socket | None) -> None:
        with self._lock:
            self._twin = twin
            if self.is_cut:
                _shut(twin)

    def keep(self, twin: socket.socket) -> None:
        """Of a connection that was closed: its answer may still be read, and must end in time."""
        self._left.append(twin)

    def end(self) -> None:
        with self._lock:
            self._twin = None
            for twin in self._left:
                twin.close()

    def cut(self) -> None:
        with self._lock:
            self.is_cut = True
            _shut(self._twin)


_call: ContextVar[_Call | None] = ContextVar("outbound_call", default=None)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Timeouts of sockets begin anew with each byte; this one does not. Raises _TimeIsUp."""
    call = _Call()
    mark = _call.set(call)
    timer = threading.Timer(seconds, call.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (requests.RequestException, ValueError):
        if call.is_cut:
            raise _TimeIsUp from None
        raise
    finally:
        timer.cancel()
        _call.reset(mark)
        call.end()
    if call.is_cut:  # an answer without a length ends where it was cut
        raise _TimeIsUp


def _shut(twin: socket.socket | None) -> None:
    if twin is not None:
        try:
            twin.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was faster
            return


class _RefusedAddress(OSError):
    """Raised below urllib3, which must not retry it."""


class _Guarded(HTTPConnection):
    """Connects to checked addresses only, and can be cut from another thread."""

    may_be_this_machine = False
    # A second descriptor of the connection's socket: TLS takes the first one over.
    twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        port = self.port or self.default_port
        host, name = self.host.strip("[]"), self._dns_host.strip("[]")
        timeout_s = self.timeout if isinstance(self.timeout, (int, float)) else CONNECT_TIMEOUT_S
        try:
            name.encode("idna")
            found = answer_within(
                timeout_s, lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            )
        except UnicodeError:
            raise NameResolutionError(host, self, socket.gaierror("no name")) from None
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "The name server does not answer.") from error
        sock = self._connected(_allowed(found, may_be_this_machine=self.may_be_this_machine))
        self.twin = sock.dup()
        self._tell_call()
        return sock

    def _connected(self, places: list[_Place]) -> socket.socket:
        problem: OSError = OSError("no address")
        for place in places:
            sock = socket.socket(place[0], socket.SOCK_STREAM)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self.timeout)
                sock.connect(place[1])
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, "The connection timed out.") from problem
        raise NewConnectionError(self, f"Not connected: {problem}") from problem

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._tell_call()
        super().request(*args, **kwargs)

    def close(self) -> None:
        super().close()
        twin, self.twin = self.twin, None
        if twin is None:
            return
        if (call := _call.get()) is not None:
            call.keep(twin)
        else:
            twin.close()

    def _tell_call(self) -> None:
        if (call := _call.get()) is not None:
            call.uses(self.twin)


_Place = tuple[int, Any]  # family and address, as `socket` has them


def _allowed(found: list[Any], *, may_be_this_machine: bool) -> list[_Place]:
    """Those of a name's addresses that may be called. Raises _RefusedAddress if there is none."""
    places: list[_Place] = []
    reasons = []
    for family, _kind, _protocol, _name, address in found:
        reason = why_refused(address[0], address[1], may_be_this_machine=may_be_this_machine)
        if reason:
            reasons.append(reason)
        else:
            places.append((family, address))
    if not places and reasons:
        raise _RefusedAddress(reasons[0])
    return places


class _GuardedHTTPS(_Guarded, HTTPSConnection):
    pass


class _LocalHTTP(_Guarded):
    may_be_this_machine = True


class _LocalHTTPS(_GuardedHTTPS):
    may_be_this_machine = True


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Guarded


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


def _read(response: requests.Response, max_bytes: int) -> bytes:
    blocks, size = [], 0
    for block in response.iter_content(_BLOCK_BYTES):
        size += len(block)
        if size > max_bytes:
            raise OutboundProblem("too_large", f"{_host(response.url)} answered with too much.")
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
        ("refused", f"the connection was refused; {_HINT}"),
        ("NameResolution", "the name is not known; check it, and the network"),
        ("Name or service", "the name is not known; check it, and the network"),
        ("No route", "there is no way to it; check the address and the network"),
        ("unreachable", "there is no way to it; check the address and the network"),
        ("reset", "the connection was cut; try again"),
        ("RemoteDisconnected", "the connection was cut; try again"),
        ("IncompleteRead", "the connection was cut; try again"),
        ("ChunkedEncoding", "the connection was cut; try again"),
        ("InvalidURL", "the address is not valid; type it anew"),
    ):
        if sign in text:
            return words
    return type(error).__name__


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "The server"
