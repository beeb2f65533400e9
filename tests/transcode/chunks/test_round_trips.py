"""Cut, encoded without loss and joined, a film is picture for picture and moment for moment itself.

The obvious ways to cut lose or double scenes with the right number of frames: only hashes show it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.media import make_clip
from tests.transcode.chunks import clips
from tests.transcode.chunks.world import chunk_world
from transcode.planning.packet_index import PacketIndex, read_packet_index
from transcode.verify.harmless import is_damage, unknown_lines
from transcode.verify.timing_rungs import largest_shift

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
LIMIT_S = 0.001


def assert_same_film(source: Path, before: PacketIndex, joined: Path) -> None:
    assert clips.frame_hashes(joined) == clips.frame_hashes(source)
    after = read_packet_index(os.fsencode(joined))
    assert after.frames == before.frames
    moved_s, _frame = largest_shift(
        before.video_pts, before.time_base, after.video_pts, after.time_base
    )
    assert moved_s <= LIMIT_S
    assert abs(_sound_after_picture_s(after) - _sound_after_picture_s(before)) <= 0.002


def _sound_after_picture_s(index: PacketIndex) -> float:
    starts = {span.kind: span.start_s or 0.0 for span in index.spans.values()}
    return starts.get("audio", starts["video"]) - starts["video"]


@pytest.mark.parametrize("name", clips.FILMS)
def test_a_film_in_chunks_is_the_film(tmp_path: Path, name: str) -> None:
    source = clips.film(name)
    world = chunk_world(tmp_path, source)
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    records = world.encode()
    # Decoding from the middle misses references at first: that is not held against the film.
    assert [unknown_lines(record.result.stderr_lines) for record in records] == [[]] * len(records)
    assert_same_film(source, world.film.index, world.join())


@pytest.mark.parametrize("name", ["late picture", "HEVC in TS", "variable rate"])
def test_a_film_in_chunks_is_the_film_in_mp4_too(tmp_path: Path, name: str) -> None:
    source = clips.film(name)
    world = chunk_world(tmp_path, source, container="mp4")
    world.encode()
    assert_same_film(source, world.film.index, world.join())


def test_a_film_whose_first_times_are_missing_is_the_film(tmp_path: Path) -> None:
    source = clips.first_times_missing()
    world = chunk_world(tmp_path, source)
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    world.encode()
    assert_same_film(source, world.film.index, world.join())


def test_a_film_with_a_hiding_edit_list_runs_whole_and_says_so(tmp_path: Path) -> None:
    world = chunk_world(tmp_path, clips.edit_list())
    assert world.plan.chunks == ()
    assert "edit list hides" in world.plan.whole_reason


@pytest.mark.slow
def test_the_rounding_of_120_chunks_at_29_97_does_not_add_up(tmp_path: Path) -> None:
    source = clips.long_film()
    world = chunk_world(tmp_path, source, chunk_seconds=1)
    assert len(world.plan.chunks) >= 120
    world.encode()
    assert_same_film(source, world.film.index, world.join())


def test_damage_is_seen_in_the_chunk_where_it_is_and_in_no_other(tmp_path: Path) -> None:
    source = make_clip("corrupt_middle", tmp_path / "clip.mkv", 3)
    world = chunk_world(tmp_path, source, chunk_seconds=1)
    records = world.encode()
    found = [any(is_damage(line) for line in record.result.stderr_lines) for record in records]
    assert found == [False, True, False]  # also where it lies in the lead-in of the next one
