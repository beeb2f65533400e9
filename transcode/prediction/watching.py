"""Puts the watch of `early_stop` beside a running encode: it hears what progress is reported."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transcode.prediction.early_stop import SourceEffort, watch_encode
from transcode.prediction.other_tracks import bytes_beside_picture
from transcode.running.work_folders import CHUNKS_FOLDER, UNSAFE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transcode.running.context import PhaseProgress, RunContext
    from transcode.running.preparing import Prepared


@contextmanager
def watched_encode(
    ctx: RunContext, prepared: Prepared, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """While it lasts, `ctx.report` raises JobSkipped once the encode is not worth going on with.

    Chunks hold the picture alone; one ffmpeg writes all tracks.
    """
    plan, index = prepared.plan, prepared.index
    is_encoded = plan.video is not None and plan.video.encoder != "copy"
    watch = watch_encode(
        prepared.info.size_bytes,
        plan.min_saving_pct,
        is_encoded=is_encoded,
        rest_bytes=bytes_beside_picture(plan, index) if plan.chunks else 0,
        effort=SourceEffort(index.video_pts, index.video_sizes),
    )
    if watch is None:
        yield
        return
    report, began = ctx.report, clock()
    unsafe = ctx.work_dir / CHUNKS_FOLDER / UNSAFE_NAME

    def report_and_watch(progress: PhaseProgress) -> None:
        report(progress)
        if watch.stop.rest_bytes and unsafe.exists():
            watch.stop.rest_bytes = 0  # cutting was given up: one ffmpeg writes all tracks now
        share = None if progress.pct is None else progress.pct / 100
        watch(share, progress.bytes_so_far, clock() - began, effort_share=progress.effort_share)

    ctx.report = report_and_watch
    try:
        yield
    finally:
        ctx.report = report
