"""What `optimize` does, without how it looks: scan, queue, watch, sum up."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from library.models import Availability
from library.places import Place, find_place
from library.services import LibraryProblem, add_folder_library, start_scan
from mediaflow.base.models import OperationStatus
from mediaflow.base.operations import run_operation_here
from transcode.console.command_input import bad_input
from transcode.console.job_report import size_text
from transcode.models import JobStatus, OutputMode
from transcode.services import enqueue_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import QuerySet

    from library.models import Library, MediaFile
    from mediaflow.base.models import Operation
    from transcode.models import Preset


@dataclass(slots=True)
class Queued:
    """What was put into the queue, and what was not."""

    jobs: list[int] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def libraries_for(paths: Sequence[bytes]) -> list[tuple[bytes, Library]]:
    """The library of each path; a folder that is in none becomes one, for a film its folder does.

    Raises CommandError when it cannot.
    """
    found: list[tuple[bytes, Library]] = []
    for path in paths:
        place = find_place(path)
        library = place.library if place else _add_library(path)
        found.append((path, library))
    return found


def _add_library(path: bytes) -> Library:
    is_folder = os.path.isdir(path)  # noqa: PTH112  # bytes
    folder = path if is_folder else os.path.dirname(path)  # noqa: PTH120  # bytes
    try:
        return add_folder_library(root=folder)
    except LibraryProblem as problem:
        raise bad_input(f"{os.fsdecode(path)!r}: {problem.text}") from None


def scan(library: Library, on_progress: Callable[[Operation], None]) -> str:
    """Scan one library to its end. Returns "" or why it did not end well."""
    operation = run_operation_here(start_scan(library=library), on_progress=on_progress)
    if operation.status == OperationStatus.COMPLETED:
        return ""
    return operation.message or f"The scan of {library.name} was {operation.status}."


def queue(
    paths: Sequence[bytes], preset: Preset, *, output_dir: bytes | None, priority: int = 0
) -> Queued:
    """Queue what lies at the paths. A film that is named itself is queued even when ignored."""
    result = Queued()
    for path in paths:
        place = find_place(path)
        if place is None:
            continue  # the library was removed meanwhile
        _queue_place(place, preset, output_dir, priority, result)
    return result


def _queue_place(
    place: Place, preset: Preset, output_dir: bytes | None, priority: int, result: Queued
) -> None:
    files = place.files()
    if place.is_file and not files.exists():
        name = os.fsdecode(place.relative)
        reason = "It is no film that MediaFlow knows how to read; see the scan's errors."
        result.skipped.append({"file": name, "reason": reason})
        return
    made = enqueue_files(
        files=files,
        preset=preset,
        actor=None,
        origin="optimize",
        output_mode=OutputMode.FOLDER if output_dir else None,
        output_dir=output_dir,
        priority=priority,
        includes_ignored=place.is_file,
    )
    result.jobs += made.jobs
    result.skipped += [{"file": s.path, "reason": s.reason} for s in made.skipped]


def unsettled(paths: Sequence[bytes]) -> int:
    """Films at the paths that are still growing."""
    places = [place for path in paths if (place := find_place(path)) is not None]
    return sum(_growing(place).count() for place in places)


def _growing(place: Place) -> QuerySet[MediaFile]:
    return place.files().filter(availability=Availability.GROWING)


def summary(jobs: list[dict[str, Any]], skipped: list[dict[str, str]]) -> list[str]:
    """What happened, honestly: bytes are freed only when no original is kept."""
    done = [job for job in jobs if job["state"] == JobStatus.COMPLETED]
    kept = [job for job in done if job["trash_path"]]
    replaced = [job for job in done if job["trash_path"] or _is_replaced(job)]
    saved_later = sum(job["source_bytes"] - (job["output_bytes"] or 0) for job in kept)
    gone = [job for job in replaced if not job["trash_path"]]
    saved_now = sum(job["source_bytes"] - (job["output_bytes"] or 0) for job in gone)
    lines = [f"{len(done)} of {len(jobs)} films done, {_count(jobs, JobStatus.SKIPPED)} skipped."]
    if kept:
        lines.append(
            f"{size_text(saved_later)} will be freed when the originals leave the trash;"
            f" until then `mediaflow undo` puts them back."
        )
    if saved_now:
        lines.append(f"{size_text(saved_now)} freed.")
    beside = [job for job in done if job not in replaced]
    if beside:
        size = sum(job["output_bytes"] or 0 for job in beside)
        lines.append(f"{len(beside)} new files, {size_text(size)}; the originals are untouched.")
    lines += [f"{job['state']}: {job['file']}: {job['reason']}" for job in jobs if job not in done]
    lines += [f"not queued: {skip['file']}: {skip['reason']}" for skip in skipped[:20]]
    if len(skipped) > 20:
        lines.append(f"… and {len(skipped) - 20} more that were not queued.")
    return lines


def _is_replaced(job: dict[str, Any]) -> bool:
    return bool(job["output_mode"] == OutputMode.REPLACE and not job["undone"])


def _count(jobs: list[dict[str, Any]], status: str) -> int:
    return sum(job["state"] == status for job in jobs)
