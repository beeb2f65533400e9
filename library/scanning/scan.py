"""The scan of one library: walk, compare, settle, pair moved files, probe, mark what is gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from django.db.models import Q
from django.utils import timezone

from library.folding import display_path
from library.models import Availability, FileState, Library, LibraryKind, MediaFile
from library.probing.pool import Inspection, ProbePool, Request
from library.scanning import guard as scan_guard
from library.scanning.moves import pair_moves, size_of_lost
from library.scanning.settle import QUIET_S, is_complete, is_fresh, is_long_quiet
from library.scanning.summary import ScanSummary
from library.scanning.walk import (
    NEEDS_A_LOOK,
    FoundFile,
    KnownFiles,
    WalkResult,
    describe,
    walk_library,
)
from library.scanning.writer import ScanWriter, Sighting
from library.totals import count_listed
from mediaflow.base.bulk_writes import pragmas
from mediaflow.base.settings_store import get_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_LOAD_ROWS: Final = 10_000
_LOST_ROWS: Final = 500
_RETRIED_REASONS: Final = ("Permission denied", "It cannot be read", "Its folder cannot be read")
_WALKING: Final = "Looking through the folders"


class Report(Protocol):
    """`OperationContext.report`."""

    def __call__(
        self,
        done: int,
        total: int | None = None,
        current: str = "",
        rate_per_s: float | None = None,
        message: str = "",
    ) -> None: ...


def scan_library(
    library_id: int,
    *,
    report: Report,
    checkpoint: Callable[[], None],
    accept_losses: bool = False,
) -> ScanSummary:
    """Bring the database up to what is on the disk. Safe to repeat, to stop and to run again.

    A library that cannot be trusted now (root gone, suddenly empty, too much lost) is frozen with a
    sentence in `frozen_reason` of the summary and of the row; nothing in it is marked missing then.
    `accept_losses`: a person has confirmed that the losses are right.
    Raises Library.DoesNotExist and whatever `checkpoint` raises.
    """
    library = Library.objects.get(pk=library_id, kind=LibraryKind.FOLDER)
    scan = LibraryScan(library, report, checkpoint, accept_losses)
    started = time.monotonic()
    try:
        scan.run()
        scan_guard.thaw(library)
    except scan_guard.RootProblem as problem:
        scan_guard.freeze(library, str(problem))
        scan.summary.frozen_reason = str(problem)
    finally:
        scan.writer.flush()  # what was read is kept, also when a person stops the scan
    scan.summary.seconds = round(time.monotonic() - started, 3)
    _save_library(library, scan)
    return scan.summary


def _save_library(library: Library, scan: LibraryScan) -> None:
    library.last_scan_at = timezone.now()
    library.last_scan_s = scan.summary.seconds
    library.last_scan_summary = scan.summary.to_json()
    fields = [
        "last_scan_at", "last_scan_s", "last_scan_summary",
        "frozen_reason", "frozen_at", "marker_seen_at", "scan_generation",
    ]  # fmt: skip
    if scan.writer.has_written or not library.file_count:
        library.file_count, library.total_bytes = count_listed(library.pk)
        fields += ["file_count", "total_bytes"]
    library.save(update_fields=fields)


@dataclass(slots=True)
class KnownRows:
    """What the database knows before the walk; the walk takes out of `files` what it saw."""

    files: KnownFiles = field(default_factory=dict)
    present: int = 0
    not_lost: set[int] = field(default_factory=set)  # running, or gone before this scan

    def lost(self) -> KnownFiles:
        """What the walk did not see, of that which was there before."""
        return {path: row for path, row in self.files.items() if row[2] not in self.not_lost}


def load_known(library: Library, *, below: Sequence[bytes] = ()) -> KnownRows:
    """`below`: only what lies in these folders (relative); none means all."""
    known = KnownRows()
    columns = ("pk", "path_raw", "size_bytes", "mtime_ns", "availability", "state")
    retried = _retried_ids(library)
    inside = Q()
    for folder in below:  # "/" and the byte after it: names are compared as bytes
        inside |= Q(path_raw__gte=folder + b"/", path_raw__lt=folder + b"0")
    rows = MediaFile.objects.filter(inside, library=library).values_list(*columns)
    files = known.files
    # SQLite's memory map took 130 MB more for reading all rows, and no less time.
    with pragmas({"mmap_size": 0}):
        for pk, path, size, mtime, availability, state in rows.iterator(chunk_size=_LOAD_ROWS):
            is_settled = availability == Availability.PRESENT
            if is_settled:
                known.present += 1
            else:
                is_settled = availability == Availability.UNREADABLE and pk not in retried
            if availability == Availability.MISSING or state == FileState.PROCESSING:
                known.not_lost.add(pk)
            files[bytes(path)] = (size if is_settled else NEEDS_A_LOOK, mtime, pk)
    return known


def _retried_ids(library: Library) -> set[int]:
    """Unreadable for a reason that leaves no trace in size and mtime when it goes away."""
    unreadable = MediaFile.objects.filter(library=library, availability=Availability.UNREADABLE)
    rows = unreadable.values_list("pk", "availability_reason")
    return {pk for pk, reason in rows if reason.startswith(_RETRIED_REASONS)}


class LibraryScan:
    """One run. The phases are in the order of `run`; `part.py` has some of them for few folders."""

    def __init__(
        self,
        library: Library,
        report: Report,
        checkpoint: Callable[[], None],
        accept_losses: bool,
    ) -> None:
        self.library = library
        self.root = bytes(library.root_raw)
        self.report = report
        self.checkpoint = checkpoint
        self.accept_losses = accept_losses
        self.summary = ScanSummary(id=library.pk, name=library.name, root=library.root)
        self.writer = ScanWriter(library, self.summary, library.scan_generation)
        self._done = 0
        self.total = 0
        self._started = time.monotonic()

    def run(self) -> None:
        self.library.scan_generation += 1
        self.writer.generation = self.library.scan_generation
        has_marker = scan_guard.check_root(self.library)
        known = load_known(self.library)
        walk = walk_library(self.root, known.files, pause=self.pause_in_walk)
        walked_at = time.monotonic()
        self._check_walk(walk, known)
        if has_marker:
            self.library.marker_seen_at = timezone.now()
        else:
            scan_guard.leave_marker(self.library)
        self.total = len(walk.found)
        with ProbePool(get_setting("scan_worker_count")) as pool:
            left = self.write_moves(
                pool, walk.found, known, walk, size_of_lost(known.files, self.library)
            )
            lost = known.lost()
            if not self.accept_losses and walk.is_clean:
                scan_guard.check_losses(self.library, known=known.present, lost=len(lost))
            self.write_found(pool, left, walked_at)
        self.finish(walk, lost)

    def write_found(self, pool: ProbePool, found: list[FoundFile], walked_at: float) -> None:
        calm, fresh = self._split_fresh(found)
        self._inspect_and_write(pool, calm)
        self._write_fresh(pool, fresh, walked_at)

    def finish(self, walk: WalkResult, lost: KnownFiles) -> None:
        self.writer.flush()
        self._mark_lost(walk, lost)
        self.summary.unchanged = walk.unchanged
        self.summary.files = walk.files
        self.summary.errors += len(walk.problems)

    def pause_in_walk(self, files: int, folder: bytes) -> None:
        self.checkpoint()
        self.report(files, None, display_path(folder), message=_WALKING)

    def _check_walk(self, walk: WalkResult, known: KnownRows) -> None:
        at_root = [problem for problem in walk.problems if not problem.path_rel]
        if at_root:
            raise scan_guard.RootProblem(describe(at_root[0]))
        if not self.accept_losses:
            scan_guard.check_not_empty(known=known.present, seen=walk.files)

    def _split_fresh(self, found: list[FoundFile]) -> tuple[list[FoundFile], list[FoundFile]]:
        window, now = self.library.settle_window_s, time.time()
        calm: list[FoundFile] = []
        fresh: list[FoundFile] = []
        for file in found:
            is_new = is_fresh(file.mtime_ns, now_s=now, settle_window_s=window)
            (fresh if is_new and not file.is_disc_folder else calm).append(file)
        return calm, fresh

    def write_moves(
        self,
        pool: ProbePool,
        found: list[FoundFile],
        known: KnownRows,
        walk: WalkResult,
        sizes: set[int],
    ) -> list[FoundFile]:
        """Update the rows of moved files; returns what is left to inspect. `sizes`: of the files
        that may have moved."""
        candidates = [f for f in found if f.known_id is None and f.size_bytes in sizes]
        if not candidates:
            return found
        inspections = self._inspect(pool, candidates, wants_probe=False, is_counted=False)
        moves = pair_moves(self.library, list(inspections), walk.problems)
        for sighting, old_path in moves:
            known.files.pop(old_path, None)
            self.writer.add(sighting)
            self._tick(sighting.found)
        moved = {sighting.found.path_rel for sighting, _old in moves}
        return [file for file in found if file.path_rel not in moved]

    def _inspect_and_write(self, pool: ProbePool, found: list[FoundFile]) -> None:
        for file in found:
            if _is_disc(file):
                self.writer.add(Sighting(file))
                self._tick(file)
        films = [file for file in found if not _is_disc(file)]
        for file, inspection in self._inspect(pool, films):
            if inspection.problem is None or inspection.problem.kind != "vanished":
                self.writer.add(Sighting(file, inspection))

    def _write_fresh(self, pool: ProbePool, fresh: list[FoundFile], walked_at: float) -> None:
        """Files changed within the settle window: complete ones are probed, growing ones wait."""
        quiet, restless = self._part_by(is_long_quiet, fresh)
        self._inspect_and_write(pool, quiet)
        if not restless:
            return
        while time.monotonic() - walked_at < QUIET_S:
            self.checkpoint()
            time.sleep(0.1)
        complete, growing = self._part_by(is_complete, restless)
        self._inspect_and_write(pool, complete)
        for file, inspection in self._inspect(pool, growing, wants_probe=False):
            self.writer.add(Sighting(file, inspection, is_growing=True))

    def _part_by(
        self, is_settled: Callable[..., bool], files: list[FoundFile]
    ) -> tuple[list[FoundFile], list[FoundFile]]:
        now = time.time()
        parts: tuple[list[FoundFile], list[FoundFile]] = ([], [])
        for file in files:
            path = self.root + b"/" + file.path_rel
            settled = is_settled(
                path, size_bytes=file.size_bytes, mtime_ns=file.mtime_ns, now_s=now
            )
            parts[not settled].append(file)
        return parts

    def _inspect(
        self,
        pool: ProbePool,
        found: list[FoundFile],
        *,
        wants_probe: bool = True,
        is_counted: bool = True,
    ) -> Iterator[tuple[FoundFile, Inspection]]:
        by_path = {self.root + b"/" + file.path_rel: file for file in found}
        requests = (
            Request(path, wants_probe, True, display_path(file.path_rel))
            for path, file in by_path.items()
        )
        for inspection in pool.inspect(requests, checkpoint=self.checkpoint):
            file = by_path[inspection.path]
            if is_counted:
                self._tick(file)
            yield file, inspection

    def _tick(self, file: FoundFile) -> None:
        self._done += 1
        elapsed = max(0.001, time.monotonic() - self._started)
        self.report(
            self._done,
            self.total,
            display_path(file.path_rel),
            rate_per_s=self._done / elapsed,
            message="Reading films",
        )

    def _mark_lost(self, walk: WalkResult, lost: KnownFiles) -> None:
        """Missing only after a clean walk; below an unreadable folder a film is unreadable."""
        if walk.is_clean:
            reason = "It is not in its folder any more."
            for rows in _batches(row[2] for row in lost.values()):
                self.summary.missing += self.writer.set_lost(rows, Availability.MISSING, reason)
            return
        for problem in walk.problems:
            prefix = problem.path_rel + b"/" if problem.is_folder else problem.path_rel
            hidden = (row[2] for path, row in lost.items() if path.startswith(prefix))
            what = "Its folder" if problem.is_folder else "It"
            reason = f"{what} cannot be read: {problem.text}."
            for rows in _batches(hidden):
                self.writer.set_lost(rows, Availability.UNREADABLE, reason)


def _is_disc(file: FoundFile) -> bool:
    return file.is_disc_folder or file.path_rel[-4:].lower() in {b".iso", b".img"}


def _batches(ids: Iterable[int]) -> Iterator[list[MediaFile]]:
    pending: list[int] = []
    columns = ("pk", "path_raw", "path_digest")
    for pk in ids:
        pending.append(pk)
        if len(pending) == _LOST_ROWS:
            yield list(MediaFile.objects.only(*columns).filter(pk__in=pending))
            pending.clear()
    if pending:
        yield list(MediaFile.objects.only(*columns).filter(pk__in=pending))
