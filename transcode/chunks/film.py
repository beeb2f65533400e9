"""A planned film, encoded as its plan says: in chunks, or whole where that is safer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaflow.base.db_retry import retry_on_busy
from transcode.chunks.encoding import CutFilm
from transcode.chunks.engine import CannotCut, encode_chunks
from transcode.chunks.joining import join_chunks
from transcode.chunks.parallel import crew_size
from transcode.chunks.rows import mark_all_resumed
from transcode.encoding.encode import encode_film, finished_earlier
from transcode.models import Job
from transcode.running.work_folders import CHUNKS_FOLDER, UNSAFE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import MediaInfo
    from transcode.planning.model import Plan
    from transcode.planning.packet_index import PacketIndex
    from transcode.running.context import RunContext


def encode_as_planned(
    ctx: RunContext, plan: Plan, info: MediaInfo, index: PacketIndex
) -> Path | None:
    """The encoded film, or None: its chunks are there, to be joined. Raises JobOutcome."""
    if not plan.chunks:
        return encode_film(ctx, plan, source_bytes=info.size_bytes)
    reason = _why_unsafe(ctx.work_dir)
    if reason:
        _run_whole(ctx, reason)
        return encode_film(ctx, plan, source_bytes=info.size_bytes)
    joined = finished_earlier(ctx, plan)
    if joined is not None:
        mark_all_resumed(ctx, len(plan.chunks))
        return joined
    try:
        encode_chunks(ctx, cut_film(ctx, plan, info, index), crew_size(plan))
    except CannotCut as problem:
        _run_whole(ctx, str(problem))
        return encode_film(ctx, plan, source_bytes=info.size_bytes)
    return None


def joined_film(ctx: RunContext, plan: Plan, info: MediaInfo, index: PacketIndex) -> Path:
    """The film with all its tracks, from its chunks. Safe to run twice. Raises JobOutcome."""
    return join_chunks(ctx, cut_film(ctx, plan, info, index))


def cut_film(ctx: RunContext, plan: Plan, info: MediaInfo, index: PacketIndex) -> CutFilm:
    return CutFilm(ctx.source, plan, index, info.start_s or 0.0, info.format_name)


def _why_unsafe(work_dir: Path) -> str:
    """What an earlier attempt found; "" when nothing speaks against cutting."""
    try:
        return (work_dir / CHUNKS_FOLDER / UNSAFE_NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _run_whole(ctx: RunContext, reason: str) -> None:
    ctx.log(f"{reason} The film is encoded whole.")
    (ctx.work_dir / CHUNKS_FOLDER / UNSAFE_NAME).write_text(reason, encoding="utf-8")
    retry_on_busy(
        lambda: Job.objects.filter(pk=ctx.job_id, lease_token=ctx.token).update(
            whole_reason=reason[:200], chunks_total=0, chunks_done=0, resumed_chunks=0
        )
    )
