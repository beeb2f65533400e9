"""Named places where the fault harness stops the process as a power cut would.

`MEDIAFLOW_FAILPOINT=replace.linked` makes `reach("replace.linked")` kill the process with SIGKILL:
no `finally`, no buffers flushed. `name:3` dies the third time. Without the variable a call costs
one comparison. Every failpoint is declared, so that the harness can walk all of them.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DECLARED: dict[str, str] = {}


def declare(name: str, where: str) -> str:
    """Register a failpoint at import time; returns the name, to be given to `reach`."""
    DECLARED[name] = where
    return name


def reach(name: str) -> None:
    """Die here if the environment says so. Raises KeyError for a name that nobody declared."""
    if _on_reach is None:
        return
    DECLARED[name]
    _on_reach(name)


def watch(on_reach: Callable[[str], None] | None) -> None:
    """Call `on_reach` with the name of every failpoint from now on; None: no more."""
    global _on_reach
    _on_reach = on_reach


def killer(wanted: str) -> Callable[[str], None]:
    """What dies at `name`, or at its n-th time for `name:n`."""
    name, _, count = wanted.partition(":")
    left = int(count or "1")

    def on_reach(reached: str) -> None:
        nonlocal left
        if reached == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return on_reach


_wanted = os.environ.get("MEDIAFLOW_FAILPOINT", "")
_on_reach: Callable[[str], None] | None = killer(_wanted) if _wanted else None
