"""A look at a few folders of a library: what a webhook names need not cost a walk of everything.

It adds, changes and marks missing inside these folders, by the rules of a whole scan, and touches
no row outside but that of a film that was moved into them. Where only the whole library can tell
whether a loss is one (a folder is gone or empty, or many films of it are), nothing is marked and a
whole scan is asked for.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Final

from library.models import Library, LibraryKind, MediaFile
from library.probing.pool import ProbePool
from library.scanning import guard as scan_guard
from library.scanning.names import DISC_FOLDERS, SKIPPED_FOLDERS, outermost
from library.scanning.scan import LibraryScan, load_known
from library.scanning.walk import walk_library
from library.totals import refresh_totals
from mediaflow.base.settings_store import get_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from library.scanning.scan import Report
    from library.scanning.summary import ScanSummary

_CHUNK: Final = 500


def scan_folders(
    library_id: int,
    folders: Iterable[bytes],
    *,
    report: Report,
    checkpoint: Callable[[], None],
) -> ScanSummary | None:
    """Look at folders (or at those of files) of a library, relative to its root. Safe to repeat.

    None: only a scan of the whole library can tell. Raises Library.DoesNotExist and whatever
    `checkpoint` raises.
    """
    library = Library.objects.get(pk=library_id, kind=LibraryKind.FOLDER)
    if library.is_frozen or library.last_scan_at is None:
        return None
    scan = _PartScan(library, report, checkpoint, False)
    started = time.monotonic()
    try:
        is_whole = scan.run_in(folders)
    finally:
        scan.writer.flush()
        if scan.writer.has_written:
            refresh_totals([library.pk])
    scan.summary.seconds = round(time.monotonic() - started, 3)
    return scan.summary if is_whole else None


class _PartScan(LibraryScan):
    def run_in(self, named: Iterable[bytes]) -> bool:
        """False: the whole library has to be scanned."""
        try:
            has_marker = scan_guard.check_root(self.library)
        except scan_guard.RootProblem:
            return False
        chosen = [walked_folder(self.root, path) for path in outermost(named)]
        folders = outermost(folder for folder in chosen if folder is not None)
        if not has_marker or not folders or None in chosen:
            return False
        known = load_known(self.library, below=folders)
        walk = walk_library(self.root, known.files, pause=self.pause_in_walk, folders=folders)
        walked_at = time.monotonic()
        if any(problem.path_rel in folders for problem in walk.problems) or not walk.files:
            return False
        self.total = len(walk.found)
        with ProbePool(get_setting("scan_worker_count")) as pool:
            sizes = self._known_sizes({file.size_bytes for file in walk.found})
            left = self.write_moves(pool, walk.found, known, walk, sizes)
            lost = known.lost()
            if len(lost) >= scan_guard.FEW_FILES:
                return False
            self.write_found(pool, left, walked_at)
        self.finish(walk, lost)
        return True

    def _known_sizes(self, sizes: set[int]) -> set[int]:
        """Those that some row of the library has: a film may have come from anywhere in it."""
        wanted, found = sorted(sizes), set[int]()
        rows = MediaFile.objects.filter(library=self.library)
        for start in range(0, len(wanted), _CHUNK):
            chunk = rows.filter(size_bytes__in=wanted[start : start + _CHUNK])
            found.update(chunk.values_list("size_bytes", flat=True))
        return found


def walked_folder(root: bytes, path: bytes) -> bytes | None:
    """Of a path relative to the root the folder that a whole walk comes to: itself, or the one that
    its file lies in. None for the root, for what is not there, hidden, skipped or a link."""
    done: list[bytes] = []
    for name in [part for part in path.split(b"/") if part]:
        lowered = name.lower()
        if name.startswith(b".") or lowered in SKIPPED_FOLDERS or lowered in DISC_FOLDERS:
            return None
        try:
            mode = os.lstat(b"/".join([root, *done, name])).st_mode
        except OSError:
            return None
        if not stat.S_ISDIR(mode):
            break
        done.append(name)
    return b"/".join(done) or None
