"""Encodes one film with one ffmpeg, into the job's work folder; a finished one is used again.

The record beside the output (`encoded.json`) says by which plan it was made (which names the film's
SHA-256) and what it must hash to. It is written last: a crash before it costs the encode, and no
half film is believed whole.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.input_guard import guarded_input
from transcode.encoders.failures import classify
from transcode.encoders.options import pass_options
from transcode.encoders.registry import ENCODERS, device_before_input
from transcode.encoding.ffmpeg import ffmpeg_argv, shown_command
from transcode.encoding.passed_over import encoder_of, pass_over
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import run_ffmpeg
from transcode.encoding.records import RECORD_NAME, EncodeRecord, read_record, write_record
from transcode.encoding.side_files import write_side_files
from transcode.encoding.source_check import refuse_missing, refuse_replaced
from transcode.models import Chunk, ChunkAttempt, ChunkAttemptStatus, ChunkStatus, Job
from transcode.outcomes import JobFailed
from transcode.planning.model import StreamKind
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transcode.encoding.process import FfmpegResult
    from transcode.encoding.progress import FfmpegProgress
    from transcode.outcomes import JobOutcome
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

FAIL_STARTED = declare("encode.started", "ffmpeg is about to start")
FAIL_FINISHED = declare("encode.finished", "ffmpeg ended well, nothing says so on disk yet")
FAIL_RECORDED = declare("encode.recorded", "the record is on disk, the chunk is not marked done")
ENCODED_STEM = "encoded"
PASS_STEM = "passes"  # what the first of two passes writes
OUTPUT_STEM = "output"  # what assemble renames it to
HASH_BLOCK_BYTES = 4 * 1024 * 1024
LOCAL_SLOT = "this machine"


def encode_film(ctx: RunContext, plan: Plan, *, source_bytes: int) -> Path:
    """The whole film in one ffmpeg. Raises JobOutcome."""
    digest = plan.digest()
    chunk = retry_on_busy(lambda: _own_chunk(ctx, plan, digest))
    finished = finished_earlier(ctx, plan)
    if finished is not None:
        ctx.log("an earlier attempt finished encoding by the same plan: its file is used again")
        retry_on_busy(lambda: _mark_resumed(ctx))
        return finished
    remove_leftovers(ctx.work_dir)
    attempt = retry_on_busy(lambda: _begin_attempt(chunk))
    try:
        record = _run(ctx, plan, digest, source_bytes)
    except BaseException as error:
        text = str(error)[:1000]
        retry_on_busy(lambda: _end_attempt(attempt, ChunkAttemptStatus.LOST, error=text))
        raise
    retry_on_busy(lambda: _prove(chunk, attempt, record, encoded_file(ctx.work_dir, plan).name))
    return encoded_file(ctx.work_dir, plan)


def encoded_file(work_dir: Path, plan: Plan) -> Path:
    return work_dir / f"{ENCODED_STEM}{plan.extension}"


def read_encode_result(ctx: RunContext, plan: Plan) -> FfmpegResult | None:
    """How ffmpeg ended, also when an earlier attempt ran it; None when that is not recorded."""
    record = read_record(ctx.work_dir / RECORD_NAME)
    return record.result if record is not None and _is_of(record, plan) else None


def encode_argv(plan: Plan, source: bytes, output: str) -> list[str]:
    """The command line; it runs in the work folder, so `output` is a bare file name."""
    options = guarded_input(source, options=plan.input_options)
    passes = _pass_options(plan, 2)
    device = device_before_input(plan.video_options)
    return [*ffmpeg_argv(), "-y", *device, *options, *plan.output_options, *passes, output]


def first_pass_argv(plan: Plan, source: bytes) -> list[str]:
    """The same pictures through the same encoder, of which only the figures are kept."""
    planned = next(s for s in plan.kept if s.kind == StreamKind.VIDEO)
    options = guarded_input(source, options=plan.input_options)
    picture = ["-map", f"0:{planned.source_index}", *plan.video_options]
    return [*ffmpeg_argv(), "-y", *options, *picture, *_pass_options(plan, 1), "-f", "null", "-"]


def _pass_options(plan: Plan, number: int) -> tuple[str, ...]:
    if plan.video is None or not plan.video.two_pass:
        return ()
    encoder = next(e for e in ENCODERS.values() if e.ffmpeg_name == plan.video.encoder)
    return pass_options(encoder, number, PASS_STEM)


def _run(ctx: RunContext, plan: Plan, digest: str, source_bytes: int) -> EncodeRecord:
    extract_covers(ctx, plan)
    write_side_files(ctx, plan)
    target = encoded_file(ctx.work_dir, plan)
    partial = target.with_name(f"{ENCODED_STEM}.part{plan.extension}")
    reach(FAIL_STARTED)
    if plan.video is not None and plan.video.two_pass:
        _first_pass(ctx, plan)
    argv = encode_argv(plan, ctx.source, partial.name)
    ctx.log(f"$ {shown_command(argv)}")
    result = run_ffmpeg(
        argv,
        cwd=ctx.work_dir,
        on_progress=_reporter(ctx, plan),
        checkpoint=ctx.checkpoint,
        log=ctx.log,
    )
    problem = outcome_of(result, partial)
    if problem is not None:
        partial.unlink(missing_ok=True)
        refuse_missing(ctx)
        raise _without_hardware(ctx, plan, result, problem)
    refuse_replaced(ctx)
    reach(FAIL_FINISHED)
    ctx.report(PhaseProgress(pct=100.0, note="Reading back what was written"))
    record = EncodeRecord(digest, _sha256(partial, ctx), partial.stat().st_size, result)
    partial.replace(target)
    write_record(ctx.work_dir / RECORD_NAME, record)
    ctx.log(f"encoded {record.size_bytes:,} bytes from {source_bytes:,} in {result.seconds:.1f} s")
    reach(FAIL_RECORDED)
    return record


def _without_hardware(
    ctx: RunContext, plan: Plan, result: FfmpegResult, problem: JobOutcome
) -> JobOutcome:
    """A hardware encoder that fails is passed over by the job's next attempt."""
    encoder = encoder_of(plan)
    if encoder is None or not encoder.is_hardware or not isinstance(problem, JobFailed):
        return problem
    failure = classify(result.stderr_lines, result.return_code)
    return pass_over(ctx.work_dir, encoder, failure.text)


def _first_pass(ctx: RunContext, plan: Plan) -> None:
    """Leaves its figures in the work folder. Raises JobOutcome."""
    argv = first_pass_argv(plan, ctx.source)
    ctx.log(f"$ {shown_command(argv)}")

    def report(progress: FfmpegProgress) -> None:
        shown = phase_progress(progress, plan)
        half = None if shown.pct is None else round(shown.pct / 2, 2)
        ctx.report(replace(shown, pct=half, eta_s=None, bytes_so_far=None, note="First pass"))

    result = run_ffmpeg(
        argv, cwd=ctx.work_dir, on_progress=report, checkpoint=ctx.checkpoint, log=ctx.log
    )
    figures = next(ctx.work_dir.glob(f"{PASS_STEM}-*.log"), ctx.work_dir / f"{PASS_STEM}-0.log")
    problem = outcome_of(result, figures)
    if problem is not None:
        refuse_missing(ctx)
        raise problem


def extract_covers(ctx: RunContext, plan: Plan) -> None:
    """Matroska's cover art is attached from files, as its muxer takes no picture streams."""
    for stream in plan.kept:
        if stream.kind != StreamKind.COVER or "-attach" not in plan.output_options:
            continue
        argv = [*ffmpeg_argv(), "-y", *guarded_input(ctx.source)]
        argv += ["-map", f"0:{stream.source_index}", "-c", "copy", "-frames:v", "1"]
        argv += ["-f", "image2", "-update", "1", stream.file_name]
        result = run_ffmpeg(argv, cwd=ctx.work_dir, checkpoint=ctx.checkpoint, log=ctx.log)
        problem = outcome_of(result, ctx.work_dir / stream.file_name)
        if problem is not None:
            refuse_missing(ctx)
            raise problem


def _reporter(ctx: RunContext, plan: Plan) -> Callable[[FfmpegProgress], None]:
    furthest_pct = 0.0  # a share never goes back, whatever stream ffmpeg's time came from

    def report(progress: FfmpegProgress) -> None:
        nonlocal furthest_pct
        shown = phase_progress(progress, plan)
        if shown.pct is not None:
            furthest_pct = max(furthest_pct, shown.pct)
            shown = replace(shown, pct=furthest_pct)
        if plan.video is not None and plan.video.two_pass and shown.pct is not None:
            shown = replace(shown, pct=round(50 + shown.pct / 2, 2), note="Second pass")
        ctx.report(shown)

    return report


def phase_progress(progress: FfmpegProgress, plan: Plan) -> PhaseProgress:
    """Share of the film by pictures, by time where no pictures are encoded. Pure.

    ffmpeg's time is that of whatever stream it has: before the first picture, sound that is ahead.
    """
    share = None
    if progress.frame is not None and plan.video is not None and plan.video.expected_frames:
        share = progress.frame / plan.video.expected_frames
    elif progress.out_time_s is not None and plan.duration_s > 0:
        share = progress.out_time_s / plan.duration_s
    if share is not None:
        share = min(1.0, max(0.0, share))
    eta_s = None
    if share is not None and progress.speed:
        eta_s = (1 - share) * plan.duration_s / progress.speed
    return PhaseProgress(
        pct=None if share is None else round(100 * share, 2),
        fps=progress.fps,
        speed=progress.speed,
        eta_s=eta_s,
        bytes_so_far=progress.total_size,
    )


def _is_of(record: EncodeRecord, plan: Plan) -> bool:
    """Made by this plan, and so of this very film: the plan's hash covers the film's SHA-256."""
    return bool(plan.source_sha256) and record.plan_hash == plan.digest()


def finished_earlier(ctx: RunContext, plan: Plan) -> Path | None:
    """The file of an earlier attempt, if made by this plan and byte for byte what it was."""
    record = read_record(ctx.work_dir / RECORD_NAME)
    if record is None or not _is_of(record, plan):
        return None
    for stem in (ENCODED_STEM, OUTPUT_STEM):
        path = ctx.work_dir / f"{stem}{plan.extension}"
        if path.is_file() and path.stat().st_size == record.size_bytes:
            ctx.report(PhaseProgress(note="Checking what an earlier attempt encoded"))
            if _sha256(path, ctx) == record.sha256:
                return path
    return None


def remove_leftovers(work_dir: Path) -> None:
    for stem in (ENCODED_STEM, f"{ENCODED_STEM}.part", OUTPUT_STEM):
        for path in work_dir.glob(f"{stem}.*"):
            path.unlink()


def _sha256(path: Path, ctx: RunContext) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
            ctx.checkpoint()
    return digest.hexdigest()


def _own_chunk(ctx: RunContext, plan: Plan, digest: str) -> Chunk:
    """A job encoded whole has one chunk, with both ends open."""
    frames = plan.video.expected_frames if plan.video else None
    chunk, _ = Chunk.objects.get_or_create(
        job_id=ctx.job_id, index=0, defaults={"plan_hash": digest, "frames": frames}
    )
    if chunk.plan_hash != digest:
        with transaction.atomic():
            chunk.attempts.filter(status=ChunkAttemptStatus.PROVEN).update(
                status=ChunkAttemptStatus.LOST, error="made by another plan"
            )
            chunk.plan_hash, chunk.frames = digest, frames
            chunk.status, chunk.sha256, chunk.size_bytes = ChunkStatus.PENDING, "", None
            chunk.save(update_fields=["plan_hash", "frames", "status", "sha256", "size_bytes"])
    return chunk


def _begin_attempt(chunk: Chunk) -> ChunkAttempt:
    with transaction.atomic():
        # Only the holder of the job's lease is here: what still looks leased or proven is not.
        chunk.attempts.exclude(status=ChunkAttemptStatus.LOST).update(
            status=ChunkAttemptStatus.LOST, ended_at=timezone.now(), error="its runner ended"
        )
        return ChunkAttempt.objects.create(
            chunk=chunk, slot=LOCAL_SLOT, token=secrets.token_hex(16)
        )


def _end_attempt(attempt: ChunkAttempt, status: ChunkAttemptStatus, *, error: str = "") -> None:
    ChunkAttempt.objects.filter(pk=attempt.pk).update(
        status=status, ended_at=timezone.now(), error=error
    )


def _prove(chunk: Chunk, attempt: ChunkAttempt, record: EncodeRecord, name: str) -> None:
    with transaction.atomic():
        _end_attempt(attempt, ChunkAttemptStatus.PROVEN)
        ChunkAttempt.objects.filter(pk=attempt.pk).update(sha256=record.sha256)
        Chunk.objects.filter(pk=chunk.pk).update(
            status=ChunkStatus.DONE,
            sha256=record.sha256,
            size_bytes=record.size_bytes,
            file_name=name,
        )


def _mark_resumed(ctx: RunContext) -> None:
    with transaction.atomic():
        Job.objects.filter(pk=ctx.job_id, lease_token=ctx.token).update(resumed_chunks=1)
        Chunk.objects.filter(job_id=ctx.job_id, index=0).update(status=ChunkStatus.DONE)
