"""Runs one ffmpeg as a child that cannot outlive us, cannot block and can always be stopped.

Own process group; killed by the kernel when the starting *thread* ends, so the caller's thread
waits here until the child is gone. Standard error is read by a thread into a bounded record.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from transcode.encoding import child_shim
from transcode.encoding.ffmpeg import child_environment
from transcode.encoding.progress import FfmpegProgress, ProgressParser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A runner has 5 s to hand back after its consumer's end; x265 may want longer to flush its queue,
# and what it would write is thrown away.
TERMINATE_GRACE_S = 2.0
TICK_S = 0.2
STDERR_HEAD_LINES = 200
STDERR_TAIL_LINES = 300
STDERR_LINE_CHARS = 1000
LOG_LINES_PER_TICK = 50


@dataclass(frozen=True, slots=True)
class FfmpegResult:
    """How it ended. `stderr_lines`: the first 200 and last 300, of at most 1000 characters."""

    argv: tuple[str, ...]
    return_code: int  # negative: ended by that signal
    stderr_lines: tuple[str, ...]
    saw_end: bool  # `progress=end` was printed
    seconds: float
    last_progress: FfmpegProgress | None
    is_stalled: bool = False  # no growth for the stall time: we ended it
    omitted_lines: int = 0  # of standard error, between head and tail

    @property
    def is_ok(self) -> bool:
        return self.return_code == 0 and self.saw_end and not self.is_stalled


def run_ffmpeg(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    on_progress: Callable[[FfmpegProgress], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
    log: Callable[[str], None] | None = None,
    stall_timeout_s: float = 600,
) -> FfmpegResult:
    """Run argv to its end. Call it from the thread that stays alive until it returns.

    Whatever `checkpoint` or `on_progress` raises ends the child (TERM, TERMINATE_GRACE_S, KILL to
    its group) and is raised again when the whole group is gone. Raises FileNotFoundError when `cwd`
    is not there.
    """
    started = time.monotonic()
    child = _start(argv, cwd)
    _groups.add(child.pid)
    reader = _OutputReader(child)
    is_stalled = False
    try:
        is_stalled = _follow(child, reader, on_progress, checkpoint, log, stall_timeout_s)
    finally:
        _end_group(child)
        reader.finish()
        _pass_on(reader, on_progress=None, log=log, limit=None)
    return FfmpegResult(
        argv=tuple(argv),
        return_code=child.returncode,
        stderr_lines=reader.record.lines(),
        saw_end=reader.saw_end,
        seconds=time.monotonic() - started,
        last_progress=reader.last_progress,
        is_stalled=is_stalled,
        omitted_lines=reader.record.omitted,
    )


class _Groups:
    """The process groups that run now; while they are frozen, new ones stop as they begin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pids: set[int] = set()
        self.is_frozen = False

    def add(self, pid: int) -> None:
        with self._lock:
            self._pids.add(pid)
            if self.is_frozen:
                _signal_group(pid, signal.SIGSTOP)

    def discard(self, pid: int) -> None:
        """Before it is reaped: afterwards its number may be somebody else's."""
        with self._lock:
            self._pids.discard(pid)

    def set_frozen(self, is_frozen: bool) -> None:
        with self._lock:
            self.is_frozen = is_frozen
            for pid in self._pids:
                _signal_group(pid, signal.SIGSTOP if is_frozen else signal.SIGCONT)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


_groups = _Groups()


def freeze_children() -> None:
    """Every ffmpeg of this process stands still and keeps its memory, until `thaw_children`."""
    _groups.set_frozen(True)


def thaw_children() -> None:
    _groups.set_frozen(False)


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """How much of the machine one ffmpeg may take; 0 is no limit."""

    nice_step: int = 10
    disk_priority: str = "low"  # what the niceness gives; idle, normal
    cores: int = 0
    memory_mib: int = 0

    def as_arguments(self) -> tuple[str, ...]:
        return str(self.nice_step), self.disk_priority, str(self.cores), str(self.memory_mib)


_limits = ChildLimits()


def set_child_limits(limits: ChildLimits) -> None:
    """For every ffmpeg that this process starts from now on."""
    global _limits
    _limits = limits


def _start(argv: Sequence[str], cwd: Path | None) -> subprocess.Popen[bytes]:
    mode = "exec" if sys.platform.startswith("linux") else "watch"
    shim = [sys.executable, "-I", "-S", child_shim.__file__, mode, str(os.getpid())]
    return subprocess.Popen(
        [*shim, *_limits.as_arguments(), "--", *argv],
        stdin=subprocess.PIPE,  # never written; its end tells a watching shim that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=child_environment(),
        process_group=0,
    )


def _follow(
    child: subprocess.Popen[bytes],
    reader: _OutputReader,
    on_progress: Callable[[FfmpegProgress], None] | None,
    checkpoint: Callable[[], None] | None,
    log: Callable[[str], None] | None,
    stall_timeout_s: float,
) -> bool:
    """Wait for the end; True when it had to be given up because nothing grew any more."""
    watch = _StallWatch(child.pid, stall_timeout_s)
    while not _has_ended(child):
        reader.wait(TICK_S)
        held_up_s = _held_up_s(checkpoint)
        if _groups.is_frozen or held_up_s > TICK_S:
            watch.begin_anew()  # it stands still, or stood, as it was told to
        _pass_on(reader, on_progress, log, LOG_LINES_PER_TICK)
        if watch.is_stalled(reader):
            return True
    # Reading goes on after the end: the pipes may still hold the last block.
    reader.finish()
    _pass_on(reader, on_progress, log, None)
    return False


def _held_up_s(checkpoint: Callable[[], None] | None) -> float:
    """A job that is paused is held there, and nobody watched meanwhile."""
    since = time.monotonic()
    if checkpoint is not None:
        checkpoint()
    return time.monotonic() - since


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Without reaping: while the leader is a zombie its group id cannot be given to anyone else."""
    state = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return state is not None


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """TERM, wait, KILL; returns when the leader is reaped and the group was killed."""
    _groups.discard(child.pid)
    if not _has_ended(child):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
            os.killpg(child.pid, signal.SIGCONT)  # a stopped process does not see TERM
        deadline = time.monotonic() + TERMINATE_GRACE_S
        while not _has_ended(child) and time.monotonic() < deadline:
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert child.stdin is not None
    child.stdin.close()


def _pass_on(
    reader: _OutputReader,
    on_progress: Callable[[FfmpegProgress], None] | None,
    log: Callable[[str], None] | None,
    limit: int | None,
) -> None:
    """Hand new lines and the newest progress to the caller, on the caller's thread."""
    lines, left_out = reader.take_lines(limit)
    if log is not None:
        for line in lines:
            log(line)
        if left_out:
            log(f"({left_out} more lines left out)")
    progress = reader.take_progress()
    if progress is not None and on_progress is not None:
        on_progress(progress)


class _LineRecord:
    """The first and the last lines of something that may be endless."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self.omitted = 0

    def add(self, line: str) -> None:
        if len(self._head) < STDERR_HEAD_LINES:
            self._head.append(line)
            return
        self.omitted += len(self._tail) == STDERR_TAIL_LINES
        self._tail.append(line)

    def lines(self) -> tuple[str, ...]:
        return (*self._head, *self._tail)


class _OutputReader:
    """Reads both pipes to their end in two threads, whatever the caller does meanwhile."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.record = _LineRecord()
        self.last_progress: FfmpegProgress | None = None
        self.saw_end = False
        self.moves = 0  # grows with each progress block that differs and each stderr line
        self._fresh: FfmpegProgress | None = None
        self._lines: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self._left_out = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        assert child.stdout is not None
        assert child.stderr is not None
        self._threads = [
            threading.Thread(target=self._read_progress, args=(child.stdout,), daemon=True),
            threading.Thread(target=self._read_stderr, args=(child.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def finish(self) -> None:
        """The pipes end with the group; a stray holder of them is not waited for."""
        for thread in self._threads:
            thread.join(timeout=5)

    def take_lines(self, limit: int | None) -> tuple[list[str], int]:
        with self._lock:
            count = len(self._lines) if limit is None else min(limit, len(self._lines))
            taken = [self._lines.popleft() for _ in range(count)]
            left_out, self._left_out = self._left_out, 0
        return taken, left_out

    def take_progress(self) -> FfmpegProgress | None:
        with self._lock:
            fresh, self._fresh = self._fresh, None
        return fresh

    def _read_progress(self, pipe: IO[bytes]) -> None:
        parser = ProgressParser()
        for line in _LineIterator(pipe):
            block = parser.feed(line)
            if block is None:
                continue
            with self._lock:
                self.moves += block != self.last_progress
                self.last_progress = self._fresh = block
                self.saw_end = self.saw_end or block.is_end
        self._wake.set()

    def _read_stderr(self, pipe: IO[bytes]) -> None:
        for line in _LineIterator(pipe):
            with self._lock:
                self.record.add(line)
                self._left_out += len(self._lines) == STDERR_TAIL_LINES
                self._lines.append(line)
                self.moves += 1
        self._wake.set()


class _LineIterator:
    """Lines of a pipe; `\\r` ends one too, empty ones are left out, long ones are cut."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._rest = b""
        self._ready: deque[str] = deque()

    def __iter__(self) -> _LineIterator:
        return self

    def __next__(self) -> str:
        while not self._ready:
            chunk = os.read(self._pipe.fileno(), 65536)
            if not chunk:
                rest, self._rest = self._rest, b""
                if not rest.strip():
                    self._pipe.close()
                    raise StopIteration
                return _text(rest)
            *lines, rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
            # A line without an end must not fill the memory: what lies beyond the cut is dropped.
            self._rest = rest[: 8 * STDERR_LINE_CHARS]
            self._ready.extend(_text(line) for line in lines if line.strip())
        return self._ready.popleft()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip()[:STDERR_LINE_CHARS]


class _StallWatch:
    """Says when nothing moved for too long: neither progress, nor messages, nor disk traffic.

    Disk traffic counts because `+faststart` rewrites the whole file after the last frame.
    """

    def __init__(self, pid: int, timeout_s: float) -> None:
        self._pid = pid
        self._timeout_s = timeout_s
        self._seen: tuple[int, str] = (-1, "")
        self._since = time.monotonic()  # does not run while the machine sleeps

    def begin_anew(self) -> None:
        self._since = time.monotonic()

    def is_stalled(self, reader: _OutputReader) -> bool:
        now = time.monotonic()
        if reader.moves != self._seen[0]:
            self._seen, self._since = (reader.moves, self._seen[1]), now
            return False
        if now - self._since < self._timeout_s:
            return False
        traffic = self._disk_traffic()
        if traffic != self._seen[1]:
            self._seen, self._since = (reader.moves, traffic), now
            return False
        return True

    def _disk_traffic(self) -> str:
        try:
            text = Path(f"/proc/{self._pid}/io").read_text(encoding="ascii")
        except OSError:
            return ""
        return "".join(line for line in text.splitlines() if "e_bytes" in line or "d_bytes" in line)
