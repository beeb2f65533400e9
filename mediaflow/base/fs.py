"""Every call of ours on a user's tree goes through `fs`, the one object of this module.

Paths are bytes. No call follows a symbolic link in the last component, none overwrites a name that
we did not create, and every one can be watched: the fault harness makes the N-th call fail or
records all of them for a replayed power loss (`fs.watcher`).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat as stat_bits
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mediaflow.base.failpoints import declare, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLAIMED = declare("fs.claimed", "an empty file of ours holds the name that is to be given")
LINKED = declare("fs.linked", "the file has both names of a rename")
COPY_CHUNK_BYTES = 4 * 1024 * 1024
HASH_CHUNK_BYTES = 1024 * 1024
NAME_MAX_BYTES = 255  # of one name; ext4, xfs, btrfs, NTFS (in UTF-16 units) and most others
PERMISSION_BITS = 0o777  # never setuid, setgid or sticky
RENAME_NOREPLACE = 1  # linux/fs.h
RENAME_EXCHANGE = 2
AT_FDCWD = -100
# What file systems answer when they cannot do a thing at all (vfat: EPERM for link, EINVAL for
# flags of renameat2).
UNSUPPORTED = frozenset(
    {
        errno.ENOSYS,
        errno.EINVAL,
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
        errno.EPERM,
        errno.EMLINK,
        errno.ENOTTY,
    }
)

_libc = ctypes.CDLL(None, use_errno=True)


class NotOurs(Exception):
    """The name holds something that we did not put there; nothing was touched."""


@dataclass(frozen=True, slots=True)
class FsCall:
    """One call, as the watcher sees it before and after its effect."""

    name: str
    path: bytes
    other: bytes = b""  # the second path of link and the renames
    data: bytes = b""  # of write


class Watcher(Protocol):
    def before(self, call: FsCall) -> None: ...

    def after(self, call: FsCall) -> None: ...


@dataclass(frozen=True, slots=True)
class FileDigest:
    """SHA-256 of a file's bytes (hex) and what stat said about the very file that was read."""

    sha256: str
    stat: os.stat_result


def parent_of(path: bytes) -> bytes:
    """The folder of an absolute path."""
    return path.rpartition(b"/")[0] or b"/"


def name_of(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def join(folder: bytes, *names: bytes) -> bytes:
    return b"/".join([folder.rstrip(b"/"), *names])


def is_unsupported(error: OSError) -> bool:
    """True when the file system cannot do this kind of call at all."""
    return error.errno in UNSUPPORTED


class FileSystem:
    """The calls. All raise OSError; what else one raises stands in its docstring."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None

    @contextmanager
    def _call(
        self, name: str, path: bytes, other: bytes = b"", data: bytes = b""
    ) -> Iterator[None]:
        if self.watcher is None:
            yield
            return
        call = FsCall(name, path, other, data)
        self.watcher.before(call)
        yield
        self.watcher.after(call)

    # Looking

    def lstat(self, path: bytes) -> os.stat_result:
        with self._call("lstat", path):
            return os.lstat(path)

    def lstat_or_none(self, path: bytes) -> os.stat_result | None:
        """None when nothing has this name."""
        try:
            return self.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stat_folder(self, path: bytes) -> os.stat_result:
        """Follows links: the folder itself. Raises NotADirectoryError when it is none."""
        with self._call("stat_folder", path):
            found = os.stat(path)
        if not stat_bits.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return found

    def resolve(self, path: bytes) -> bytes:
        """The path without any symbolic link in it. Raises OSError when a part is missing."""
        with self._call("resolve", path):
            return os.path.realpath(path, strict=True)

    def free_bytes(self, folder: bytes) -> int:
        """Bytes that this process may still write there."""
        with self._call("free_bytes", folder):
            found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def sha256(self, path: bytes, *, tick: Callable[[], None] | None = None) -> FileDigest:
        """Hash the bytes as they lie on the disk: the page cache is dropped first (after a fsync).

        `tick` is called per chunk and may raise. Raises OSError(ELOOP) for a symbolic link and
        OSError(EINVAL) for anything but a regular file.
        """
        with self._call("sha256", path):
            descriptor = os.open(
                path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            )
            try:
                return _hash_descriptor(descriptor, path, tick)
            finally:
                os.close(descriptor)

    def read_small(self, path: bytes, *, limit: int = 65536) -> bytes:
        """At most `limit` bytes of a small regular file."""
        with self._call("read_small", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.read(descriptor, limit)
            finally:
                os.close(descriptor)

    # Making

    def copy(
        self, source: bytes, target: bytes, *, tick: Callable[[], None] | None = None
    ) -> os.stat_result:
        """Copy bytes into a new file, fsync it and drop it from the page cache.

        Raises FileExistsError when the target's name is taken. After any other error the unfinished
        target is left for the caller, who knows its journal.
        """
        reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            writer = self._open_exclusive(target, 0o600)
            try:
                while chunk := os.read(reader, COPY_CHUNK_BYTES):
                    self._write_all(writer, target, chunk)
                    if tick is not None:
                        tick()
                self._fsync(writer, target)
                os.posix_fadvise(writer, 0, 0, os.POSIX_FADV_DONTNEED)
                return os.fstat(writer)
            finally:
                os.close(writer)
        finally:
            os.close(reader)

    def write_new(self, path: bytes, content: bytes, *, mode: int = 0o644) -> os.stat_result:
        """A small new file, fsynced. Raises FileExistsError."""
        writer = self._open_exclusive(path, mode)
        try:
            if content:
                self._write_all(writer, path, content)
            self._fsync(writer, path)
            return os.fstat(writer)
        finally:
            os.close(writer)

    def mkdir(self, path: bytes) -> bool:
        """Make one folder. False when it is there already."""
        with self._call("mkdir", path):
            try:
                os.mkdir(path)
            except FileExistsError:
                return False
        return True

    def _open_exclusive(self, path: bytes, mode: int) -> int:
        with self._call("open_exclusive", path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path, flags, mode)

    def _write_all(self, descriptor: int, path: bytes, content: bytes) -> None:
        with self._call("write", path, data=content):
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]

    # Names

    def link(self, source: bytes, target: bytes) -> None:
        """A second name for the file. Raises FileExistsError; see `is_unsupported`."""
        with self._call("link", source, target):
            os.link(source, target, follow_symlinks=False)

    def rename_noreplace(self, source: bytes, target: bytes) -> None:
        """Rename, failing with FileExistsError when the target's name is taken.

        Where the kernel has no such rename: a link and an unlink; where there are no links either,
        the name is claimed with an empty file of ours, which the rename then replaces.
        """
        try:
            with self._call("rename_noreplace", source, target):
                _renameat2(source, target, RENAME_NOREPLACE)
        except OSError as error:
            if not is_unsupported(error):
                raise
            self._rename_by_link(source, target)

    def _rename_by_link(self, source: bytes, target: bytes) -> None:
        try:
            self.link(source, target)
        except FileExistsError:
            raise
        except OSError as error:
            if not is_unsupported(error):
                raise
            claimed = self.write_new(target, b"", mode=0o600)
            reach(CLAIMED)
            if self.lstat(target).st_ino != claimed.st_ino:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
            self.rename_over(source, target)
        else:
            self.fsync_folder(parent_of(target))  # a power cut must not leave neither name
            reach(LINKED)
            self.unlink_own(source, self.lstat(target).st_ino)

    def rename_exchange(self, one: bytes, other: bytes) -> None:
        """Swap two names in one step; nothing is lost whatever they hold. See `is_unsupported`."""
        with self._call("rename_exchange", one, other):
            _renameat2(one, other, RENAME_EXCHANGE)

    def rename_over(self, source: bytes, target: bytes) -> None:
        """Plain rename. Only for a target that the caller has proven to hold nothing to be kept."""
        with self._call("rename_over", source, target):
            os.rename(source, target)

    def unlink_own(self, path: bytes, inode: int) -> bool:
        """Remove a name that holds our file `inode`. False when nothing has that name.

        Raises NotOurs when it holds another file.
        """
        found = self.lstat_or_none(path)
        if found is None:
            return False
        if found.st_ino != inode or stat_bits.S_ISDIR(found.st_mode):
            raise NotOurs(os.fsdecode(path))
        with self._call("unlink", path):
            os.unlink(path)
        return True

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder. Raises OSError(ENOTEMPTY)."""
        with self._call("rmdir", path):
            os.rmdir(path)

    # Making it last

    def fsync_file(self, path: bytes) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._fsync(descriptor, path)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    def fsync_folder(self, path: bytes) -> None:
        """Make the names in a folder last. Network file systems without such a call: accepted."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._call("fsync_folder", path):
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}:
                        raise
        finally:
            os.close(descriptor)

    def _fsync(self, descriptor: int, path: bytes) -> None:
        with self._call("fsync_file", path):
            os.fsync(descriptor)

    # Attributes

    def read_xattrs(self, path: bytes) -> dict[str, bytes]:
        """Extended attributes by name; {} where the file system has none. ACLs are among them."""
        with self._call("read_xattrs", path):
            try:
                names = os.listxattr(path, follow_symlinks=False)
                return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
            except OSError as error:
                if error.errno in {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}:
                    return {}
                raise

    def write_xattr(self, path: bytes, name: str, value: bytes) -> None:
        with self._call("write_xattr", path):
            os.setxattr(path, name, value, follow_symlinks=False)

    def chmod(self, path: bytes, mode: int) -> None:
        """Permission bits only: setuid, setgid and sticky are dropped."""
        with self._call("chmod", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.fchmod(descriptor, mode & PERMISSION_BITS)
            finally:
                os.close(descriptor)

    def chown(self, path: bytes, uid: int, gid: int) -> None:
        """-1 leaves that one as it is."""
        with self._call("chown", path):
            os.chown(path, uid, gid, follow_symlinks=False)

    def utime_ns(self, path: bytes, *, atime_ns: int, mtime_ns: int) -> None:
        with self._call("utime", path):
            os.utime(path, ns=(atime_ns, mtime_ns), follow_symlinks=False)


def _hash_descriptor(descriptor: int, path: bytes, tick: Callable[[], None] | None) -> FileDigest:
    found = os.fstat(descriptor)
    if not stat_bits.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, HASH_CHUNK_BYTES):
        digest.update(chunk)
        if tick is not None:
            tick()
    return FileDigest(digest.hexdigest(), found)


def _renameat2(source: bytes, target: bytes, flags: int) -> None:
    if not hasattr(_libc, "renameat2"):  # musl before 1.2.5 and old glibc
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source, None, target)
    if _libc.renameat2(AT_FDCWD, source, AT_FDCWD, target, flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), source, None, target)


fs = FileSystem()
