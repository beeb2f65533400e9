"""Which chunk is encoded when, and with how many threads."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from mediaflow.base.settings_store import set_setting
from tests.transcode.encode.films import film, index_of, plan_for
from transcode.chunks.encoding import ChunkTask
from transcode.chunks.order import in_good_order
from transcode.chunks.parallel import crew_size
from transcode.encoders.threads import Parallelism, Rest, threads_of_next
from transcode.planning.model import PlannedChunk
from transcode.presets.spec import PresetSpec, VideoRule


def test_the_last_chunks_begin_with_the_heaviest() -> None:
    tasks = [ChunkTask(n, PlannedChunk(2 * n, 2 * n + 2, 2), str(n)) for n in range(6)]
    index = replace(
        index_of(film()),
        video_pts=array("q", range(12)),
        video_sizes=array("q", [1, 1, 9, 9, 2, 2, 1, 1, 8, 8, 3, 3]),
    )
    assert [t.number for t in in_good_order(tasks, index, last=4)] == [0, 1, 4, 5, 2, 3]
    assert [t.number for t in in_good_order(tasks[:3], index, last=4)] == [1, 2, 0]
    unknown = replace(index, video_sizes=array("q"))
    assert [t.number for t in in_good_order(tasks, unknown, last=4)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("family", "to_start", "running", "expected"),
    [
        ("x265", 6, (0.1, 0.5), 2),  # each slot gets another one
        ("x265", 2, (0.2, 0.5), 3),
        ("x265", 1, (0.2, 0.5), 6),  # it will soon be alone
        ("x265", 1, (), 6),
        ("x265", 1, (0.9, 0.5), 3),  # one will be there as long as this one
        ("svtav1", 1, (0.9, 1.0), 2),  # nearly together
    ],
)
def test_the_chunks_started_last_get_the_threads_that_others_leave(
    family: str, to_start: int, running: tuple[float, ...], expected: int
) -> None:
    assert threads_of_next(family, Parallelism(3, 2), Rest(to_start, running)) == expected


@pytest.mark.parametrize(("family", "expected"), [("x264", [6, 6]), ("svtav1", [3, 3])])
def test_chunks_that_start_together_get_the_same_threads(family: str, expected: list[int]) -> None:
    """One with more would end early, and leave the other alone with its few."""
    rests = Rest(2, is_only_wave=True), Rest(1, (1.0,), is_only_wave=True)
    assert [threads_of_next(family, Parallelism(3, 2), rest) for rest in rests] == expected


@pytest.mark.django_db
def test_threads_and_number_at_once_follow_the_settings() -> None:
    plan = plan_for(film(), PresetSpec(video=VideoRule(encoder="x264", crf=20)))
    set_setting("chunks_parallel", 2, None)
    set_setting("threads_per_chunk", 1, None)
    size = crew_size(plan)
    assert size.processes == 2
    assert size.options(Rest(5, (0.5,))) == (*plan.video_options, "-threads:v:0", "1")
    assert size.options(Rest(1, (0.5,))) == (*plan.video_options, "-threads:v:0", "2")
