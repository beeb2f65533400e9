"""Children that notice our end: each inherits the reading end of a pipe that we hold open.

The kernel closes our end however we end; the child reads end-of-file and hands its work
back. (PR_SET_PDEATHSIG would follow the *thread* that started the child, and would not let a child
finish a swap.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaflow.base.env import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(slots=True)
class Child:
    process: subprocess.Popen[bytes]
    pipe: int | None  # our writing end; None once closed

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def say_goodbye(self) -> None:
        """Close the pipe: the child stops what it does and hands it back."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def send(self, line: str) -> bool:
        """Write one line to the pipe. False when the child has ended."""
        if self.pipe is None:
            return False
        try:
            os.write(self.pipe, line.encode() + b"\n")
        except OSError:
            return False
        return True


def start_command(
    args: Sequence[str], *, env: Mapping[str, str] | None = None, log_file: Path | None = None
) -> Child:
    """Start `manage.py args… --parent-fd N` in a session of its own (Ctrl-C reaches only us)."""
    command = [sys.executable, str(PROJECT_ROOT / "manage.py"), *args]
    with log_file.open("ab") if log_file else nullcontext() as output:
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [*command, "--parent-fd", str(reading)],
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.DEVNULL,
                stderr=output,
                env={**os.environ, **(env or {})},
                pass_fds=(reading,),
                start_new_session=True,
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
    return Child(process, writing)


def say_goodbye(children: Sequence[Child], *, patience_s: float) -> None:
    """Close every pipe and wait for the children to hand back what they have."""
    for child in children:
        child.say_goodbye()
    _wait(children, patience_s)


def force_end(children: Sequence[Child]) -> None:
    """TERM, then KILL, those that are still there. Returns when all are gone."""
    for number, wait_s in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)):
        for child in children:
            if not child.has_ended:
                child.process.send_signal(number)
        _wait(children, wait_s)


def _wait(children: Sequence[Child], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(not c.has_ended for c in children) and time.monotonic() < deadline:
        time.sleep(0.05)
