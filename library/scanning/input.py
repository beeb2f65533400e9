"""A path that somebody typed, turned into its library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from library.models import Library, LibraryKind
from library.services import LibraryProblem, add_folder_library

if TYPE_CHECKING:
    from mediaflow.accounts.models import User


def library_for(path: bytes, *, actor: User | None = None) -> Library:
    """The library that the folder is or lies in; else a new one of it.

    Relative paths count from the working directory. Raises LibraryProblem.
    """
    if not path or b"\0" in path:
        raise LibraryProblem("root", "Give the path of a folder.")
    real = os.path.realpath(path)
    if os.path.isdir(real):  # noqa: PTH112  # names are bytes
        for library in Library.objects.filter(kind=LibraryKind.FOLDER):
            root = bytes(library.root_raw)
            if real == root or real.startswith(root + b"/"):
                return library
    return add_folder_library(root=real, actor=actor)
