"""Which chunk is encoded when, and with how many threads."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from mediaflow.base.settings_store import set_setting
from tests.transcode.encode.films import film, index_of, plan_for
from transcode.chunks.encoding import ChunkTask
from transcode.chunks.order import in_good_order
from transcode.chunks.parallel import CrewSize, crew_size
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


def test_the_chunks_started_last_get_the_threads_that_others_leave() -> None:
    size = CrewSize(3, ("three",), (("one",), ("two",)))
    assert [size.options(left) for left in (9, 3, 2, 1)] == [
        ("three",),
        ("three",),
        ("two",),
        ("one",),
    ]


@pytest.mark.django_db
def test_threads_and_number_at_once_follow_the_settings() -> None:
    plan = plan_for(film(), PresetSpec(video=VideoRule(encoder="x264", crf=20)))
    set_setting("chunks_parallel", 2, None)
    set_setting("threads_per_chunk", 1, None)
    size = crew_size(plan)
    assert size.processes == 2
    assert size.video_options == (*plan.video_options, "-threads:v:0", "1")
    assert size.options(1) == (*plan.video_options, "-threads:v:0", "2")
