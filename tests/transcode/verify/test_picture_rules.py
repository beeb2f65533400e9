"""What the rules for pictures make passes the whole ladder: dynamic HDR, constant rates, crops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind
from library.probing.probe import probe_file
from tests.dynamic_hdr import make_dolby_vision, make_hdr10_plus, side_data
from tests.media import make_clip, suffix_of
from tests.transcode.verify.pairs import encode_by_preset, ffmpeg
from tests.transcode.verify.walk import failed_rungs
from transcode.planning.borders import Borders, CropBox
from transcode.planning.chromecast import Verdict, judge_for_chromecast
from transcode.planning.packet_index import read_packet_index
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from library.media_info import VideoStream
    from tests.transcode.verify.pairs import Pair

pytestmark = pytest.mark.ffmpeg
CHROMECAST = PresetSpec(
    container="mp4",
    video=VideoRule(
        encoder="x264",
        crf=20,
        speed="fastest",
        bit_depth=8,
        hdr="tone_map",
        profile="high",
        level="4.1",
    ),
    audio=AudioRule(codec="aac", max_channels=2, keep_lossless=False),
    skip_if_chromecast_ready=True,
    min_saving_pct=-200,
    min_vmaf_mean=0,
    min_vmaf_p5=0,
)
DYNAMIC = {"DOVI_METADATA", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_PLUS"}


def spec(encoder: str = "x265", crf: float = 20, **video: object) -> PresetSpec:
    rule = VideoRule(encoder=encoder, crf=crf, speed="fastest", **video)  # type: ignore[arg-type]
    return PresetSpec(video=rule, min_saving_pct=-200, min_vmaf_mean=80, min_vmaf_p5=70)


def picture_of(pair: Pair) -> VideoStream:
    video = probe_file(bytes(pair.output)).main_video
    assert video is not None
    return video


@pytest.mark.parametrize(
    ("encoder", "crf", "profile"), [("x265", 20, "8.1"), ("svtav1", 25, "10.1")]
)
def test_dolby_vision_comes_out_picture_by_picture(
    tmp_path: Path, encoder: str, crf: float, profile: str
) -> None:
    source = make_dolby_vision(tmp_path / "film.mkv")
    pair = encode_by_preset(source, tmp_path, spec(encoder, crf))
    assert failed_rungs(pair) == {}
    video = picture_of(pair)
    assert (video.hdr, video.dolby_vision_profile) == (HdrKind.DOLBY_VISION, profile)
    before, after = side_data(source), side_data(pair.output)
    assert [s["DOVI_METADATA"] for s in after] == [s["DOVI_METADATA"] for s in before]


@pytest.mark.parametrize("make", [make_dolby_vision, make_hdr10_plus], ids=["dv", "hdr10+"])
def test_what_is_reduced_to_hdr10_carries_no_dynamic_data_any_more(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    source = make(tmp_path / "film.mkv")
    assert DYNAMIC & side_data(source)[0].keys()
    pair = encode_by_preset(source, tmp_path, spec(hdr="hdr10"))
    assert failed_rungs(pair) == {}
    assert not any(DYNAMIC & s.keys() for s in side_data(pair.output))
    video = picture_of(pair)
    assert (video.hdr, video.dolby_vision_profile) == (HdrKind.HDR10, "")
    assert (video.max_cll_nits, video.max_fall_nits) == (1000, 400)
    assert len(pair.prepared.plan.losses) == 1


def test_hdr10_plus_comes_out_picture_by_picture_or_fails_the_colour_rung(tmp_path: Path) -> None:
    source = make_hdr10_plus(tmp_path / "film.mkv")
    pair = encode_by_preset(source, tmp_path, spec())
    assert failed_rungs(pair) == {}
    before, after = side_data(source), side_data(pair.output)
    assert len({s["DYNAMIC_HDR_PLUS"] for s in before}) == len(before) == 25
    assert [s["DYNAMIC_HDR_PLUS"] for s in after] == [s["DYNAMIC_HDR_PLUS"] for s in before]
    other = pair.output.with_name("other.mkv")
    ffmpeg("-i", pair.output, "-c", "copy", "-bsf:v", "filter_units=remove_types=39", other)
    other.replace(pair.output)
    assert set(failed_rungs(pair)) == {9}


def test_dolby_vision_that_went_missing_fails_the_colour_rung(tmp_path: Path) -> None:
    pair = encode_by_preset(make_dolby_vision(tmp_path / "film.mkv"), tmp_path, spec())
    bare = tmp_path / "bare.mkv"
    ffmpeg("-i", pair.output, "-c", "copy", "-bsf:v", "dovi_rpu=strip=1", bare)
    bare.replace(pair.output)
    failed = failed_rungs(pair)
    assert set(failed) == {9}
    assert "hdr10, not dolby_vision" in failed[9]


def test_closed_captions_that_went_missing_fail_the_colour_rung(tmp_path: Path) -> None:
    source = make_clip("captions", tmp_path / "film.ts", crf=2)
    pair = encode_by_preset(source, tmp_path, spec())
    assert failed_rungs(pair) == {}
    bare = tmp_path / "bare.mkv"
    ffmpeg(
        "-i", pair.output, "-map", "0", "-c", "copy", "-bsf:v", "filter_units=remove_types=39", bare
    )
    bare.replace(pair.output)
    assert "captions" in failed_rungs(pair)[9]


def test_a_variable_rate_becomes_constant_with_the_promised_pictures(tmp_path: Path) -> None:
    source = make_clip("vfr", tmp_path / "film.mkv", 2, crf=2)
    pair = encode_by_preset(source, tmp_path, spec(frame_rate="constant"))
    plan = pair.prepared.plan.video
    assert plan is not None
    assert (plan.frame_rate, plan.source_frames, plan.expected_frames) == ("25", 40, 50)
    index = read_packet_index(bytes(pair.output))
    assert abs(index.frames - plan.expected_frames) <= plan.frame_tolerance
    gaps = [float((b - a) * index.time_base) for a, b in pairwise(index.video_pts)]
    assert max(gaps) - min(gaps) <= 0.0011
    assert failed_rungs(pair) == {}


def test_a_film_without_its_bars_is_compared_without_them(tmp_path: Path) -> None:
    source = make_clip("h264_mkv", tmp_path / "film.mkv", crf=2)
    borders = Borders(CropBox(0, 22, 320, 136), "bars")
    pair = encode_by_preset(source, tmp_path, spec(crop_borders=True), borders)
    assert failed_rungs(pair) == {}
    video = picture_of(pair)
    assert (video.width, video.height) == (320, 136)


def test_an_added_stereo_track_and_converted_sound_pass_the_ladder(tmp_path: Path) -> None:
    source = make_clip("two_audio", tmp_path / "film.mkv", crf=2)
    rule = AudioRule(codec="opus", copy_codecs=("ac3",), add_stereo=True, keep_commentary=False)
    pair = encode_by_preset(source, tmp_path, replace(spec(), audio=rule))
    assert failed_rungs(pair) == {}
    found = probe_file(bytes(pair.output)).audio
    assert [(a.codec, a.channels) for a in found] == [("ac3", 6), ("opus", 2)]


@pytest.mark.parametrize(
    ("kind", "actions"),
    [
        ("h264_mkv", ["copy", "copy"]),
        ("two_audio", ["copy", "encode", "copy"]),
        ("interlaced", ["encode", "encode"]),
        ("hevc_hdr10", ["encode", "encode"]),
    ],
)
def test_what_is_made_for_chromecast_plays_there(
    tmp_path: Path, kind: str, actions: list[str]
) -> None:
    source = make_clip(kind, tmp_path / f"film{suffix_of(kind)}", crf=12)
    pair = encode_by_preset(source, tmp_path, CHROMECAST)
    assert [s.action.value for s in pair.prepared.plan.kept] == actions
    assert failed_rungs(pair) == {}
    after = probe_file(bytes(pair.output))
    assert judge_for_chromecast(after).verdict == Verdict.PLAYS
