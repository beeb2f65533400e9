"""What kind of file system a folder lies on. No Django."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOUNT_TABLE: Final = Path("/proc/self/mountinfo")
# Changes made by other machines send no inotify events here.
NETWORK_FILE_SYSTEMS: Final = frozenset(
    (
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs",
        "davfs", "virtiofs", "vboxsf", "prl_fs",
    )
)  # fmt: skip


def file_system_of(folder: bytes, *, table: bytes | None = None) -> str:
    """Type of the mount that holds `folder` ("ext4", "nfs4"); "" when it cannot be told."""
    try:
        raw = _MOUNT_TABLE.read_bytes() if table is None else table
    except OSError:
        return ""
    path = os.path.realpath(folder)
    best, found = b"", ""
    for line in raw.splitlines():
        # "36 35 98:0 /mnt1 /mount/point rw,noatime master:1 - ext3 /dev/root rw" (proc(5))
        before, separator, after = line.partition(b" - ")
        fields = before.split(b" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescape(fields[4])
        is_above = point == b"/" or path == point or path.startswith(point + b"/")
        if is_above and len(point) >= len(best):  # of equal ones the last is on top
            best, found = point, after.split(b" ")[0].decode("ascii", "replace")
    return found


def _unescape(point: bytes) -> bytes:
    for code, char in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        point = point.replace(code, char)
    return point


def sends_events(folder: bytes) -> bool:
    """Whether inotify can be relied on below `folder`. FUSE may show another machine's files."""
    kind = file_system_of(folder)
    is_fuse = kind == "fuse" or kind.startswith("fuse.")
    return bool(kind) and kind not in NETWORK_FILE_SYSTEMS and not is_fuse
