"""Actions that run a job as the runner does, with a real encode of a very small film."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mediaflow.base.models import Setting
from servers.models import SlotLease
from tests.media import make_clip
from tests.transcode.replace.world import (
    digest,
    make_file_row,
    make_library_at,
    restart_job,
    tree,
)
from transcode.models import ChunkStatus, Job, JobAttempt, Replacement
from transcode.presets.spec import PresetSpec, SubtitleRule, VideoRule
from transcode.queue import job_queue
from transcode.running.attempt_log import AttemptLog
from transcode.running.control import RunControl
from transcode.running.runner import Runner

if TYPE_CHECKING:
    from pathlib import Path

SPEC = PresetSpec(
    video=VideoRule(encoder="x264", crf=40.0, speed="fastest"),
    subtitles=SubtitleRule(),
    min_saving_pct=0,
    is_vmaf_checked=False,
)


def make_chunked(data_dir: Path) -> None:
    """The same with a film that is cut into three chunks, two of which are encoded at once."""
    Setting.objects.create(key="chunk_seconds", value=1)
    Setting.objects.create(key="chunks_parallel", value=2)
    make_real(data_dir, seconds=3, width=160, height=96)


def make_real(data_dir: Path, seconds: float = 1, width: int = 320, height: int = 180) -> None:
    """A library with one real film and a queued job."""
    root = data_dir / "films"
    film = make_clip("h264_mkv", root / "film.mkv", seconds, width=width, height=height, crf=6)
    os.utime(film, (1_600_000_000, 1_600_000_000))  # long settled
    library = make_library_at(root)
    file = make_file_row(library, b"film.mkv", film.read_bytes())
    Job.objects.create(
        file=file,
        file_path=str(film),
        preset_slug="small",
        preset_spec=replace(SPEC).to_json(),
        source_bytes=film.stat().st_size,
    )
    (data_dir / "original.sha256").write_text(digest(film.read_bytes()))


def run_real(data_dir: Path) -> str:
    """One attempt with all phases."""
    job_id = Job.objects.values_list("pk", flat=True).get()
    claim = job_queue.claim_job(job_id, "test/boot/ns/1/1")
    assert claim is not None, Job.objects.get().status
    log = AttemptLog(JobAttempt.objects.get(lease_token=claim.token).log_name)
    Runner(job_id, claim.token, RunControl(job_id, claim.token), log).run()
    log.close()
    return str(Job.objects.get().status)


def restart_real(data_dir: Path) -> str:
    SlotLease.objects.all().delete()  # as the reaper does with slots of dead processes
    restart_job(Job.objects.get(), partial(run_real, data_dir))
    return str(Job.objects.get().status)


def check_chunks(data_dir: Path) -> dict[str, Any]:
    """How often each chunk was encoded, and what of it came from before."""
    job = Job.objects.get()
    return {
        "whole_reason": job.whole_reason,
        "total": job.chunks_total,
        "done": job.chunks_done,
        "resumed": job.resumed_chunks,
        "frames": job.frames,
        "tries": [chunk.attempts.count() for chunk in job.chunks.order_by("index")],
        "proven": sum(chunk.status == ChunkStatus.DONE for chunk in job.chunks.all()),
    }


def check_real(data_dir: Path) -> dict[str, Any]:
    """What lies there, and what the rows say."""
    job, row = Job.objects.get(), Replacement.objects.first()
    original = (data_dir / "original.sha256").read_text()
    files = tree(data_dir / "films")
    return {
        "status": job.status,
        "reason": f"{job.reason_code}: {job.reason}",
        "is_original_there": original in files.values(),
        "is_film_original": files.get(b"film.mkv") == original,
        "is_film_output": row is not None and files.get(b"film.mkv") == row.output_sha256,
        "parts": [os.fsdecode(p) for p in files if p.endswith(b".part")],
        "swaps": Replacement.objects.filter(state="done").count(),
        "work_folders": len(list((data_dir / "work" / "jobs").glob("*"))),
    }
