"""Progress over all chunks: what is unknown stays unknown, what failed is taken off again."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from tests.clock import Clock
from tests.transcode.chunks.fakes import OK
from tests.transcode.encode.films import film, index_of, plan_for
from transcode.chunks.encoding import ChunkTask
from transcode.chunks.progress import ChunkProgress
from transcode.chunks.store import ChunkRecord
from transcode.encoding.progress import FfmpegProgress
from transcode.planning.model import PlannedChunk
from transcode.presets.spec import PresetSpec

TASKS = [ChunkTask(n, PlannedChunk(100 * n, 100 * (n + 1), 100), str(n)) for n in range(4)]
PLAN = replace(plan_for(film(), PresetSpec()), duration_s=16.0)  # 25 pictures a second


def record(size_bytes: int) -> ChunkRecord:
    return ChunkRecord("k", "s", size_bytes, 100, "e", 1.0, OK)


def test_what_runs_and_what_is_done_counts_together() -> None:
    clock = Clock()
    progress = ChunkProgress(PLAN, TASKS, clock)
    assert progress.shown().fps is None
    progress.started(TASKS[0])
    progress.started(TASKS[1])
    progress.moved(TASKS[0], FfmpegProgress(frame=90, total_size=900))
    progress.moved(TASKS[1], FfmpegProgress(frame=30, total_size=None))
    clock.now += 4.0
    shown = progress.shown()
    assert (shown.pct, shown.fps, shown.bytes_so_far) == (30.0, 30.0, 900)
    assert shown.eta_s == pytest.approx(280 / 30)
    assert shown.speed == pytest.approx(1.2)
    assert shown.note == "0 of 4 chunks done, 2 running"
    progress.finished(TASKS[0], record(1000), is_resumed=False)
    progress.failed(TASKS[1])
    shown = progress.shown()
    assert (shown.pct, shown.bytes_so_far) == (25.0, 1000)


def test_chunks_of_an_earlier_attempt_say_nothing_about_the_speed() -> None:
    clock = Clock()
    progress = ChunkProgress(PLAN, TASKS, clock)
    progress.finished(TASKS[0], record(1000), is_resumed=True)
    clock.now += 10.0
    assert (progress.shown().pct, progress.shown().fps) == (25.0, None)


def test_an_ffmpeg_that_says_more_pictures_than_planned_does_not_exceed_the_whole() -> None:
    progress = ChunkProgress(PLAN, TASKS[:1])
    progress.started(TASKS[0])
    progress.moved(TASKS[0], FfmpegProgress(frame=500))
    assert progress.shown().pct == 100.0


def test_what_the_source_needed_for_the_chunks_that_are_done_is_known() -> None:
    info = film()
    pts, sizes = array("q", range(400)), array("q", [1] * 300 + [7] * 100)
    index = index_of(info, video_pts=pts, video_sizes=sizes)
    progress = ChunkProgress(PLAN, TASKS, Clock(), index=index)
    progress.finished(TASKS[3], record(1000), is_resumed=False)
    progress.started(TASKS[0])
    progress.moved(TASKS[0], FfmpegProgress(frame=50, total_size=10))
    shown = progress.shown()
    assert shown.pct == 37.5
    assert shown.effort_share == pytest.approx(0.75)


def test_what_running_chunks_have_left_is_told_in_work_of_another_one() -> None:
    """A chunk of half the film's bytes and a quarter of its pictures is 3/8 of its work."""
    sizes = array("q", [1] * 300 + [3] * 100)
    index = index_of(film(), video_pts=array("q", range(400)), video_sizes=sizes)
    progress = ChunkProgress(PLAN, TASKS, Clock(), index=index)
    progress.started(TASKS[3])
    progress.moved(TASKS[3], FfmpegProgress(frame=50))
    light = (100 / 400 + 100 / 600) / 2
    assert progress.left_of_running(TASKS[0]) == pytest.approx((3 / 8 / 2 / light,))
    blind = ChunkProgress(PLAN, TASKS, Clock())
    blind.started(TASKS[3])
    blind.moved(TASKS[3], FfmpegProgress(frame=50))
    assert blind.left_of_running(TASKS[0]) == (0.5,)


def test_what_everything_waits_for_is_shown_until_a_chunk_starts() -> None:
    progress = ChunkProgress(PLAN, TASKS, Clock())
    progress.waits("The GPU is at 95 °C.")
    assert progress.shown().note == "The GPU is at 95 °C."
    progress.started(TASKS[0])
    progress.failed(TASKS[0])
    assert progress.shown().note == "0 of 4 chunks done, 0 running"
