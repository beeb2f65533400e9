"""Where films are cut, and what makes them run whole."""

from __future__ import annotations

from array import array
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.encode.films import COPY, film, index_of, plan_for, video
from transcode.chunks.commands import (
    chunk_options,
    concat_list,
    concat_text,
    join_options,
    late_start_s,
    seek_options,
)
from transcode.chunks.cutting import cut, pictures_of, with_chunks
from transcode.chunks.filters import neighbour_problem, split_chain, with_range
from transcode.planning.model import Plan, PlannedChunk
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from transcode.planning.packet_index import PacketIndex

X265 = PresetSpec()


def ticks(count: int, step: int, *, gop: int, start: int = 0) -> dict[str, Any]:
    pts = array("q", range(start, start + count * step, step))
    return {"video_pts": pts, "video_keys": pts[::gop]}


def film_of(**index: Any) -> tuple[PacketIndex, Plan]:
    info = film()
    return index_of(info, **index), plan_for(info, X265, **index)


def bounds(index: PacketIndex, plan: Plan, seconds: float) -> list[int]:
    chunks = cut(index, film(), plan, chunk_seconds=seconds).chunks
    assert all(a.end_pts == b.start_pts for a, b in pairwise(chunks))
    assert sum(chunk.frames for chunk in chunks) == index.frames
    return [chunk.start_pts for chunk in chunks] + [chunks[-1].end_pts] if chunks else []


def test_a_film_is_cut_at_the_first_keyframe_after_each_length() -> None:
    index, plan = film_of(**ticks(500, 40, gop=30))  # 20 s, a keyframe each 1.2 s
    assert bounds(index, plan, 5) == [0, 6000, 12000, 20000]


def test_a_short_rest_belongs_to_the_chunk_before() -> None:
    index, plan = film_of(**ticks(300, 40, gop=25))  # 12 s
    assert bounds(index, plan, 5) == [0, 5000, 12000]


@pytest.mark.parametrize("seconds", [11, 16, 20, 26])
def test_a_film_of_one_to_two_chunks_is_cut_in_halves(seconds: float) -> None:
    index, plan = film_of(**ticks(500, 40, gop=25))  # 20 s, a keyframe each second
    assert bounds(index, plan, seconds) == [0, 10000, 20000]


def test_keyframes_that_are_not_shown_are_no_place_to_cut() -> None:
    index, plan = film_of(**ticks(500, 40, gop=25))
    index = replace(index, video_keys=array("q", [0, 5001, 6000, 12000]))
    assert bounds(index, plan, 5) == [0, 6000, 12000, 20000]


def test_a_film_with_one_keyframe_is_not_cut() -> None:
    index, plan = film_of(**ticks(500, 40, gop=500))
    found = cut(index, film(), plan, chunk_seconds=5)
    assert found.chunks == ()
    assert "too few keyframes" in found.whole_reason


def test_the_pictures_of_a_chunk_are_those_of_its_range() -> None:
    index, _plan = film_of(**ticks(10, 40, gop=5))
    assert list(pictures_of(index, PlannedChunk(80, 200, 3))) == [80, 120, 160]


@pytest.mark.parametrize(
    ("index", "info", "reason"),
    [
        ({"hidden_packets": 3}, {}, "edit list hides 3"),
        ({"is_truncated": True}, {}, "breaks off"),
        ({}, {"format_name": "h264"}, "raw stream"),
        ({}, {"start_s": None}, "when it starts"),
        ({"video_pts": array("q", [0, 40, 40, 80])}, {}, "the same time"),
        ({"video_pts": array("q", [0, 40, 50_000, 50_040])}, {}, "clock jumps"),
    ],
)
def test_a_film_that_is_not_cut_safely_runs_whole(
    index: dict[str, Any], info: dict[str, Any], reason: str
) -> None:
    cuttable, plan = film_of(**ticks(500, 40, gop=25))
    found = cut(replace(cuttable, **index), film(**info), plan, chunk_seconds=5)
    assert found.chunks == ()
    assert reason in found.whole_reason


def planned(spec: PresetSpec, **stream: Any) -> str:
    """The reason for a film of 20 s with these streams."""
    info = film(video(**stream))
    index = index_of(info, **ticks(500, 40, gop=25))
    plan = plan_for(info, spec, **ticks(500, 40, gop=25))
    return cut(index, info, plan, chunk_seconds=5).whole_reason


def x264(**rule: Any) -> PresetSpec:
    return PresetSpec(video=VideoRule(**{"encoder": "x264", "crf": 20, **rule}))


def test_ways_of_encoding_that_see_the_whole_film_run_whole() -> None:
    assert "copied as it is" in planned(COPY)
    assert "bit rate" in planned(x264(crf=None, bit_rate_kbps=900))
    assert "interlaced" in planned(x264(deinterlace=False), is_interlaced=True)
    index, plan = film_of(**ticks(500, 40, gop=25))
    assert plan.video is not None
    uneven = replace(plan, video=replace(plan.video, expected_frames=501))
    assert "constant" in cut(index, film(), uneven, chunk_seconds=5).whole_reason
    says_no = cut(index, film(), plan, chunk_seconds=5, is_allowed=False)
    assert "preset says" in says_no.whole_reason
    assert "shorter than 21 s" in cut(index, film(), plan, chunk_seconds=28).whole_reason


def test_deinterlacing_scaling_and_tone_mapping_are_cut() -> None:
    assert planned(x264(), is_interlaced=True) == ""
    assert planned(x264(max_resolution=480)) == ""
    assert planned(X265) == ""


def test_a_filter_that_nobody_knows_runs_whole() -> None:
    assert neighbour_problem("scale=2:2,hqdn3d=4,setsar=1") == "hqdn3d"
    assert neighbour_problem("bwdif=mode=send_field") == "bwdif"
    assert neighbour_problem("fps=25") == "fps"
    assert neighbour_problem("") == ""


def test_a_range_is_cut_behind_what_looks_at_neighbours() -> None:
    assert with_range("", 10, 20) == "trim=start_pts=10:end_pts=20"
    assert with_range("scale=2:2", 10, 20) == "trim=start_pts=10:end_pts=20,scale=2:2"
    # bwdif's clock ticks twice as fast.
    assert with_range("bwdif=deint=all,scale=2:2", 10, 20) == (
        "bwdif=deint=all,trim=start_pts=20:end_pts=40,scale=2:2"
    )


def test_a_comma_in_quotes_ends_no_filter() -> None:
    assert split_chain("a='x,y',b=c\\,d,e") == ("a='x,y'", "b=c\\,d", "e")


def test_seeking_begins_two_keyframes_early_and_counts_from_the_films_start() -> None:
    index, _plan = film_of(**ticks(500, 40, gop=25, start=3000))
    chunk = PlannedChunk(8000, 9000, 25)
    assert seek_options(index, chunk, 3.0, 2) == ("-copyts", "-ss", "3.000000")
    assert seek_options(index, chunk, 3.0, 10) == ("-copyts",)
    assert seek_options(index, chunk, 3.0, 0) == ("-copyts",)
    assert seek_options(index, PlannedChunk(3000, 4000, 25), 3.0, 2) == ("-copyts",)


def test_a_chunk_is_encoded_by_the_plans_own_options() -> None:
    index, plan = film_of(**ticks(500, 40, gop=25))
    plan = with_chunks(plan, index, film(), chunk_seconds=5)
    options = chunk_options(plan, plan.chunks[1], "x.pts", plan.video_options)
    assert options[:2] == ("-map", "0:0")
    start = options.index("-c:v:0")
    end = options.index("-stats_enc_pre:v:0")
    cut_out = "trim=start_pts=5000:end_pts=10000,"
    assert tuple(part.removeprefix(cut_out) for part in options[start:end]) == plan.video_options
    assert sum(cut_out in part for part in options) == 1
    assert options[-2:] == ("-f", "matroska")
    assert not {"0:1", "-c:a:0", "copy"} & set(options)


def test_the_join_takes_the_picture_from_the_chunks_and_all_else_from_the_film() -> None:
    _index, plan = film_of(**ticks(500, 40, gop=25))
    options = join_options(plan)
    assert [b for a, b in pairwise(options) if a == "-map"] == [
        "1:v:0",
        "0:1",
    ]
    assert options[-4:] == ("-c:v:0", "copy", "-f", "matroska")
    left = [part for part in options if part.endswith(":v:0") and part != "1:v:0"]
    assert left == ["-c:v:0"]
    # The sound, the tags and the muxer's options are untouched and in their order.
    rest = [p for p in plan.output_options if p not in plan.video_options and p != "0:0"]
    assert [p for p in options if p != "1:v:0"] == [*rest[:-2], "-c:v:0", "copy", *rest[-2:]]


def test_rounding_never_adds_up() -> None:
    base = Fraction(1001, 30000)
    chunks = [PlannedChunk(30 * n, 30 * (n + 1), 30) for n in range(200)]
    _index, plan = film_of(**ticks(500, 40, gop=25))
    for container, grid in (("mkv", Fraction(1, 1000)), ("mp4", Fraction(1, 1_000_000))):
        durations = concat_list(replace(plan, container=container), chunks, base)
        for count in range(1, 200):
            exact = chunks[count - 1].end_pts * base
            assert abs(sum(durations[:count]) - exact) <= grid / 2


def test_halves_are_rounded_as_ffmpeg_does() -> None:
    _index, plan = film_of(**ticks(500, 40, gop=25))
    chunks = [PlannedChunk(0, 5005, 1), PlannedChunk(5005, 7000, 1)]  # 2502.5 ms
    assert concat_list(plan, chunks, Fraction(1, 2000))[0] == Fraction(2503, 1000)


def test_the_list_names_each_file_and_how_long_it_lasts() -> None:
    text = concat_text(["a.mkv", "b.mkv"], [Fraction(5, 4), Fraction(1)])
    assert text == (
        "ffconcat version 1.0\nfile a.mkv\nduration 1.250000\nfile b.mkv\nduration 1.000000\n"
    )


def test_a_late_picture_stays_late() -> None:
    index, plan = film_of(**ticks(500, 40, gop=25, start=3700))
    plan = with_chunks(plan, index, film(), chunk_seconds=5)
    assert late_start_s(plan, index, 3.0) == pytest.approx(0.7)


def test_a_plan_with_chunks_is_read_back_and_one_without_stays_readable() -> None:
    index, plan = film_of(**ticks(500, 40, gop=25))
    cut_plan = with_chunks(plan, index, film(), chunk_seconds=5)
    assert Plan.from_json(cut_plan.to_json()) == cut_plan
    assert cut_plan.digest() != plan.digest()
    old = plan.to_json()
    del old["chunks"], old["whole_reason"]
    assert Plan.from_json(old) == plan
