"""The child process in which films are opened. Started by `library.probing.pool`; no Django here.

Whatever a hostile film does, it does it in here: bounded memory, time and files, no secrets in the
environment, and nothing outlives the parent.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pickle
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_NICENESS = 5
_OPEN_FILES = 256


def limit_this_process(*, parent_pid: int, memory_bytes: int, may_write: bool) -> None:
    """Die with the parent; bound memory; no core dumps; no writing unless the task is to write."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before prctl ran
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not may_write:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    os.nice(max(0, _NICENESS - os.nice(0)))


def allow_cpu_seconds(seconds: float) -> None:
    """From now on this much processor time, then SIGXCPU ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def private_output() -> BinaryIO:
    """The pipe to the parent, out of reach of libraries that print to standard output."""
    channel = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(channel, "wb")


def serve_probes(cpu_s: float) -> None:
    """Answer one line of JSON per line of JSON until the parent closes the pipe."""
    from library.probing.probe import ProbeProblem, probe_file  # PyAV is loaded under the limits
    from library.scanning.names import parse_name

    answers = private_output()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        path = os.fsencode(request["path"])
        allow_cpu_seconds(cpu_s)
        answer: dict[str, Any] = {}
        try:
            if request["probe"]:
                answer["info"] = probe_file(path).to_json()
        except ProbeProblem as problem:
            answer = {"kind": problem.kind, "text": problem.text}
        except Exception as error:  # noqa: BLE001  # process edge: the parent records it
            answer = {"kind": "crashed", "text": f"Reading it failed ({type(error).__name__})."}
        if request["fingerprint"]:
            answer["fingerprint"] = _fingerprint(path)
        if request["name"]:
            answer["name"] = parse_name(request["name"]).to_json()
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _fingerprint(path: bytes) -> str:
    from library.scanning.identity import content_fingerprint

    try:
        return content_fingerprint(path)
    except OSError:
        return ""


def serve_one_call(cpu_s: float) -> None:
    """Run the pickled call from standard input; answer (True, value) or (False, exception)."""
    answers = private_output()
    module, name, args = pickle.load(sys.stdin.buffer)
    allow_cpu_seconds(cpu_s)
    outcome: tuple[bool, Any]
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        outcome = (True, function(*args))
    except Exception as error:  # noqa: BLE001  # process edge: the parent raises it again
        outcome = (False, error)
    try:
        raw = pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
        pickle.loads(raw)  # exceptions may pickle and not unpickle
    except Exception as error:  # noqa: BLE001  # process edge
        raw = pickle.dumps((False, RuntimeError(f"no answer: {outcome[1]!r} ({error!r})")))
    answers.write(raw)
    answers.flush()
    os._exit(0)  # at once: libraries' own clean-up may hang after hostile input


def main() -> None:
    """`python -m library.probing.worker MODE PARENT_PID MEMORY_BYTES CPU_S MAY_WRITE`."""
    mode, parent_pid, memory_bytes, cpu_s, may_write = sys.argv[1:6]
    limit_this_process(
        parent_pid=int(parent_pid), memory_bytes=int(memory_bytes), may_write=may_write == "1"
    )
    serve = {"probes": serve_probes, "call": serve_one_call}[mode]
    serve(float(cpu_s))


if __name__ == "__main__":
    main()
