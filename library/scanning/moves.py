"""Moved and renamed files: the same content under a new path, and nothing under the old one.

Device and inode numbers are no identity (they change on remount); content is. A candidate has the
size of a file that was not seen; the content fingerprint and a look at the old path decide.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from library.models import FileState, MediaFile
from library.scanning.writer import Sighting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.models import Library
    from library.probing.pool import Inspection
    from library.scanning.walk import FoundFile, KnownFiles, WalkProblem

_CHUNK = 500


def size_of_lost(unseen: KnownFiles, library: Library) -> set[int]:
    """Sizes of the rows that the walk did not see."""
    ids = [row[2] for row in unseen.values()]
    sizes: set[int] = set()
    for start in range(0, len(ids), _CHUNK):
        rows = MediaFile.objects.filter(library=library, pk__in=ids[start : start + _CHUNK])
        sizes.update(rows.values_list("size_bytes", flat=True))
    return sizes


def pair_moves(
    library: Library,
    candidates: Sequence[tuple[FoundFile, Inspection]],
    problems: Sequence[WalkProblem],
) -> list[tuple[Sighting, bytes]]:
    """Pair new paths with rows whose path is gone: (sighting, old path). Each row is used once.

    Among several rows with the same content the one with the same file name is taken; without such
    a one only a single row is: two equal films that swap folders are not told apart.
    """
    by_print = _rows_by_fingerprint(library, [found.fingerprint for _file, found in candidates])
    hidden = tuple(problem.path_rel + b"/" for problem in problems)
    used: set[int] = set()
    moves: list[tuple[Sighting, bytes]] = []
    for file, inspection in candidates:
        rows = [
            (pk, path)
            for pk, path in by_print.get(inspection.fingerprint, [])
            if pk not in used and _is_gone(library, path, hidden)
        ]
        name = file.path_rel.rpartition(b"/")[2]
        same_name = [row for row in rows if row[1].rpartition(b"/")[2] == name]
        chosen = same_name[:1] or (rows if len(rows) == 1 else [])
        if chosen:
            pk, old_path = chosen[0]
            used.add(pk)
            moves.append((Sighting(file, inspection, moved_from_id=pk), old_path))
    return moves


def _rows_by_fingerprint(
    library: Library, fingerprints: Sequence[str]
) -> dict[str, list[tuple[int, bytes]]]:
    wanted = sorted({fingerprint for fingerprint in fingerprints if fingerprint})
    found: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for start in range(0, len(wanted), _CHUNK):
        rows = MediaFile.objects.filter(
            library=library, content_fingerprint__in=wanted[start : start + _CHUNK]
        ).exclude(state=FileState.PROCESSING)
        columns = ("pk", "path_raw", "content_fingerprint")
        for pk, path, fingerprint in rows.order_by("pk").values_list(*columns):
            found[fingerprint].append((pk, bytes(path)))
    return found


def _is_gone(library: Library, path_rel: bytes, hidden: tuple[bytes, ...]) -> bool:
    """Surely gone: a path below a folder that could not be read may still be there."""
    if hidden and path_rel.startswith(hidden):
        return False
    try:
        os.lstat(bytes(library.root_raw) + b"/" + path_rel)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
