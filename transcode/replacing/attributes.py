"""S4 of the swap: mode, owner, extended attributes, ACL and times of the film for the new file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mediaflow.base.fs import fs
from transcode.outcomes import JobHeld

if TYPE_CHECKING:
    import os

GROUP_READ: Final = 0o040
OTHER_READ: Final = 0o004
KEEP: Final = -1  # for chown
# Security labels and capabilities belong to the new file's own place and program, not to a copy.
COPIED_PREFIXES: Final = ("user.", "system.posix_acl_access")


def keep_attributes(source: bytes, part: bytes, *, is_owner_needed: bool) -> list[str]:
    """Give `part` what `source` has now. Returns what was lost, as sentences for people.

    Raises OSError, and JobHeld when the owner cannot be kept and could no longer read the film
    (only where `is_owner_needed`).
    """
    stat = fs.lstat(source)
    losses = _keep_owner(stat, part, is_owner_needed)
    fs.chmod(part, stat.st_mode)
    losses += _keep_xattrs(source, part)
    try:
        fs.utime_ns(part, atime_ns=stat.st_atime_ns, mtime_ns=stat.st_mtime_ns)
    except PermissionError:
        losses.append("The time of the last change could not be kept.")
    if stat.st_mode & 0o7000:
        losses.append("The set-user-id, set-group-id or sticky bit was dropped.")
    return losses


def _keep_owner(stat: os.stat_result, part: bytes, is_owner_needed: bool) -> list[str]:
    made = fs.lstat(part)
    if (made.st_uid, made.st_gid) == (stat.st_uid, stat.st_gid):
        return []
    try:
        fs.chown(part, stat.st_uid, stat.st_gid)
        return []
    except PermissionError:
        pass
    is_group_kept = made.st_gid == stat.st_gid or _try_group(part, stat.st_gid)
    is_readable = (is_group_kept and stat.st_mode & GROUP_READ) or stat.st_mode & OTHER_READ
    if is_owner_needed and made.st_uid != stat.st_uid and not is_readable:
        raise JobHeld(
            "owner_not_kept",
            f"The new file would belong to user {made.st_uid} instead of {stat.st_uid}, who could"
            " no longer read it. Let MediaFlow run as that user or open the film to its group.",
        )
    losses = []
    if made.st_uid != stat.st_uid:
        losses.append(f"Owner {stat.st_uid} could not be kept; it is {made.st_uid} now.")
    if not is_group_kept:
        losses.append(f"Group {stat.st_gid} could not be kept; it is {made.st_gid} now.")
    return losses


def _try_group(part: bytes, gid: int) -> bool:
    try:
        fs.chown(part, KEEP, gid)
    except PermissionError:
        return False
    return True


def _keep_xattrs(source: bytes, part: bytes) -> list[str]:
    losses = []
    for name, value in sorted(fs.read_xattrs(source).items()):
        if not name.startswith(COPIED_PREFIXES):
            continue
        try:
            fs.write_xattr(part, name, value)
        except OSError as error:
            losses.append(f"Attribute {name} could not be kept: {error.strerror}.")
    return losses
