"""Guarded workers (`library.probing.worker`) that are forked from a process with PyAV loaded.

A ladder starts six to ten of them, and starting Python and PyAV anew is most of what each costs.
A forked one has the same limits, its own session and environment, and the same two pipes; it is
killed when whoever asked for it ends. `tests/library/test_probe_pool.py` tries the real start.
This file is also the program of that process; it must not need Django.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

PROJECT_ROOT = Path(__file__).resolve().parents[1]
ADDRESS_VARIABLE = "TEST_WARM_WORKERS"
MODULES = (
    "av", "guessit", "library.probing.probe", "library.scanning.identity",
    "library.scanning.names", "transcode.chunks.reading", "transcode.planning.film_timing",
    "transcode.planning.hdr10_plus", "transcode.planning.packet_index",
)  # fmt: skip
MESSAGE_BYTES = 1 << 16
KILL = b"kill"


class WarmWorker:
    """As much of `subprocess.Popen` as `library.probing.pool` uses."""

    def __init__(self, address: str, arguments: list[str], env: dict[str, str]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server.connect(address)
        request = json.dumps({"arguments": arguments, "env": env, "cwd": str(Path.cwd())})
        socket.send_fds(self._server, [request.encode()], [theirs_in, theirs_out])
        os.close(theirs_in)
        os.close(theirs_out)
        self.stdin: IO[bytes] = os.fdopen(ours_in, "wb")
        self.stdout: IO[bytes] = os.fdopen(ours_out, "rb", buffering=0)
        self.args = arguments
        self.pid = int(self._server.recv(32))
        self.returncode: int | None = None
        self._said = bytearray()

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._server.send(KILL)

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                self.returncode = os.waitstatus_to_exitcode(int(self._server.recv(32)))
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._server.close()
        return self.returncode

    def communicate(
        self, request: bytes | None = None, timeout: float | None = None
    ) -> tuple[bytes, None]:
        """A second call after TimeoutExpired goes on reading."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(request or b"")
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
        while not self.stdout.closed:
            self._wait_for_output(deadline, timeout)
            chunk = self.stdout.read(MESSAGE_BYTES)
            self._said += chunk
            if not chunk:
                self.stdout.close()
        self.wait(None if deadline is None else max(0.001, deadline - time.monotonic()))
        return bytes(self._said), None

    def _wait_for_output(self, deadline: float | None, timeout: float | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.stdout, selectors.EVENT_READ)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not selector.select(left):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)


def offer_workers() -> contextlib.ExitStack:
    """Start the process and name it in the environment; closing what is returned ends it."""
    ending = contextlib.ExitStack()
    folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="mf-warm-"))
    address = str(Path(folder) / "socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(256)
    theirs, ours = socket.socketpair()
    with listener, theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno()), str(theirs.fileno())],
            pass_fds=(listener.fileno(), theirs.fileno()),
            cwd=PROJECT_ROOT,
        )
    ending.callback(process.wait, timeout=60)
    ending.callback(ours.close)
    os.environ[ADDRESS_VARIABLE] = address
    ending.callback(os.environ.pop, ADDRESS_VARIABLE, None)
    return ending


def take_offered_workers() -> None:
    """From now on `library.probing.pool` uses what `offer_workers` offers, where that was done."""
    from library.probing import pool

    start_cold, is_kept = pool._start_worker, pool._is_kept

    def start(
        mode: str, *, memory_bytes: int, cpu_s: float, may_write: bool = False
    ) -> subprocess.Popen[bytes] | WarmWorker:
        address = os.environ.get(ADDRESS_VARIABLE)
        if not address:
            return start_cold(mode, memory_bytes=memory_bytes, cpu_s=cpu_s, may_write=may_write)
        arguments = [mode, "0", str(memory_bytes), str(cpu_s), "1" if may_write else "0"]
        env = {name: value for name, value in os.environ.items() if is_kept(name)}
        return WarmWorker(address, arguments, env)

    setattr(pool, "_start_worker", start)  # noqa: B010  # of another type


class Forker:
    """The loop of the process: a child for each connection."""

    def __init__(self, listener: socket.socket, parent: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._fork)
        self._selector.register(parent, selectors.EVENT_READ, self._end)
        self._requests: list[dict[str, Any]] = []
        self._has_ended = False
        self._pids: set[int] = set()

    def serve(self) -> dict[str, Any] | None:
        """The request in a child, None in the parent at the end."""
        while not self._has_ended:
            for key, _events in self._selector.select():
                # Not gone by one before it, whose closing also took its number away.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
                if self._requests:
                    return self._requests[0]
        return None

    def _end(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        self._has_ended = True

    def _fork(self) -> None:
        client, _address = self._listener.accept()
        raw, fds, _flags, _address = socket.recv_fds(client, MESSAGE_BYTES, 2)
        if not raw:
            client.close()
            return
        pid = os.fork()
        if pid == 0:
            self._requests.append({**json.loads(raw), "fds": fds})
            return
        for fd in fds:
            os.close(fd)
        self._pids.add(pid)
        client.send(str(pid).encode())
        pidfd = os.pidfd_open(pid)
        self._selector.register(client, selectors.EVENT_READ, lambda: self._listen(client, pid))
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._reap(client, pid, pidfd))

    def _listen(self, client: socket.socket, pid: int) -> None:
        """Asked to kill it, or left alone by a client that has ended."""
        try:
            said = client.recv(16)
        except ConnectionResetError:
            said = b""
        if pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        if not said:
            self._selector.unregister(client)

    def _reap(self, client: socket.socket, pid: int, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        self._pids.discard(pid)
        _pid, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            client.send(str(status).encode())
        with contextlib.suppress(KeyError):
            self._selector.unregister(client)
        client.close()


def be_a_worker(request: dict[str, Any]) -> None:
    """Become what `python -m library.probing.worker` would be, and do its work."""
    from library.probing import worker

    os.setsid()
    os.chdir(request["cwd"])
    nothing = os.open(os.devnull, os.O_WRONLY)
    for wanted, given in enumerate((*request["fds"], nothing)):
        os.dup2(given, wanted)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(request["env"])
    mode, _parent, *rest = request["arguments"]
    sys.argv = ["worker", mode, str(os.getppid()), *rest]
    worker.main()


def main() -> None:
    sys.path[0] = str(PROJECT_ROOT)  # was tests/, the folder of this program
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("library.scanning.names").parse_name("A (2001)/A.mkv")  # its rules
    gc.freeze()
    listener, parent = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:3])
    forker = Forker(listener, parent)  # kept: what it closes at its end has other uses in a child
    request = forker.serve()
    if request is None:
        return
    code = 1
    try:
        be_a_worker(request)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
