"""The stand-in in a process of its own, for `make demo` and the benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class RunningStandIn:
    url: str
    token: str
    account_token: str

    @property
    def request_count(self) -> int:
        """Calls so far."""
        with urllib.request.urlopen(f"{self.url}/stand-in/stats", timeout=10) as reply:
            return int(json.load(reply)["requests"])


@contextmanager
def stand_in_process(*args: str) -> Iterator[RunningStandIn]:
    """Start `python -m tests.plex_stand_in ARGS`; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.plex_stand_in", *args],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield RunningStandIn(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
