"""Rows for the tests of pages: films, jobs in any state, proofs, originals in the trash."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from library.models import Library, MediaFile
from tests.library.file_rows import path_columns
from transcode.models import (
    Job,
    JobAttempt,
    JobEvent,
    JobStatus,
    JournalState,
    Preset,
    ProofRecord,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.presets.spec import PresetSpec

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

GB = 1_000_000_000
_numbers = itertools.count(1)


def make_preset(slug: str = "own", **values: Any) -> Preset:
    """A preset that may be changed."""
    defaults = {"name": slug.title(), "spec": PresetSpec().to_json()}
    return Preset.objects.create(slug=slug, **(defaults | values))


def balanced() -> Preset:
    """The built-in preset, which each migration puts in."""
    return Preset.objects.get(slug="balanced")


def make_library(name: str = "Films") -> Library:
    found, _made = Library.objects.get_or_create(
        name=name, defaults=path_columns(f"/films/{name}".encode(), "root")
    )
    return found


def make_file(title: str = "", **values: Any) -> MediaFile:
    """A plausible film; nothing is on disk."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        **path_columns(b"Film %d/film %d.mkv" % (number, number)),
        "title": title or f"Film {number}",
        "search_text": (title or f"film {number}").lower(),
        "sort_key": f"film {number:06d}",
        "year": 2001,
        "size_bytes": 10 * GB,
        "duration_ms": 7_200_000,
        "bit_rate_kbps": 11_000,
        "width": 1920,
        "height": 1080,
        "resolution": 1080,
        "frame_rate_milli": 23_976,
        "video_codec": "h264",
        "audio_codec": "ac3",
        "audio_channels": 6,
        "audio_languages": ",eng,",
        "container": "mkv",
    }
    library = values.pop("library", None) or make_library()
    return MediaFile.objects.create(library=library, **(defaults | values))


def make_job(status: str = JobStatus.QUEUED, *, title: str = "", **values: Any) -> Job:
    """A job of a film of its own."""
    number = next(_numbers)
    file = values.pop("file", None) or make_file(title)
    defaults: dict[str, Any] = {
        "file": file,
        "file_path": f"/films/Films/{file.path}",
        "library_name": "Films",
        "preset": values.pop("preset", None) or balanced(),
        "preset_slug": "balanced",
        "preset_name": "Balanced",
        "preset_spec": PresetSpec().to_json(),
        "status": status,
        "position": number * 1024,
        "source_bytes": file.size_bytes,
    }
    if status == JobStatus.RUNNING:
        defaults |= {
            "lease_token": uuid.uuid4().hex,
            "phase": "encode",
            "progress_pct": 41.5,
            "started_at": timezone.now(),
            "attempt": 1,
        }
    if status in {"completed", "skipped", "failed", "cancelled"}:
        defaults |= {"finished_at": timezone.now(), "seconds": 90.0}
    if status == JobStatus.COMPLETED:
        defaults |= {"output_bytes": 4 * GB, "phase": "replace", "vmaf_mean": 95.5}
    job = Job.objects.create(**(defaults | values))
    JobEvent.objects.create(subject=job, from_status="queued", to_status=status)
    return job


def add_attempt(job: Job, *, log_name: str = "", **values: Any) -> JobAttempt:
    number = job.attempts.count() + 1
    return JobAttempt.objects.create(
        job=job, number=number, lease_token=uuid.uuid4().hex, log_name=log_name, **values
    )


def add_proof(
    job: Job, *, is_passed: bool = True, rungs: list[dict[str, Any]] | None = None
) -> ProofRecord:
    return ProofRecord.objects.create(
        job=job,
        is_passed=is_passed,
        rungs=rungs
        or [
            {
                "number": 4,
                "name": "frames",
                "outcome": "passed",
                "measured": "240 = 240",
                "limit": "equal",
                "text": "Every frame is there.",
            }
        ],
        source_sha256="a" * 64,
        output_sha256="b" * 64,
        output_bytes=4 * GB,
        ffmpeg_version="9.0.2",
    )


def make_replaced(
    *,
    trash: str = TrashState.KEPT,
    size_bytes: int = 10 * GB,
    actor: User | None = None,
    **values: Any,
) -> Job:
    """A completed job whose original lies in the trash, or left it."""
    job = make_job(JobStatus.COMPLETED, requested_by=actor, **values)
    replacement = Replacement.objects.create(
        job=job,
        file=job.file,
        library=job.file.library if job.file else None,
        state=JournalState.DONE,
        root_raw=b"/films/Films",
        original_raw=b"/films/Films/a.mkv",
        final_raw=b"/films/Films/a.mkv",
        part_raw=b"/films/Films/.mf-a.part",
        trash_raw=b"/films/Films/.mediaflow/trash/a.mkv",
        proof=add_proof(job),
        is_proof_passed=True,
    )
    TrashEntry.objects.create(
        replacement=replacement,
        path_raw=b"/films/Films/.mediaflow/trash/a.mkv",
        size_bytes=size_bytes,
        state=trash,
        trashed_at=timezone.now() - timedelta(days=1),
    )
    return job
