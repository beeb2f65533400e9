"""Rows for tests of the queue: a library, films, a preset, jobs. No files on disk."""

from __future__ import annotations

from typing import Any

from library.models import Library, MediaFile
from tests.library.file_rows import path_columns
from transcode.models import Job, JobStatus, OutputMode, Preset
from transcode.presets.spec import PresetSpec
from transcode.queue import job_queue
from transcode.queue.order import POSITION_GAP, first_free_position
from transcode.states import ACTIVE, FILE_STATE

# What a film may be that keeps it out of the queue, and the code that is said then.
UNFIT_FILMS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"kind": "disc"}, "disc"),
    ({"kind": "sample"}, "sample"),
    ({"availability": "missing"}, "missing"),
    ({"availability": "unreachable"}, "unreachable"),
    ({"availability": "unreadable"}, "unreadable"),
    ({"availability": "growing"}, "growing"),
    ({"state": "ignored"}, "ignored"),
    ({"state": "archived"}, "archived"),
    ({"mediaflow_tag": "d6f4;small"}, "already_done"),
)


def make_library(name: str = "Films", root: bytes = b"/films", **values: Any) -> Library:
    return Library.objects.create(name=name, **path_columns(root, "root"), **values)


def make_file(library: Library, name: str = "a.mkv", **values: Any) -> MediaFile:
    values.setdefault("size_bytes", 1_000_000)
    return MediaFile.objects.create(
        library=library, sort_key=name, **path_columns(name.encode()), **values
    )


def make_preset(slug: str = "small", **spec: Any) -> Preset:
    return Preset.objects.create(
        slug=slug, name=slug.title(), spec={**PresetSpec().to_json(), **spec}
    )


def make_job(file: MediaFile, status: str = JobStatus.QUEUED, **values: Any) -> Job:
    """A job in any status; running ones get a token of their own."""
    if status == JobStatus.RUNNING:
        values.setdefault("lease_token", f"token-{file.pk}")
    values.setdefault("position", first_free_position())
    values.setdefault("output_mode", OutputMode.REPLACE)
    job = Job.objects.create(
        file=file,
        file_path=f"/films/{file.path}",
        preset_slug="small",
        preset_spec=PresetSpec().to_json(),
        status=status,
        source_bytes=file.size_bytes,
        **values,
    )
    if status in ACTIVE:
        MediaFile.objects.filter(pk=file.pk).update(state=FILE_STATE[JobStatus(status)])
    return job


def make_jobs(count: int, library: Library | None = None, **values: Any) -> list[Job]:
    """Queued jobs of films of their own, in queue order, a gap apart."""
    library = library or make_library()
    start = first_free_position()
    return [
        make_job(
            make_file(library, f"film {start} {n}.mkv"),
            position=start + n * POSITION_GAP,
            **values,
        )
        for n in range(count)
    ]


def claim(job: Job, owner: str = "host/boot/ns/1/1") -> job_queue.Claim:
    """Claim this job; it must be there to be had."""
    taken = job_queue.claim_job(job.pk, owner)
    assert taken is not None
    return taken
