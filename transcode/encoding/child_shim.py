"""Stands between us and ffmpeg for a moment:
`python -I -S child_shim.py MODE PARENT NICE DISK CORES MEMORY_MIB -- …` (0: as it is).

It makes the child die with its parent, lowers its priority and becomes ffmpeg (same process id).
`exec` uses Linux's parent-death signal, which survives the exec. `watch` is for systems without it:
the shim stays, reads the inherited pipe on standard input, and kills its group when that ends.
Only the standard library, so that it starts in some 15 ms; nothing of it runs between fork and exec
of a threaded process, unlike `preexec_fn`.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
EXIT_PARENT_GONE = 113
EXIT_NOT_FOUND = 127


def die_with_parent(parent_pid: int) -> bool:
    """Ask the kernel to kill us when our parent's thread ends; False where it cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            return False
    except (ImportError, OSError, AttributeError):
        return False
    if os.getppid() != parent_pid:  # it ended before the call: nobody would send the signal
        os._exit(EXIT_PARENT_GONE)
    return True


def lower_priority(step: int) -> None:
    # The kernel derives the I/O priority from the niceness: 10 becomes best-effort level 6 of 7.
    try:
        os.nice(step)
    except OSError:
        pass


def lower_disk_priority(word: str) -> None:
    """`idle`: only when nobody else uses the disk; `normal`: not lowered by the niceness."""
    values = {"idle": 3 << 13, "normal": 2 << 13 | 4}  # class and level, linux/ioprio.h
    numbers = {"x86_64": 251, "aarch64": 30}  # of ioprio_set, which libc has no function for
    if word not in values or os.uname().machine not in numbers:
        return
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall(numbers[os.uname().machine], 1, 0, values[word])
    except (ImportError, OSError, AttributeError):
        pass


def keep_to_cores(count: int) -> None:
    """The first cores of those we may use; encoders count their threads by them."""
    if count <= 0 or not hasattr(os, "sched_setaffinity"):
        return
    usable = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, usable[:count])
    except OSError:
        pass


def limit_memory(mebibytes: int) -> None:
    """Of what it writes to (data, heap, private maps); files that it maps do not count."""
    if mebibytes <= 0:
        return
    import resource

    limit = mebibytes * 1024 * 1024
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def watch(argv: list[str]) -> int:
    """Run argv as a child; kill the whole group when standard input ends. Returns its exit code."""
    import subprocess  # only here: the usual way needs neither and starts faster without
    import threading

    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)

    def kill_at_end_of_input() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=kill_at_end_of_input, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return code if code >= 0 else 128 - code


def main(argv: list[str]) -> int:
    mode, parent_pid, nice_step, disk, cores, memory_mib, _separator, *command = argv
    lower_priority(int(nice_step))
    lower_disk_priority(disk)
    keep_to_cores(int(cores))
    limit_memory(int(memory_mib))
    try:
        if mode == "exec" and die_with_parent(int(parent_pid)):
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.execv(command[0], command)
        return watch(command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return EXIT_NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
