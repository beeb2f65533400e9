"""Writes what a scan found: new, changed, moved and lost files, a batch per transaction.

Every batch reads its rows again inside the transaction: a swap may have finished meanwhile, and a
file in state `processing` belongs to its job.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from library.file_records import (
    NAME_COLUMNS,
    PATH_COLUMNS,
    PROBE_COLUMNS,
    STAT_COLUMNS,
    FileFacts,
    apply_facts,
    apply_name,
    apply_path,
    apply_probe,
    has_holes,
    probe_row,
    save_probe_rows,
)
from library.models import Availability, FileKind, FileState, Library, MediaFile
from library.scanning.identity import path_digest
from library.scanning.items import link_items, name_of
from library.scanning.names import file_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from library.models import MediaProbe
    from library.probing.pool import Inspection
    from library.scanning.names import ParsedName
    from library.scanning.summary import ScanSummary
    from library.scanning.walk import FoundFile

BATCH_FILES: Final = 100
GROWING_REASON: Final = "It was changed moments ago and may still be growing."
_SEEN_COLUMNS = (
    "kind", "state", "state_reason", "availability", "availability_reason", "availability_since",
    "seen_generation", "removed_from_list_at",
)  # fmt: skip
_CHANGED_COLUMNS = [*PATH_COLUMNS, *STAT_COLUMNS, *PROBE_COLUMNS, *NAME_COLUMNS, *_SEEN_COLUMNS]
# What MediaFlow did with other content says nothing about new content at the same path.
_FORGOTTEN_STATES = frozenset((FileState.COMPLETED, FileState.FAILED, FileState.NEW))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One file of the walk and what its worker found out."""

    found: FoundFile
    inspection: Inspection | None = None  # None: a disc, which is never opened
    is_growing: bool = False
    moved_from_id: int | None = None


@dataclass(slots=True)
class ScanWriter:
    library: Library
    summary: ScanSummary
    generation: int
    has_written: bool = False
    _pending: list[Sighting] = field(default_factory=list)

    def add(self, sighting: Sighting) -> None:
        self._pending.append(sighting)
        if len(self._pending) >= BATCH_FILES:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, in one transaction."""
        if not self._pending:
            return
        batch, self._pending = self._pending, []
        facts = [self._facts(sighting) for sighting in batch]  # reads the disk: outside
        with transaction.atomic():
            self._write(list(zip(batch, facts, strict=True)))
        self.has_written = True

    def _facts(self, sighting: Sighting) -> FileFacts:
        found, inspection = sighting.found, sighting.inspection
        is_sparse = False
        if not found.is_disc_folder:
            try:
                is_sparse = has_holes(self._absolute(found.path_rel), found.status)
            except OSError:  # unreadable: its availability says so
                pass
        return FileFacts(
            size_bytes=found.size_bytes,
            mtime_ns=found.mtime_ns,
            hard_link_count=found.hard_link_count,
            is_symlink=found.is_symlink,
            is_sparse=is_sparse,
            fingerprint=inspection.fingerprint if inspection else "",
        )

    def _absolute(self, path_rel: bytes) -> bytes:
        return bytes(self.library.root_raw) + b"/" + path_rel

    def _write(self, batch: Sequence[tuple[Sighting, FileFacts]]) -> None:
        ids = {pk for pk in (row_id(sighting) for sighting, _facts in batch) if pk is not None}
        rows = MediaFile.objects.in_bulk(ids)
        taken = self._taken(sighting.found.path_rel for sighting, _facts in batch)
        named: list[tuple[MediaFile, ParsedName]] = []
        created: list[tuple[MediaFile, Sighting]] = []
        changed: list[tuple[MediaFile, Sighting]] = []
        for sighting, facts in batch:
            pk = row_id(sighting)
            row = rows.get(pk) if pk is not None else None
            holder = taken.get(path_digest(sighting.found.path_rel))
            if row is None and (holder is not None or self._is_of_running_job(sighting)):
                continue  # a job has just recorded this path, or is about to
            if row is not None and (
                row.state == FileState.PROCESSING or holder not in {None, row.pk}
            ):
                continue
            file = row or MediaFile(library=self.library)
            name = self._fill(file, sighting, facts)
            if name is not None:
                named.append((file, name))
            (changed if row else created).append((file, sighting))
        MediaFile.objects.bulk_create([file for file, _sighting in created])
        for file, _sighting in changed:
            file.save(update_fields=_CHANGED_COLUMNS)
        save_probe_rows([*_probes(created), *_probes(changed)])
        link_items(self.library.pk, named)
        self._count(created, changed)

    def _taken(self, paths: Iterable[bytes]) -> dict[str, int]:
        digests = [path_digest(path) for path in paths]
        rows = MediaFile.objects.filter(library=self.library, path_digest__in=digests)
        return dict(rows.values_list("path_digest", "pk"))

    def _is_of_running_job(self, sighting: Sighting) -> bool:
        """A fresh output beside its original: both names exist until the job's swap is done."""
        inspection = sighting.inspection
        if inspection is None or inspection.info is None or not inspection.info.mediaflow_tag:
            return False
        folder = sighting.found.path_rel.rpartition(b"/")[0]
        running = MediaFile.objects.filter(library=self.library, state=FileState.PROCESSING)
        paths = running.values_list("path_raw", flat=True)
        return any(bytes(path).rpartition(b"/")[0] == folder for path in paths)

    def _fill(self, file: MediaFile, sighting: Sighting, facts: FileFacts) -> ParsedName | None:
        """Set every column; the name when it is new (first sight, or moved)."""
        found, inspection = sighting.found, sighting.inspection
        is_named = file.pk is None or sighting.moved_from_id is not None
        if sighting.is_growing or not facts.fingerprint:  # not the content, or none was read
            facts = replace(facts, fingerprint=file.content_fingerprint)
        is_other = file.content_fingerprint != facts.fingerprint
        apply_path(file, found.path_rel)
        file.kind = file_kind(found.path_rel, found.size_bytes)
        apply_facts(file, facts)
        file.seen_generation = self.generation
        name = name_of(file, inspection.name if inspection else None) if is_named else None
        if name is not None:
            apply_name(file, name)
        if inspection is not None and inspection.info is not None:
            apply_probe(file, inspection.info)
        if is_other:
            self._apply_state(file)
            file.removed_from_list_at = None
        set_availability(file, *_availability(file, sighting))
        return name

    def _apply_state(self, file: MediaFile) -> None:
        if file.mediaflow_tag and file.state in _FORGOTTEN_STATES:
            file.state = FileState.COMPLETED
            file.state_reason = "MediaFlow made this file (it carries its tag)."
        elif file.state in _FORGOTTEN_STATES:
            file.state, file.state_reason = FileState.NEW, ""

    def _count(
        self,
        created: Sequence[tuple[MediaFile, Sighting]],
        changed: Sequence[tuple[MediaFile, Sighting]],
    ) -> None:
        summary = self.summary
        summary.added += len(created)
        for file, sighting in [*created, *changed]:
            summary.growing += file.availability == Availability.GROWING
            summary.errors += file.availability == Availability.UNREADABLE
            if file.pk and sighting.moved_from_id is not None:
                summary.moved += 1
            elif sighting.found.known_id is not None:
                summary.changed += 1

    def set_lost(self, rows: Iterable[MediaFile], availability: Availability, reason: str) -> int:
        """Mark a batch of rows that were not seen, in one transaction; returns how many it marked.

        Looks at each path once more before it says "missing".
        """
        is_loss = availability == Availability.MISSING
        lost = [row for row in rows if not (is_loss and self._exists(bytes(row.path_raw)))]
        marked = 0
        with transaction.atomic():
            for row in lost:
                # Unless a job has taken or moved the row since it was read.
                same = MediaFile.objects.filter(pk=row.pk, path_digest=row.path_digest)
                marked += same.exclude(state=FileState.PROCESSING).update(
                    availability=availability,
                    availability_reason=reason[:500],
                    availability_since=timezone.now(),
                )
        self.has_written = self.has_written or marked > 0
        return marked

    def _exists(self, path_rel: bytes) -> bool:
        try:
            os.lstat(self._absolute(path_rel))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # cannot be told: not missing
        return True


def row_id(sighting: Sighting) -> int | None:
    return sighting.moved_from_id or sighting.found.known_id


def _availability(file: MediaFile, sighting: Sighting) -> tuple[Availability, str]:
    if sighting.is_growing:
        return Availability.GROWING, GROWING_REASON
    if sighting.moved_from_id is not None:  # its content was not opened: as it was before
        if file.availability != Availability.MISSING:
            return Availability(file.availability), file.availability_reason
        if file.probed_at is None and file.kind != FileKind.DISC:
            return Availability.GROWING, "It came back and waits for its first reading."
    problem = sighting.inspection.problem if sighting.inspection else None
    if problem is not None:
        return Availability.UNREADABLE, problem.text
    return Availability.PRESENT, ""


def set_availability(file: MediaFile, availability: Availability, reason: str) -> None:
    """Set it (unsaved); `since` moves only when the availability itself changes."""
    if file.availability != availability or file.pk is None:
        file.availability_since = timezone.now()
    file.availability, file.availability_reason = availability, reason[:500]


def _probes(files: Sequence[tuple[MediaFile, Sighting]]) -> list[MediaProbe]:
    rows: list[MediaProbe] = []
    for file, sighting in files:
        inspection = sighting.inspection
        if inspection is None or file.kind == FileKind.DISC:
            continue
        if inspection.info is not None:
            rows.append(probe_row(file, inspection.info))
        elif inspection.problem is not None:
            rows.append(probe_row(file, None, error=inspection.problem.text))
    return rows
