"""Chromecast generations 2 and 3: what plays, what changes its container, what is converted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from library.media_info import Disposition, HdrKind, MediaInfo
from tests.transcode.encode.films import audio, film, plan_for, refusal, video
from transcode.outcomes import JobSkipped
from transcode.planning.chromecast import Verdict, judge_for_chromecast
from transcode.planning.model import Action
from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule

CHROMECAST = PresetSpec(
    container="mp4",
    video=VideoRule(
        encoder="x264", crf=21, bit_depth=8, hdr="tone_map", profile="high", level="4.1"
    ),
    audio=AudioRule(codec="aac", max_channels=2, keep_lossless=False),
    subtitles=SubtitleRule(mode="convert"),
    skip_if_chromecast_ready=True,
)


def ready(picture: dict[str, Any] | None = None, sound: dict[str, Any] | None = None) -> MediaInfo:
    """An MP4 that plays, but for what is said."""
    plain: dict[str, Any] = {"profile": "High", "level": 41, "frame_rate": "24000/1001"}
    track = {"profile": "LC", "sample_rate_hz": 48_000}
    return film(
        video(**plain | (picture or {})),
        container="mp4",
        audio=(audio(1, **track | (sound or {})),),
    )


@pytest.mark.parametrize(
    "info",
    [
        ready(),
        ready({"width": 1280, "height": 720, "frame_rate": "60000/1001"}),
        ready({"frame_rate": "30"}),
        ready({"pix_fmt": "yuvj420p", "color_range": "pc"}),
        ready({"profile": "Constrained Baseline", "level": 9}),
        ready(sound={"codec": "mp3", "profile": ""}),
        ready(sound={"profile": "HE-AACv2"}),
        replace(ready(), audio=()),
        replace(
            ready({"codec": "vp8", "profile": "", "level": None}, {"codec": "vorbis"}),
            container="webm",
        ),
    ],
)
def test_a_film_that_plays_is_skipped(info: MediaInfo) -> None:
    assert judge_for_chromecast(info).verdict == Verdict.PLAYS
    assert refusal(info, CHROMECAST) == "chromecast_ready"


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        ({"codec": "hevc"}, "HEVC video does not play."),
        ({"profile": "High 10", "bit_depth": 10}, "profile High 10 does not play"),
        ({"level": 42}, "H.264 level is 4.2"),
        ({"level": None}, "H.264 level is unknown"),
        ({"pix_fmt": "yuv422p"}, "yuv422p chroma"),
        ({"width": 3840, "height": 2160}, "3840×2160 does not play"),
        ({"frame_rate": "50"}, "at most 30 at 1080p"),
        ({"width": 1280, "height": 720, "frame_rate": "120"}, "60 a second do at 720p"),
        ({"frame_rate": ""}, "frame rate is unknown"),
        ({"hdr": HdrKind.HLG}, "HDR does not play"),
        ({"is_interlaced": True}, "interlaced"),
    ],
)
def test_a_picture_that_does_not_play_is_converted_and_the_sound_copied(
    picture: dict[str, Any], reason: str
) -> None:
    info = ready(picture)
    found = judge_for_chromecast(info)
    assert found.verdict == Verdict.CONVERT
    assert reason in found.text
    plan = plan_for(info, CHROMECAST)
    assert [s.action for s in plan.kept] == [Action.ENCODE, Action.COPY]
    assert found.text in plan.notes


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        ({"codec": "ac3", "channels": 6, "channel_layout": "5.1(side)"}, "television"),
        ({"codec": "eac3"}, "television"),
        ({"channels": 6, "channel_layout": "5.1"}, "6 channels"),
        ({"codec": "opus"}, "Opus sound does not play"),
        ({"codec": "flac", "is_lossless": True}, "FLAC sound does not play"),
        ({"codec": "dts", "channels": 6, "channel_layout": "5.1"}, "DTS sound does not play"),
    ],
)
def test_sound_that_does_not_play_is_converted_and_the_picture_copied(
    sound: dict[str, Any], reason: str
) -> None:
    info = ready(sound=sound)
    assert reason in judge_for_chromecast(info).text
    plan = plan_for(info, CHROMECAST)
    assert [s.action for s in plan.kept] == [Action.COPY, Action.ENCODE]
    assert (plan.kept[1].output_codec, plan.kept[1].channels) == ("aac", 2)


@pytest.mark.parametrize("container", ["mkv", "mov", "ts"])
def test_a_film_in_another_container_is_only_copied_into_mp4(container: str) -> None:
    info = replace(ready(), container=container)
    assert judge_for_chromecast(info).verdict == Verdict.REMUX
    plan = plan_for(info, CHROMECAST)
    assert plan.container == "mp4"
    assert {s.action for s in plan.kept} == {Action.COPY}
    assert any("only the container changes" in note for note in plan.notes)


def test_vp8_is_not_copied_into_mp4() -> None:
    picture = {"codec": "vp8", "profile": "", "level": None}
    info = replace(ready(picture), container="mkv")
    assert plan_for(info, CHROMECAST).kept[0].action == Action.ENCODE


def test_pictures_that_an_edit_list_hides_are_not_copied() -> None:
    info = ready(sound={"codec": "ac3"})
    plan = plan_for(info, CHROMECAST, hidden_packets=3)
    assert plan.kept[0].action == Action.ENCODE


@pytest.mark.parametrize(("rate", "height"), [("24", 1080), ("60", 720)])
def test_what_is_converted_gets_the_size_that_plays_at_its_rate(rate: str, height: int) -> None:
    info = ready({"codec": "hevc", "width": 3840, "height": 2160, "frame_rate": rate})
    plan = plan_for(info, CHROMECAST)
    assert plan.video is not None
    assert plan.video.height == height


def test_a_smaller_size_that_the_preset_names_is_kept() -> None:
    spec = replace(CHROMECAST, video=replace(CHROMECAST.video, max_resolution=480))
    plan = plan_for(ready({"codec": "hevc"}), spec)
    assert plan.video is not None
    assert plan.video.height == 480


def test_sound_without_a_picture_does_not_count_as_playing() -> None:
    found = judge_for_chromecast(replace(ready(), video=()))
    assert (found.verdict, found.video) == (Verdict.CONVERT, ("It has no picture.",))


def test_only_the_track_that_a_player_takes_decides() -> None:
    tracks = (
        audio(1, codec="dts", channels=6),
        audio(2, disposition=Disposition(is_default=True)),
    )
    info = replace(ready(), audio=tracks)
    assert judge_for_chromecast(info).verdict == Verdict.PLAYS


def test_other_presets_do_not_ask() -> None:
    plan = plan_for(ready(), replace(CHROMECAST, skip_if_chromecast_ready=False))
    assert plan.kept[0].action == Action.ENCODE


def test_the_reason_of_the_skip_is_a_sentence_for_people() -> None:
    with pytest.raises(JobSkipped) as caught:
        plan_for(ready(), CHROMECAST)
    assert caught.value.reason == "Chromecast generations 2 and 3 play it as it is."
