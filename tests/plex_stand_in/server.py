"""The HTTP side: threads, connections that stay open, faults, a log of all calls."""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.plex_stand_in.accounts import ACCOUNT_TOKEN, PlexTv
from tests.plex_stand_in.answers import Answer, problem
from tests.plex_stand_in.faults import Before, Fault, Seen
from tests.plex_stand_in.routes import answer
from tests.plex_stand_in.world import SERVER_TOKEN, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plex_stand_in.edits import Edit

_WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
          429: "Too Many Requests", 500: "Internal Server Error",
          503: "Service Unavailable"}  # fmt: skip


class PlexStandIn:
    """A running server. Also a context manager; `stop()` ends it."""

    token = SERVER_TOKEN
    account_token = ACCOUNT_TOKEN

    def __init__(self, *, port: int = 0, keeps_log: bool = True) -> None:
        self.world = World()
        self.tv = PlexTv()
        self.faults: list[Fault] = []
        self.befores: list[Before] = []
        self.requests: list[Seen] = []
        self.edits: list[Edit] = []
        self.scans: list[tuple[str, str]] = []  # (section key, path) of each scan asked for
        self.request_count = 0
        self._keeps_log = keeps_log
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.stand_in = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> PlexStandIn:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._http.cut_all()
        self._thread.join(10)

    def __enter__(self) -> PlexStandIn:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    # For tests

    def fail(self, match: str = "", **values: Any) -> Fault:
        """Add a fault (see `Fault`)."""
        fault = Fault(match, **values)
        self.faults.append(fault)
        return fault

    def before(self, match: str, do: Callable[[], object], nth: int = 1) -> None:
        """Run something just before the nth matching call is answered (items vanish, …)."""
        self.befores.append(Before(match, do, nth))

    def calls(self, match: str = "", method: str = "") -> list[Seen]:
        """What was asked for, by path and method."""
        return [s for s in self.requests if match in s.path and method in ("", s.method)]

    def wait_until_calm(self, timeout_s: float = 20) -> None:
        """Until no section is being scanned."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            with self.world.lock:
                if not any(section.refreshing for section in self.world.sections.values()):
                    return
            time.sleep(0.01)
        raise TimeoutError("a section of the stand-in is still being scanned")

    # One call

    def serve(self, seen: Seen) -> tuple[Answer, Fault | None]:
        call = f"{seen.method} {seen.path}?" + "&".join(f"{k}={v}" for k, v in seen.params)
        with self.world.lock:
            if not seen.path.startswith("/stand-in/"):
                self.request_count += 1
            if self._keeps_log:
                self.requests.append(seen)
            for before in self.befores:
                if before.is_now(call):
                    before.do()
            fault = next((fault for fault in self.faults if fault.hits(call)), None)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.status:
            made = problem(fault.status, _WORDS.get(fault.status, "Error"))
            if fault.retry_after:
                made.headers["Retry-After"] = fault.retry_after
            return made, fault
        if fault is not None and fault.garbage:
            return Answer(200, b"<html>a proxy's page</html>"), fault
        if fault is not None and fault.empty:
            return Answer(200, b"", "application/json"), fault
        return answer(self, seen), fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    stand_in: PlexStandIn

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_all(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; a mistake of the stand-in is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        seen = Seen(
            method=self.command,
            path=parts.path,
            params=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers=_Headers(self.headers.items()),
            body=self.rfile.read(length) if length else b"",
        )
        made, fault = self.server.stand_in.serve(seen)
        if fault is not None and fault.hang_up:
            self.close_connection = True
            return
        if fault is not None and fault.drip_s:
            self._drip(made, fault.drip_s)
        else:
            self._send(made, is_cut=bool(fault and fault.cut))

    def _drip(self, made: Answer, pause_s: float) -> None:
        """Until the client has enough of it."""
        connection, self.wfile = self.wfile, io.BytesIO()
        try:
            self._send(made, is_cut=False)
            whole = self.wfile.getvalue()
        finally:
            self.wfile = connection
        for byte in whole:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(pause_s)

    def _send(self, made: Answer, *, is_cut: bool) -> None:
        self.send_response(made.status)
        self.send_header("Content-Type", made.content_type)
        self.send_header("Content-Length", str(len(made.body)))
        self.send_header("X-Plex-Protocol", "1.0")
        for name, value in made.headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else made.body
        if is_cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_args: Any) -> None:
        pass


class _Headers(dict[str, str]):
    """Looked up in any case, as HTTP says."""

    def __init__(self, pairs: Any) -> None:
        super().__init__((name.lower(), value) for name, value in pairs)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())
