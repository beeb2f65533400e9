"""Which of our files a path of Plex is: by mapping, folder library and relative path. No disk."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from library.models import Library, LibraryKind, MediaFile, PathMapping
from library.plex.mapping import MappingTable
from library.scanning.identity import path_digest
from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from library.models import PlexServer

_CHUNK: Final = 500
_PATIENCE_S: Final = 3.0
_REASON_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder library, or why there is none."""

    file_id: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Root:
    prefix: bytes  # with a slash at its end
    library_id: int
    name: str


@dataclass(frozen=True, slots=True)
class PathFinder:
    """The mappings of one server and all folder libraries, as they were when it was made."""

    mappings: MappingTable
    roots: tuple[_Root, ...]  # the longest first
    aliases: tuple[tuple[bytes, bytes], ...]  # local folder of a mapping -> where its links lead

    @classmethod
    def load(cls, server: PlexServer) -> PathFinder:
        mappings = MappingTable.load(server)
        roots = [
            _Root(bytes(row.root_raw).rstrip(b"/") + b"/", row.pk, row.name)
            for row in Library.objects.filter(kind=LibraryKind.FOLDER)
        ]
        roots.sort(key=lambda root: -len(root.prefix))
        return cls(mappings, tuple(roots), _aliases(mappings))

    def find(self, paths: Iterable[str]) -> dict[str, Found]:
        """For each path a file or a reason. A handful of statements for any number of paths."""
        found: dict[str, Found] = {}
        wanted: dict[_Root, dict[str, str]] = {}
        for path in set(paths):
            place = self._place(path)
            if isinstance(place, str):
                found[path] = Found(None, place[:_REASON_LENGTH])
            else:
                root, relative = place
                wanted.setdefault(root, {})[path_digest(relative)] = path
        for root, by_digest in wanted.items():
            ids = _file_ids(root.library_id, list(by_digest))
            for digest, path in by_digest.items():
                file_id = ids.get(digest)
                reason = "" if file_id else self._not_there(path, root)
                found[path] = Found(file_id, reason[:_REASON_LENGTH])
        return found

    def place_of(self, path: str) -> tuple[bytes, int | None]:
        """Where a file would lie here, and in which folder library; None: in none."""
        place = self._place(path)
        if isinstance(place, str):
            return b"", None
        root, relative = place
        return root.prefix + relative, root.library_id

    def _place(self, path: str) -> tuple[_Root, bytes] | str:
        local = self.mappings.local_path(path)
        if local is None:
            return f"Plex has it at {path}; no path mapping leads there."
        for prefix, real in self.aliases:
            if local.startswith(prefix):
                local = real + local[len(prefix) :]
                break
        for root in self.roots:
            if local.startswith(root.prefix):
                return root, local[len(root.prefix) :]
        if self.mappings.mapping_of(path) is None:
            return f"Plex has it at {path}; no path mapping leads there."
        folder = os.fsdecode(local.rpartition(b"/")[0]).encode("utf-8", "replace").decode()
        return f"{folder} lies outside of every folder library; add it or its parent as one."

    def _not_there(self, path: str, root: _Root) -> str:
        local = self.mappings.local_path(path) or b""
        shown = local.decode("utf-8", "replace")
        return f"{shown} is not there, as of the last scan of “{root.name}”."


def _aliases(mappings: MappingTable) -> tuple[tuple[bytes, bytes], ...]:
    """Roots of libraries are kept with their links resolved; folders of mappings as typed."""
    pairs = []
    for row in mappings.by_local:
        if not row.local:
            continue
        try:
            real = answer_within(_PATIENCE_S, partial(os.path.realpath, row.local))
        except (OSError, TimeoutError):  # a mount that hangs: taken as it is
            continue
        if real != row.local:
            pairs.append((row.local + b"/", real.rstrip(b"/") + b"/"))
    return tuple(pairs)


def _file_ids(library_id: int, digests: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _CHUNK):
        rows = MediaFile.objects.filter(
            library_id=library_id, path_digest__in=digests[start : start + _CHUNK]
        )
        found.update(rows.values_list("path_digest", "pk"))
    return found


def link_signature(server: PlexServer) -> str:
    """Changes when another answer of `find` is possible: mappings, libraries, scans."""
    told = hashlib.sha256()
    mappings = PathMapping.objects.filter(arr_server=None).order_by("pk")
    for row in mappings.values_list("pk", "plex_server_id", "source", "local_raw"):
        if row[1] in (None, server.pk):
            told.update(repr((*row[:3], bytes(row[3]))).encode())
    libraries = Library.objects.filter(kind=LibraryKind.FOLDER).order_by("pk")
    for pair in libraries.values_list("pk", "root_digest", "scan_generation", "file_count"):
        told.update(repr(pair).encode())
    return told.hexdigest()
