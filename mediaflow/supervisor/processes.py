"""Keeps a few programs running: restarts what crashes, with back-off; stops all together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger("mediaflow.supervisor")

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
STABLE_AFTER_S = 60.0  # a program that ran this long starts with the shortest wait again
POLL_S = 0.2
STOP_GRACE_S = 8.0  # then SIGKILL; all is over within ten seconds


@dataclass(slots=True)
class Program:
    """One supervised program and how it fares."""

    name: str
    argv: Sequence[str]
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait_s: float = BACKOFF_FIRST_S
    start_at: float = 0.0
    restarts: int = 0

    def start(self, now: float) -> None:
        """In a process group of its own, so that Ctrl-C reaches only the supervisor."""
        launcher = [sys.executable, "-m", "mediaflow.supervisor.child", str(os.getpid())]
        self.process = subprocess.Popen(
            [*launcher, *self.argv],
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self.started_at = now

    def schedule(self, now: float) -> None:
        """After a crash: when to try again."""
        if now - self.started_at >= STABLE_AFTER_S:
            self.wait_s = BACKOFF_FIRST_S
        self.process, self.start_at = None, now + self.wait_s
        self.wait_s = min(self.wait_s * 2, BACKOFF_MAX_S)
        self.restarts += 1


@dataclass(slots=True)
class Supervisor:
    """Runs programs until `stop` is called from a signal handler."""

    programs: list[Program]
    monotonic: Callable[[], float] = time.monotonic
    should_stop: bool = field(default=False, init=False)

    def stop(self, _number: int = 0, _frame: object = None) -> None:
        self.should_stop = True

    def run(self) -> None:
        """Returns after `stop`, when every program and its group has ended."""
        previous = {
            number: signal.signal(number, self.stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            while not self.should_stop:
                self._look_after(self.monotonic())
                time.sleep(POLL_S)
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _look_after(self, now: float) -> None:
        for program in self.programs:
            if program.process is None:
                if now >= program.start_at:
                    program.start(now)
            elif (code := program.process.poll()) is not None:
                program.schedule(now)
                wait_s = program.start_at - now
                log.error("%s ended with %s; starts again in %.0f s", program.name, code, wait_s)

    def _end_all(self) -> None:
        living = [p.process for p in self.programs if p.process is not None]
        for process in living:
            if process.poll() is None:
                process.terminate()
        deadline = self.monotonic() + STOP_GRACE_S
        for process in living:
            try:
                process.wait(max(0.0, deadline - self.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process %s did not stop in time and is killed", process.pid)
        for process in living:
            # The group outlives its leader when a grandchild hangs.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        for process in living:
            process.wait()
