"""Where a path lies: which library, and which of its films are at or below it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from library.models import Library, LibraryKind, MediaFile

if TYPE_CHECKING:
    from django.db.models import QuerySet


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
    """Where a resolved path lies, or None when it is in no library."""
    is_file = not os.path.isdir(path)  # noqa: PTH112  # bytes
    for library in Library.objects.filter(kind=LibraryKind.FOLDER):
        root = bytes(library.root_raw)
        if path == root or os.path.realpath(root) == path:
            return Place(library, b"", False)
        for base in (root, os.path.realpath(root)):
            prefix = base.rstrip(b"/") + b"/"
            if path.startswith(prefix):
                return Place(library, path[len(prefix) :], is_file)
    return None
