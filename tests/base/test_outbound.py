"""Calls to other programs: where they may go, what bounds them, what their errors say."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

from mediaflow.base import outbound
from mediaflow.base.outbound import OutboundProblem, OutboundSession, check_url, why_refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "tok-5f2a9c-very-secret"


class Site:
    """A small server on the loopback; `answer` writes one answer, `calls` are the request lines."""

    def __init__(self, answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> None:
        self.calls: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.calls.append(self.path)
                answer(self)

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def a_site(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[Site]:
    site = Site(answer)
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join(10)


def says(text: bytes, status: int = 200, **headers: str) -> Callable[[Any], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def drips(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A byte now and then, for ever: no single read takes long."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def hangs(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.recv(1)


def resolving(*addresses: str) -> Any:
    """Every name has these addresses."""

    def found(_host: str, port: int, **_kwargs: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, 1, 6, "", (a, port))
            for a in addresses
        ]

    return mock.patch.object(socket, "getaddrinfo", found)


def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    with (
        a_site(says(b"no", 404, X_Plex="1")) as site,
        OutboundSession(may_be_this_machine=True) as session,
    ):
        reply = session.call("GET", f"{site.url}/identity", params={"a": "b c"})

    assert (reply.status, reply.body, reply.headers["x-plex"]) == (404, b"no", "1")
    assert site.calls == ["/identity?a=b+c"]


def test_connections_are_kept_open_between_calls() -> None:
    peers = set()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        peers.add(handler.client_address)
        says(b"ok")(handler)

    with a_site(answer) as site, OutboundSession(may_be_this_machine=True) as session:
        for _ in range(3):
            session.call("GET", site.url)

    assert len(peers) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1",
        "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3",
        "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_of_clouds_are_refused(address: str) -> None:
    assert why_refused(address, 32400, may_be_this_machine=False)


@pytest.mark.parametrize(
    "address", ["192.168.1.20", "10.0.0.5", "172.17.0.2", "fd12::5", "8.8.8.8"]
)
def test_addresses_of_the_local_network_and_beyond_may_be_called(address: str) -> None:
    assert why_refused(address, 32400, may_be_this_machine=False) == ""


def test_this_machine_may_be_called_when_its_row_says_so_but_never_mediaflow_itself() -> None:
    own = settings.ENVIRONMENT.port
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert why_refused(address, own + 1, may_be_this_machine=True) == ""
        assert why_refused(address, own, may_be_this_machine=True) == "That is MediaFlow itself."
    # The metadata service stays out of reach whatever a row says.
    assert why_refused("169.254.169.254", 80, may_be_this_machine=True)


def test_mediaflows_own_port_is_refused_on_every_address_of_this_machine() -> None:
    with mock.patch.object(outbound, "_is_own", lambda ip: str(ip) == "192.168.1.5"):
        assert why_refused("192.168.1.5", settings.ENVIRONMENT.port, may_be_this_machine=True)
        assert not why_refused("192.168.1.6", settings.ENVIRONMENT.port, may_be_this_machine=False)
        assert not why_refused("192.168.1.5", 32400, may_be_this_machine=True)


def test_this_machine_has_more_addresses_than_loopback() -> None:
    with mock.patch.object(outbound, "_is_own", lambda ip: str(ip) == "192.168.1.5"):
        refused = why_refused("192.168.1.5", 32400, may_be_this_machine=False)
        assert "192.168.1.5 is this machine" in refused
        assert not why_refused("192.168.1.6", 32400, may_be_this_machine=False)


def test_a_refused_address_is_not_even_connected_to() -> None:
    """Whether a port is open shows in the connection alone: nobody may ask that."""
    with socket.create_server(("127.0.0.1", 0)) as listener, OutboundSession() as session:
        listener.settimeout(0.2)
        with pytest.raises(OutboundProblem, match="this machine") as caught:
            session.call("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        with pytest.raises(TimeoutError):
            listener.accept()

    assert caught.value.kind == "address"


def test_a_name_that_resolves_to_a_refused_address_is_refused() -> None:
    with (
        resolving("169.254.169.254"),
        OutboundSession() as session,
        pytest.raises(OutboundProblem, match="no address of a server") as caught,
    ):
        session.call("GET", "http://plex.example.org/latest/meta-data/")

    assert caught.value.kind == "address"


def test_of_a_names_addresses_only_those_that_may_be_called_are_tried() -> None:
    with (
        a_site(says(b"ok")) as site,
        OutboundSession(may_be_this_machine=True) as session,
        resolving("fe80::1", "127.0.0.1"),
    ):
        assert session.call("GET", f"http://nas.local:{site.port}/").body == b"ok"


def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    def found(_host: str, port: int, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (a, port)) for a in answers.pop(0)]

    with (
        a_site(says(b"ok")) as site,
        OutboundSession(may_be_this_machine=True) as session,
        mock.patch.object(socket, "getaddrinfo", found),
    ):
        session.call("GET", f"http://plex.example.org:{site.port}/")

    assert len(answers) == 1


def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    release = threading.Event()

    def found(*_args: Any, **_kwargs: Any) -> list[Any]:
        release.wait(30)
        return []

    with mock.patch.object(socket, "getaddrinfo", found), OutboundSession() as session:
        with pytest.raises(OutboundProblem, match="did not answer in time") as caught:
            session.call("GET", "http://plex.example.org/", connect_timeout_s=0.2)
        release.set()

    assert caught.value.kind == "timeout"


def test_redirects_are_not_followed() -> None:
    with (
        a_site(says(b"", 302, Location="http://169.254.169.254/")) as site,
        OutboundSession(may_be_this_machine=True) as session,
    ):
        assert session.call("GET", site.url).status == 302

    assert site.calls == ["/"]


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with a_site(says(b"ok")) as site, OutboundSession(may_be_this_machine=True) as session:
        assert session.call("GET", site.url).status == 200


def test_an_answer_larger_than_the_limit_is_cut_off() -> None:
    with (
        a_site(says(b"x" * 300_000)) as site,
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match="too much") as caught,
    ):
        session.call("GET", site.url, max_bytes=100_000)

    assert caught.value.kind == "too_large"


@pytest.mark.parametrize("answer", [drips, hangs])
def test_an_answer_that_takes_too_long_is_cut_off(answer: Callable[[Any], None]) -> None:
    with (
        a_site(answer) as site,
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match="did not answer in time") as caught,
    ):
        session.call("GET", site.url, timeout_s=0.4)

    assert caught.value.kind == "timeout"


def test_headers_that_drip_in_for_ever_are_cut_off() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        try:
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            return

    with (
        a_site(answer) as site,
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match="did not answer in time"),
    ):
        session.call("GET", site.url, timeout_s=0.4)


def test_a_session_goes_on_after_a_call_that_was_cut() -> None:
    is_slow = [True, False]

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        (hangs if is_slow.pop(0) else says(b"ok"))(handler)

    with a_site(answer) as site, OutboundSession(may_be_this_machine=True) as session:
        with pytest.raises(OutboundProblem):
            session.call("GET", site.url, timeout_s=0.3)
        assert session.call("GET", site.url, timeout_s=20).body == b"ok"


def test_what_listens_nowhere_is_a_problem_of_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match="refused") as caught,
    ):
        session.call("GET", f"http://127.0.0.1:{port}/")

    assert caught.value.kind == "network"


def test_a_connection_that_is_cut_in_the_middle_is_a_problem_of_the_network() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    with (
        a_site(answer) as site,
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match="connection was cut") as caught,
    ):
        session.call("GET", site.url)

    assert caught.value.kind == "network"


def test_no_error_names_a_secret() -> None:
    """Neither of the headers nor of the parameters nor of the path."""
    secrets: dict[str, Any] = {
        "headers": {"X-Plex-Token": SECRET},
        "params": {"X-Plex-Token": SECRET},
    }
    with a_site(drips) as site, OutboundSession(may_be_this_machine=True) as session:
        cases: list[tuple[str, dict[str, Any]]] = [
            (f"{site.url}/{SECRET}", {"timeout_s": 0.3}),
            (f"http://127.0.0.1:1/{SECRET}", {}),
            (f"http://{'a' * 64}.example/{SECRET}", {}),
        ]
        for url, limits in cases:
            with pytest.raises(OutboundProblem) as caught:
                session.call("GET", url, **secrets, **limits)
            assert SECRET not in caught.value.text
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "", "plex.local:32400", "ftp://plex.local", "file:///etc/passwd", "http://", "http://:32400",
        "http://user:pw@plex.local", "http://plex.local/?a=b", "http://plex.local/#x",
        "http://plex.local:0", "http://plex.local:99999", "http://[::1", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_server_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(OutboundProblem) as caught:
        check_url(url)
    assert caught.value.kind == "address"


def test_an_address_is_taken_without_its_last_slash() -> None:
    assert check_url(" https://plex.local:32400/ ") == "https://plex.local:32400"
    assert check_url("http://[fd12::5]:32400/plex/") == "http://[fd12::5]:32400/plex"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(key_pem + made.public_bytes(pem))
    return path


@contextmanager
def a_secure_site(answer: Callable[[Any], None], certificate: Path) -> Iterator[str]:
    with a_site(answer) as site:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
        site.server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        yield f"https://127.0.0.1:{site.port}/"


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(certificate: Path) -> None:
    with (
        a_secure_site(says(b"ok"), certificate) as url,
        OutboundSession(may_be_this_machine=True) as session,
        pytest.raises(OutboundProblem, match=r"certificate of 127\.0\.0\.1") as caught,
    ):
        session.call("GET", url)

    assert caught.value.kind == "network"


def test_https_is_guarded_and_bounded_like_http(certificate: Path) -> None:
    with (
        a_secure_site(drips, certificate) as url,
        OutboundSession() as stranger,
        OutboundSession(may_be_this_machine=True) as session,
    ):
        session._session.verify = str(certificate)
        with pytest.raises(OutboundProblem, match="this machine"):
            stranger.call("GET", url)
        with pytest.raises(OutboundProblem, match="did not answer in time"):
            session.call("GET", url, timeout_s=0.6)
