"""`.mediaflow/` in a root: its id file says that "the mount is there" (faults 12, 15, 41).

All access goes through a descriptor of the folder, opened without following links, so that nobody
can lead MediaFlow out of the library with a symlink of that name.
"""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_NAME = b".mediaflow"
_ID_NAME = b"id"
# Plex, Jellyfin, Emby and Android leave a folder out by these. `.plexignore` holds a pattern.
_IGNORE_FILES = {b".plexignore": b"*\n", b".ignore": b"", b".nomedia": b""}
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_ID_BYTES = 200


class MarkerProblem(Exception):
    """The root has a marker of another library or instance. The text says so."""


@contextmanager
def _opened(path: bytes | str, flags: int, *, dir_fd: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o644, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_marker(library_root: bytes) -> uuid.UUID | None:
    """The id in the root's marker. None when there is no marker or it makes no sense.

    Raises OSError when the root cannot be reached, so that "gone" and "unreachable" stay apart.
    """
    with _opened(library_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as root:
        try:
            with _opened(FOLDER_NAME, _FOLDER_FLAGS, dir_fd=root) as folder:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
                with _opened(_ID_NAME, flags, dir_fd=folder) as descriptor:
                    raw = os.read(descriptor, _MAX_ID_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        return uuid.UUID(raw.decode("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        return None


def marker_matches(library_root: bytes, marker_id: uuid.UUID) -> bool:
    """Whether the root carries this library's marker. False when absent or of another library.

    Raises OSError when the root is unreachable (or `.mediaflow` is a symlink: ELOOP).
    """
    return read_marker(library_root) == marker_id


def write_marker(library_root: bytes, marker_id: uuid.UUID) -> None:
    """Make `.mediaflow/` with its id and ignore files; what exists is kept. Idempotent.

    Raises MarkerProblem when the root carries another id, OSError when it cannot be written.
    """
    with _opened(library_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as root:
        try:
            os.mkdir(FOLDER_NAME, 0o755, dir_fd=root)
        except FileExistsError:
            pass
        with _opened(FOLDER_NAME, _FOLDER_FLAGS, dir_fd=root) as folder:
            for name, content in _IGNORE_FILES.items():
                _create(folder, name, content)
            is_new = _create(folder, _ID_NAME, f"{marker_id}\n".encode())
            os.fsync(folder)
        os.fsync(root)
    if not is_new and read_marker(library_root) != marker_id:
        raise MarkerProblem("The folder carries the marker of another library (.mediaflow/id).")


def _create(folder: int, name: bytes, content: bytes) -> bool:
    """Create one file below an open folder; False when the name exists, whatever it is."""
    try:
        with _opened(name, _CREATE_FLAGS, dir_fd=folder) as descriptor:
            os.write(descriptor, content)
            os.fsync(descriptor)
    except FileExistsError:
        return False
    return True
