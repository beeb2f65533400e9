"""`source_snapshot` (trust.md S0): what a film's directory entry says, compared before a swap."""

from __future__ import annotations

import hashlib
import stat as stat_bits
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from mediaflow.base.fs import fs


class SourceChange(StrEnum):
    """How a film differs from its snapshot."""

    SAME = "same"
    CTIME_ONLY = "ctime_only"  # mode, owner, attributes or links: the bytes decide (SHA-256)
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    hard_link_count: int
    mode: int
    uid: int
    gid: int
    # Hex of SHA-256 over the content, "" until the reading pass is done (it must be before S6).
    sha256: str = ""
    # Of the film's file system, for one run only: device numbers change on a remount. 0: not known.
    device: int = 0
    xattrs_sha256: str = ""  # over names and values

    @property
    def is_regular(self) -> bool:
        """False for a symbolic link, a folder, a device."""
        return stat_bits.S_ISREG(self.mode)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> SourceSnapshot:
        """Inverse of `to_json`; unknown keys are ignored, so newer rows open in older code."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in raw.items() if name in known})


def take_source_snapshot(path: bytes) -> SourceSnapshot:
    """Stat and extended attributes, without following a link. Raises OSError."""
    found = fs.lstat(path)
    digest = hashlib.sha256()
    for name, value in sorted(fs.read_xattrs(path).items()):
        digest.update(name.encode() + b"\0" + value + b"\0")
    return SourceSnapshot(
        inode=found.st_ino,
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        hard_link_count=found.st_nlink,
        mode=found.st_mode,
        uid=found.st_uid,
        gid=found.st_gid,
        device=found.st_dev,
        xattrs_sha256=digest.hexdigest(),
    )


def compare_snapshots(before: SourceSnapshot, now: SourceSnapshot) -> SourceChange:
    """Stat fields only: whether the bytes are the same under CTIME_ONLY, the caller must hash."""
    if not now.is_regular or (before.inode, before.size_bytes, before.mtime_ns) != (
        now.inode,
        now.size_bytes,
        now.mtime_ns,
    ):
        return SourceChange.CHANGED
    if before.ctime_ns != now.ctime_ns or before.hard_link_count != now.hard_link_count:
        return SourceChange.CTIME_ONLY
    return SourceChange.SAME
