"""Starts a supervised program so that it ends with its supervisor, however that one ends.

`python -m mediaflow.supervisor.child PARENT_PID PROGRAM ARG …` asks the kernel for SIGTERM at the
parent's death, makes sure that the parent still lives, and becomes the program (same process).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # It may have died before the call above: then nobody would ever tell us.
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
