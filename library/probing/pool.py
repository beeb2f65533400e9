"""Worker processes that open films: one that crashes, hangs or eats memory costs only its film.

PDEATHSIG follows the *thread* that started a child: the thread that makes a pool must also use it.
"""

from __future__ import annotations

import json
import os
import pickle
import selectors
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from library.media_info import MediaInfo
from library.probing.probe import ProbeProblem, probe_file
from library.scanning.names import ParsedName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

PROBE_TIMEOUT_S = 60.0
PROBE_CPU_S = 60.0
PROBE_MEMORY_BYTES = 3 << 30
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_POLL_S = 0.2
_READ_BYTES = 1 << 16
_MAX_ANSWER_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to find out about one file (absolute path)."""

    path: bytes
    wants_probe: bool = True
    wants_fingerprint: bool = False
    name: str = ""  # to be parsed as a path below the library root, unless ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a worker found out: `info` or `problem` (neither when only the rest was asked for)."""

    path: bytes
    info: MediaInfo | None
    problem: ProbeProblem | None
    fingerprint: str = ""  # "" when it could not be read
    name: ParsedName | None = None  # None when the worker died


def default_worker_count() -> int:
    return max(1, min(8, os.cpu_count() or 1))


def _start_worker(
    mode: str, *, memory_bytes: int, cpu_s: float, may_write: bool = False
) -> subprocess.Popen[bytes]:
    """A limited child in a session of its own. It gets no secrets: only a few variables pass."""
    env = {name: value for name, value in os.environ.items() if _is_kept(name)}
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    arguments = [mode, str(os.getpid()), str(memory_bytes), str(cpu_s), "1" if may_write else "0"]
    return subprocess.Popen(
        [sys.executable, "-m", "library.probing.worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        start_new_session=True,
    )


def _is_kept(name: str) -> bool:
    return name in _KEPT_ENVIRONMENT or name.startswith("COV")


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    path: bytes | None = None  # being read now
    deadline: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)

    def end(self) -> None:
        """Kill and reap; never raises for a process that is gone."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # an unsent request of a dead child
                    pass
        self.process.wait()


class ProbePool:
    """Probes many files in parallel. Use as a context manager, from one thread.

    A worker that dies or is over time is replaced; its file is reported as crashed or timeout.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        timeout_s: float = PROBE_TIMEOUT_S,
        memory_bytes: int = PROBE_MEMORY_BYTES,
    ) -> None:
        self._count = workers or default_worker_count()
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._selector.close()

    def map(self, paths: Iterable[bytes]) -> Iterator[tuple[bytes, MediaInfo | ProbeProblem]]:
        """Probe every absolute path; answers come in the order in which they are ready."""
        for found in self.inspect(map(Request, paths)):
            yield found.path, found.info or found.problem or _crashed()

    def inspect(
        self, requests: Iterable[Request], *, checkpoint: Callable[[], None] | None = None
    ) -> Iterator[Inspection]:
        """Answers in the order in which they are ready.

        `checkpoint` is called several times a second; what it raises ends the iteration.
        """
        source = iter(requests)
        idle = deque(self._workers)
        is_open = True
        while True:
            while is_open and (idle or len(self._workers) < self._count):
                request = next(source, None)
                if request is None:
                    is_open = False
                    break
                worker = idle.popleft() if idle else self._new_worker()
                if not self._send(worker, request):
                    yield self._replace(worker, "crashed")
            if not any(worker.path is not None for worker in self._workers):
                return
            for ready, found in self._collect():
                if ready is not None:
                    idle.append(ready)
                yield found
            if checkpoint is not None:
                checkpoint()

    def _new_worker(self) -> _Worker:
        process = _start_worker("probes", memory_bytes=self._memory_bytes, cpu_s=PROBE_CPU_S)
        worker = _Worker(process)
        self._workers.append(worker)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _send(self, worker: _Worker, request: Request) -> bool:
        worker.path, worker.deadline = request.path, time.monotonic() + self._timeout_s
        line = {
            "path": os.fsdecode(request.path),
            "probe": request.wants_probe,
            "fingerprint": request.wants_fingerprint,
            "name": request.name,
        }
        try:
            assert worker.process.stdin is not None
            worker.process.stdin.write(json.dumps(line).encode() + b"\n")
            worker.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _collect(self) -> list[tuple[_Worker | None, Inspection]]:
        """Wait a moment; every answer, death and missed deadline since then."""
        found: list[tuple[_Worker | None, Inspection]] = []
        for key, _events in self._selector.select(_POLL_S):
            worker: _Worker = key.data
            chunk = os.read(key.fd, _READ_BYTES)
            worker.buffer += chunk
            if not chunk or len(worker.buffer) > _MAX_ANSWER_BYTES:
                found.append((None, self._replace(worker, "crashed")))
            elif worker.buffer.endswith(b"\n"):
                found.append((worker, _read_answer(worker)))
        now = time.monotonic()
        late = [w for w in self._workers if w.path is not None and now > w.deadline]
        found.extend((None, self._replace(worker, "timeout")) for worker in late)
        return found

    def _replace(self, worker: _Worker, kind: str) -> Inspection:
        """Drop a worker; the next file starts a fresh one."""
        path = worker.path or b""
        assert worker.process.stdout is not None
        self._selector.unregister(worker.process.stdout)
        self._workers.remove(worker)
        worker.end()
        problem = _crashed() if kind == "crashed" else _timed_out(self._timeout_s)
        return Inspection(path, None, problem)


def _read_answer(worker: _Worker) -> Inspection:
    path, worker.path = worker.path or b"", None
    answer = json.loads(bytes(worker.buffer))
    worker.buffer.clear()
    fingerprint = answer.get("fingerprint", "")
    name = ParsedName.from_json(answer["name"]) if "name" in answer else None
    if "info" in answer:
        return Inspection(path, MediaInfo.from_json(answer["info"]), None, fingerprint, name)
    problem = ProbeProblem(answer["kind"], answer["text"]) if "kind" in answer else None
    return Inspection(path, None, problem, fingerprint, name)


def _crashed() -> ProbeProblem:
    return ProbeProblem("crashed", "Reading it crashed the reader; it may be damaged or hostile.")


def _timed_out(timeout_s: float) -> ProbeProblem:
    return ProbeProblem("timeout", f"Reading it took longer than {timeout_s:g} seconds.")


def probe_in_worker(path: bytes, *, timeout_s: float = PROBE_TIMEOUT_S) -> MediaInfo:
    """`probe_file` in a process of its own. Raises ProbeProblem."""
    return run_guarded_worker(probe_file, path, timeout_s=timeout_s)


def run_guarded_worker(
    function: Callable[..., T],
    *args: Any,
    timeout_s: float = PROBE_TIMEOUT_S,
    memory_bytes: int = PROBE_MEMORY_BYTES,
    may_write: bool = False,
    checkpoint: Callable[[], None] | None = None,
) -> T:
    """Run a top-level function in a limited child process and return what it returns.

    Arguments and result are pickled; the function's module must not need Django. Raises what the
    function raises, ProbeProblem("crashed" or "timeout") when the child died or was too slow, and
    what `checkpoint` (called several times a second) raises; the child is gone in every case.
    """
    child = _start_worker("call", memory_bytes=memory_bytes, cpu_s=timeout_s, may_write=may_write)
    request: bytes | None = pickle.dumps((function.__module__, function.__qualname__, args))
    deadline = time.monotonic() + timeout_s
    raw: bytes | None = None
    try:
        while raw is None:
            try:
                raw, _ = child.communicate(request, timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                request = None  # communicate() goes on sending it by itself
                if time.monotonic() > deadline:
                    raise _timed_out(timeout_s) from None
                if checkpoint is not None:
                    since = time.monotonic()
                    checkpoint()
                    deadline += time.monotonic() - since  # a job that is paused is held there
    finally:
        child.kill()
        child.communicate()
    value: T = _unpack(raw)
    return value


def _unpack(raw: bytes) -> Any:
    if not raw:
        raise _crashed()
    try:
        is_value, outcome = pickle.loads(raw)
    except (pickle.UnpicklingError, EOFError):
        raise _crashed() from None
    if not is_value:
        raise outcome
    return outcome
