"""Is a fresh file complete, or is somebody still writing it? (fault 20). No Django.

A file changed within the settle window may be growing. It is taken early only when the kernel says
that nobody has it open for writing and nothing has touched it for QUIET_S: its times say so, or two
looks so far apart agree. Network file systems know no writers, there the window is waited out.
"""

from __future__ import annotations

import fcntl
import os
from typing import Final

QUIET_S: Final = 2.0  # between the two looks, and since the last change


def is_fresh(mtime_ns: int, *, now_s: float, settle_window_s: float) -> bool:
    """Changed within the window. A time in the future (a wrong clock) counts as fresh, too, for as
    long as it is no more than one window ahead."""
    age_s = now_s - mtime_ns / 1e9
    return -settle_window_s < age_s < settle_window_s


def is_long_quiet(path: bytes, *, size_bytes: int, mtime_ns: int, now_s: float) -> bool:
    """Like `is_complete`, at the first look: the last change of any kind is QUIET_S ago.

    The time of the last status change cannot be set by a copying tool, the other one can.
    """
    try:
        changed_s = os.stat(path).st_ctime  # noqa: PTH116  # bytes
    except OSError:
        return False
    return now_s - changed_s >= QUIET_S and is_complete(
        path, size_bytes=size_bytes, mtime_ns=mtime_ns, now_s=now_s
    )


def is_complete(path: bytes, *, size_bytes: int, mtime_ns: int, now_s: float) -> bool:
    """Second look at a fresh file, at least QUIET_S after the first, which saw size and mtime.

    False when in doubt. Never raises.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        is_same = (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns)
        is_quiet = abs(now_s - mtime_ns / 1e9) >= QUIET_S
        return is_same and is_quiet and not _is_open_for_writing(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _is_open_for_writing(descriptor: int) -> bool:
    """Ask for a read lease: the kernel grants it only when no writer has the file open (fcntl(2)).

    True also where leases do not work (NFS, SMB) or are not allowed (somebody else's file).
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return True
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
