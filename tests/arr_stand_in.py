"""A stand-in for Sonarr and Radarr: the calls that MediaFlow makes, over real HTTP."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

API_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class ArrStandIn:
    """`fails_with`: the status of every answer; `is_html`: as a login page of a proxy answers."""

    kind: str = "radarr"
    roots: list[str] = field(default_factory=lambda: ["/movies"])
    titles: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    fails_with: int = 0
    is_html: bool = False
    url: str = ""

    def answer(self, method: str, path: str, key: str, body: bytes) -> tuple[int, Any]:
        self.paths.append(f"{method} {path}")
        if self.fails_with:
            return self.fails_with, {"error": "on purpose"}
        if key != API_KEY:
            return 401, {"error": "Unauthorized"}
        titles = "series" if self.kind == "sonarr" else "movie"
        match method, path:
            case "GET", "/api/v3/system/status":
                return 200, {"appName": self.kind.title(), "version": "5.14.0.9383"}
            case "GET", "/api/v3/rootfolder":
                return 200, [{"id": 1, "path": root} for root in self.roots]
            case "GET", _ if path == f"/api/v3/{titles}":
                return 200, self.titles
            case "GET", _ if path.startswith(f"/api/v3/{titles}/"):
                asked = path.rpartition("/")[2]
                found = next((one for one in self.titles if str(one["id"]) == asked), None)
                return (200, found) if found else (404, {"message": "NotFound"})
            case "POST", "/api/v3/command":
                self.commands.append(json.loads(body))
                return 201, {"id": len(self.commands), "status": "queued"}
        return 404, {"message": "NotFound"}


@contextmanager
def arr_stand_in(**values: Any) -> Iterator[ArrStandIn]:
    """Runs until the block ends."""
    stand_in = ArrStandIn(**values)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            key = self.headers.get("X-Api-Key", "")
            status, found = stand_in.answer(self.command, self.path, key, self.rfile.read(length))
            body = b"<html>sign in</html>" if stand_in.is_html else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
