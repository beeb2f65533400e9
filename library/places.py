"""Where a path lies: which library, and which of its films are at or below it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from library.models import Library, LibraryKind, MediaFile
from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from django.db.models import QuerySet

# A disk that has to be woken may take longer; who asked is told, and may ask again.
ANSWERS_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """A path inside a library; `relative` is b"" for the root itself."""

    library: Library
    relative: bytes
    is_file: bool

    def files(self) -> QuerySet[MediaFile]:
        """The films at or below the path."""
        rows = MediaFile.objects.filter(library=self.library, removed_from_list_at=None)
        if self.is_file:
            digest = hashlib.sha256(self.relative).hexdigest()
            return rows.filter(path_digest=digest)
        return rows.filter(is_below(self.relative))


def is_below(folder: bytes) -> Q:
    """Files below a folder, relative to their library; b"" is the library itself."""
    if not folder:
        return Q()
    # All names that begin with "folder/": "0" is the byte after "/".
    return Q(path_raw__gte=folder + b"/", path_raw__lt=folder + b"0")


def find_place(path: bytes) -> Place | None:
    """Where a resolved path lies, or None when it is in no library.

    Raises TimeoutError where its disk does not answer.
    """
    is_file = not is_folder(path)
    libraries = list(Library.objects.filter(kind=LibraryKind.FOLDER))
    for root_of in (_stored_root, _real_root):  # the disks are asked only if need be
        for library in libraries:
            root = root_of(library)
            if path == root:
                return Place(library, b"", False)
            prefix = root.rstrip(b"/") + b"/"
            if path.startswith(prefix):
                return Place(library, path[len(prefix) :], is_file)
    return None


def _stored_root(library: Library) -> bytes:
    return bytes(library.root_raw)


def _real_root(library: Library) -> bytes:
    """Of a library whose disk does not answer it is as stored: others are not to wait for it."""
    try:
        return real_path(_stored_root(library))
    except TimeoutError:
        return _stored_root(library)


def is_folder(path: bytes) -> bool:
    """Raises TimeoutError where its disk does not answer."""
    return answer_within(ANSWERS_S, lambda: os.path.isdir(path), about=path)  # noqa: PTH112  # bytes


def real_path(path: bytes) -> bytes:
    """With its links resolved. Raises TimeoutError where its disk does not answer."""
    return answer_within(ANSWERS_S, lambda: os.path.realpath(path), about=path)
