from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from transcode.encoders import ENCODERS
from transcode.planning.containers import CONTAINERS
from transcode.planning.model import StreamKind
from transcode.presets.builtin import BUILTIN_PRESETS
from transcode.presets.rules import VIDEO_ENCODERS
from transcode.presets.spec import AudioRule, PresetProblem, PresetSpec, VideoRule

SLUGS = ["balanced", "storage-saver", "mobile", "ultra-fidelity", "chromecast", "remux"]


def problem_of(raw: object) -> str:
    with pytest.raises(PresetProblem) as caught:
        PresetSpec.from_json(raw)
    assert caught.value.text.endswith(".")
    return caught.value.field_name


@pytest.mark.parametrize("preset", BUILTIN_PRESETS, ids=lambda p: p.slug)
def test_every_built_in_preset_is_valid_and_survives_json(preset: Any) -> None:
    text = json.dumps(preset.spec.to_json())
    assert PresetSpec.from_json(json.loads(text)) == preset.spec


def test_the_six_built_in_presets_have_the_slugs_that_scripts_use() -> None:
    assert [preset.slug for preset in BUILTIN_PRESETS] == SLUGS


def test_mobile_is_720p_h264_with_aac_in_mp4() -> None:
    spec = next(p.spec for p in BUILTIN_PRESETS if p.slug == "mobile")
    assert (spec.container, spec.video.encoder, spec.audio.codec) == ("mp4", "x264", "aac")
    assert spec.video.max_resolution == 720


def test_chromecast_is_what_generations_2_and_3_play() -> None:
    spec = next(p.spec for p in BUILTIN_PRESETS if p.slug == "chromecast")
    assert (spec.video.profile, spec.video.level, spec.video.bit_depth) == ("high", "4.1", 8)
    assert (spec.audio.codec, spec.audio.max_channels) == ("aac", 2)
    assert spec.container == "mp4"
    # The size is chosen for each film, by its frame rate.
    assert (spec.skip_if_chromecast_ready, spec.video.max_resolution) == (True, 0)


def test_an_empty_object_is_the_default_preset() -> None:
    assert PresetSpec.from_json({}) == PresetSpec()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (None, "preset"),
        ([], "preset"),
        ("balanced", "preset"),
        ({"colour": "red"}, "colour"),
        ({"video": 3}, "video"),
        ({"video": {"encoder": "x266"}}, "video.encoder"),
        ({"video": {"crf": "22"}}, "video.crf"),
        ({"video": {"crf": True}}, "video.crf"),
        ({"video": {"crf": -1}}, "video.crf"),
        ({"video": {"crf": 52}}, "video.crf"),
        ({"video": {"crf": float("nan")}}, "video.crf"),
        ({"video": {"crf": float("inf")}}, "video.crf"),
        ({"video": {"crf": 10**400}}, "video.crf"),
        ({"video": {"crf": None}}, "video.crf"),
        ({"video": {"crf": 20, "bit_rate_kbps": 3000}}, "video.crf"),
        ({"video": {"crf": None, "bit_rate_kbps": 10**30}}, "video.bit_rate_kbps"),
        ({"video": {"crf": None, "target_vmaf": 99.5}}, "video.target_vmaf"),
        ({"video": {"crf": None, "target_vmaf": 20}}, "video.target_vmaf"),
        ({"video": {"crf": 20, "target_vmaf": 95}}, "video.crf"),
        (
            {"video": {"crf": None, "target_vmaf": 95, "target_metric": "xpsnr"}},
            "video.target_vmaf",
        ),
        ({"video": {"target_metric": "psnr"}}, "video.target_metric"),
        ({"video": {"two_pass": True}}, "video.two_pass"),
        ({"video": {"hardware": "always"}}, "video.hardware"),
        ({"video": {"frame_rate": "25"}}, "video.frame_rate"),
        ({"video": {"encoder": "copy", "crf": None, "crop_borders": True}}, "video.crop_borders"),
        ({"hours": ["late"]}, "hours"),
        ({"hours": ["25:00-26:00"]}, "hours"),
        ({"hours": ["mon-sunday 22:00-06:00"]}, "hours"),
        ({"at_hours_end": "stop"}, "at_hours_end"),
        ({"skip_if_chromecast_ready": True}, "skip_if_chromecast_ready"),
        ({"video": {"hdr": "hdr10", "bit_depth": 8}}, "video.hdr"),
        ({"video": {"hdr": "hdr10", "encoder": "x264"}}, "video.hdr"),
        (
            {"container": "mp4", "subtitles": {"mode": "convert", "convert_to": "srt"}},
            "subtitles.convert_to",
        ),
        ({"audio": {"sort_by_language": True}}, "audio.sort_by_language"),
        ({"audio": {"default_language": "german"}}, "audio.default_language"),
        ({"subtitles": {"convert_to": "srt"}}, "subtitles.convert_to"),
        ({"subtitles": {"mode": "convert", "convert_to": "sub"}}, "subtitles.convert_to"),
        ({"subtitles": {"image_subtitles": "extract"}}, "subtitles.image_subtitles"),
        ({"video": {"encoder": "copy"}}, "video.crf"),
        ({"video": {"encoder": "copy", "crf": None, "bit_depth": 10}}, "video.bit_depth"),
        ({"video": {"encoder": "copy", "crf": None, "hdr": "tone_map"}}, "video.hdr"),
        (
            {"video": {"encoder": "copy", "crf": None, "max_resolution": 720}},
            "video.max_resolution",
        ),
        ({"video": {"encoder": "svtav1", "crf": 30.5}}, "video.crf"),
        ({"video": {"max_resolution": 721}}, "video.max_resolution"),
        ({"video": {"bit_depth": 9}}, "video.bit_depth"),
        ({"video": {"profile": "high"}}, "video.profile"),
        ({"video": {"level": "4.1"}}, "video.level"),
        ({"video": {"encoder": "x264", "level": "9"}}, "video.level"),
        ({"video": {"encoder": "x264", "profile": "high"}}, "video.bit_depth"),
        ({"video": {"encoder": "x264", "profile": "odd", "bit_depth": 8}}, "video.profile"),
        ({"container": "webm"}, "container"),
        ({"container": "webm", "video": {"encoder": "svtav1", "crf": 30}}, "audio.codec"),
        ({"container": "ogg"}, "container"),
        ({"audio": {"codec": "mp3"}}, "audio.codec"),
        ({"audio": {"languages": "eng"}}, "audio.languages"),
        ({"audio": {"languages": ["English"]}}, "audio.languages"),
        ({"audio": {"languages": ["eng"] * 51}}, "audio.languages"),
        ({"audio": {"max_channels": 9}}, "audio.max_channels"),
        ({"audio": {"bit_rate_kbps_per_channel": 1}}, "audio.bit_rate_kbps_per_channel"),
        ({"subtitles": {"mode": "burn"}}, "subtitles.mode"),
        ({"subtitles": {"languages": [3]}}, "subtitles.languages"),
        ({"min_saving_pct": 96}, "min_saving_pct"),
        ({"min_saving_pct": 10.5}, "min_saving_pct"),
        ({"min_vmaf_mean": 101}, "min_vmaf_mean"),
        ({"output": "elsewhere"}, "output"),
        ({"output": "x" * 500}, "output"),
        ({"keep_chapters": "yes"}, "keep_chapters"),
    ],
)
def test_a_wrong_preset_names_the_field(raw: object, field: str) -> None:
    assert problem_of(raw) == field


def test_webm_takes_av1_with_opus() -> None:
    spec = PresetSpec(
        container="webm",
        video=VideoRule(encoder="svtav1", crf=30),
        audio=AudioRule(codec="opus"),
    )
    assert PresetSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("family", [e for e in VIDEO_ENCODERS if e != "copy"])
def test_every_encoder_is_accepted_exactly_where_the_container_holds_it(
    container: str, family: str
) -> None:
    spec = PresetSpec(
        container=container,
        video=VideoRule(encoder=family, crf=30),
        audio=AudioRule(codec="opus"),
    )
    if CONTAINERS[container].takes(StreamKind.VIDEO, ENCODERS[family].codec):
        assert PresetSpec.from_json(spec.to_json()) == spec
    else:
        assert problem_of(spec.to_json()) == "container"


def test_every_encoder_knows_every_speed() -> None:
    for encoder in ENCODERS.values():
        assert set(encoder.speeds) == {"fastest", "fast", "medium", "slow", "slowest"}


def test_a_bit_depth_is_never_raised_and_never_below_what_the_encoder_can() -> None:
    assert [ENCODERS["svtav1"].depth_for(d) for d in (8, 10, 12)] == [8, 10, 10]
    no_eight_bits = replace(ENCODERS["x265"], pix_fmts={10: "p010le"})
    assert no_eight_bits.depth_for(8) == 10


def test_a_target_below_what_the_preset_accepts_is_refused_before_the_hours() -> None:
    raw = {"video": {"crf": None, "target_vmaf": 80}}
    assert problem_of(raw) == "video.target_vmaf"
    assert PresetSpec.from_json({**raw, "min_vmaf_mean": 80}).video.target_vmaf == 80
    assert PresetSpec.from_json({**raw, "is_vmaf_checked": False}).video.target_vmaf == 80
    decibels = {"crf": None, "target_vmaf": 42, "target_metric": "xpsnr"}
    assert PresetSpec.from_json({"video": decibels}).video.target_vmaf == 42
