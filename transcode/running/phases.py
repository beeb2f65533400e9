"""What the runner calls, in this order: prepare, encode, assemble. Each may be repeated after a
crash and goes on from what is on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from library.scanning.identity import content_fingerprint
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.input_guard import guarded_input
from transcode.encoding.encode import OUTPUT_STEM, encode_film, read_encode_result
from transcode.encoding.ffmpeg import FfmpegMissing, ffmpeg_argv, find_ffmpeg, shown_command
from transcode.models import Job
from transcode.outcomes import JobFailed, JobSkipped, JobWaits
from transcode.planning import refusals
from transcode.planning.packet_index import PacketIndex, index_in_worker
from transcode.planning.plan import make_plan
from transcode.prediction.estimate import Estimate, estimate_size, facts_of_info
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import MediaInfo
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

FAIL_PREPARED = declare("prepare.done", "everything is planned, nothing is encoded")
FAIL_MOVED = declare("assemble.moved", "the output has its final name in the work folder")
FAIL_ASSEMBLED = declare("assemble.done", "the output is on disk for certain")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first frame is encoded."""

    plan: Plan
    info: MediaInfo
    index: PacketIndex
    estimate: Estimate


def prepare(ctx: RunContext) -> Prepared:
    """Refuse, probe, read all packets and the hash in one pass, plan. Raises JobOutcome.

    Sets `ctx.snapshot.sha256`, the second half of S0.
    """
    job = Job.objects.select_related("file__library").get(pk=ctx.job_id)
    if job.file is not None:
        output_dir = bytes(job.output_dir_raw) if job.output_dir_raw else None
        policy = refusals.policy_of(job.file, output_mode=job.output_mode, output_dir=output_dir)
        refusals.refuse_by_directory(ctx.source, policy)
    ctx.report(PhaseProgress(note="Reading the film"))
    info = _probe(ctx.source)
    refusals.refuse_done(info, ctx.preset_slug)
    index = _read_packets(ctx)
    refusals.refuse_by_reading(index)
    plan = make_plan(
        info,
        index,
        ctx.spec,
        preset_slug=ctx.preset_slug,
        job_uuid=ctx.job_uuid,
        fingerprint=_fingerprint(ctx.source),
        ffmpeg_version=_ffmpeg_version(),
    )
    estimate = estimate_size(facts_of_info(info), ctx.spec)
    refusals.refuse_by_plan(info, plan, ctx.spec, estimate)
    reach(FAIL_PREPARED)
    return Prepared(plan, info, index, estimate)


def encode(ctx: RunContext, prepared: Prepared) -> Path:
    """The encoded film with all its tracks. Raises JobOutcome."""
    return encode_film(ctx, prepared.plan, source_bytes=prepared.info.size_bytes)


def assemble(ctx: RunContext, prepared: Prepared, encoded: Path) -> Path:
    """Give the finished film its final name in the work folder and force it onto the disk.

    One ffmpeg wrote all tracks, so there is nothing to join. Safe to run twice. Raises JobOutcome.
    """
    ctx.checkpoint()
    output = ctx.work_dir / f"{OUTPUT_STEM}{prepared.plan.extension}"
    try:
        encoded.replace(output)
        reach(FAIL_MOVED)
        _force_to_disk(output)
        _force_to_disk(ctx.work_dir)
    except OSError as error:
        raise JobFailed(
            "assemble_failed",
            f"The encoded film could not be written to the work folder: {error.strerror}.",
            is_retryable=True,
        ) from error
    reach(FAIL_ASSEMBLED)
    return output


def display_command(plan: Plan, source: bytes, output: str) -> str:
    """The command as a person could paste it into a shell."""
    options = guarded_input(source, options=plan.input_options)
    argv = [*ffmpeg_argv(), *options, *plan.output_options, output]
    return shown_command(argv)


def _probe(source: bytes) -> MediaInfo:
    try:
        return probe_in_worker(source)
    except ProbeProblem as problem:
        raise _outcome_of(problem) from problem


def _read_packets(ctx: RunContext) -> PacketIndex:
    try:
        index = index_in_worker(ctx.source, with_sha256=True, checkpoint=ctx.checkpoint)
    except ProbeProblem as problem:
        raise _outcome_of(problem) from problem
    ctx.snapshot = replace(ctx.snapshot, sha256=index.sha256)
    return index


def _outcome_of(problem: ProbeProblem) -> JobFailed | JobSkipped | JobWaits:
    if problem.kind in ("encrypted", "not_media"):
        return JobSkipped(problem.kind, problem.text)
    if problem.kind == "vanished":
        return JobFailed("source_missing", problem.text)
    is_retryable = problem.kind in ("timeout", "unreadable")
    return JobFailed(f"source_{problem.kind}", problem.text, is_retryable=is_retryable)


def _fingerprint(source: bytes) -> str:
    try:
        return content_fingerprint(source)
    except OSError as error:
        reason = f"The film cannot be read: {error.strerror}."
        raise JobWaits("source_unreachable", reason) from error


def _ffmpeg_version() -> str:
    try:
        return find_ffmpeg().version
    except FfmpegMissing as error:
        raise JobFailed("ffmpeg_missing", str(error)) from error


def _force_to_disk(path: Path) -> None:
    """fsync of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["Prepared", "assemble", "display_command", "encode", "prepare", "read_encode_result"]
