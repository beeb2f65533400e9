from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from transcode.encoders.choice import WorkingEncoder, choose_encoder, software_for
from transcode.presets.spec import VideoRule

RULE = VideoRule(encoder="x265", crf=None, target_vmaf=95, hardware="allow")
ALL = (8, 10)
NVENC = {"hevc_nvenc": WorkingEncoder("hevc_nvenc", ("",), ALL)}
BOTH = {**NVENC, "hevc_qsv": WorkingEncoder("hevc_qsv", ("/dev/dri/renderD128",), ALL)}


def test_a_working_encoder_of_the_same_codec_takes_the_place() -> None:
    family, reason = choose_encoder(RULE, NVENC)
    assert family == "hevc_nvenc"
    assert reason == "NVENC HEVC takes the place of x265 (HEVC), if it reaches the target."
    av1 = {"av1_nvenc": WorkingEncoder("av1_nvenc", ("",), ALL)}
    assert choose_encoder(RULE, av1).family == "x265"


def test_without_hardware_the_processor_encodes_and_says_why() -> None:
    family, reason = choose_encoder(RULE, {})
    assert family == "x265"
    assert reason == "x265 (HEVC) encodes: no hardware encoder for hevc works here."


def test_the_next_one_comes_when_one_missed_the_target() -> None:
    assert choose_encoder(RULE, BOTH, passed_over={"hevc_nvenc"}).family == "hevc_qsv"
    family, reason = choose_encoder(RULE, BOTH, passed_over={"hevc_nvenc", "hevc_qsv"})
    assert family == "x265"
    assert "NVENC HEVC was tried and passed over" in reason


def test_a_fixed_crf_is_never_carried_over_to_another_scale() -> None:
    rule = replace(RULE, crf=22.0, target_vmaf=None, hardware="prefer")
    family, reason = choose_encoder(rule, NVENC)
    assert (family, "target quality" in reason) == ("x265", True)


def test_never_means_never_and_hardware_that_is_named_stays() -> None:
    assert choose_encoder(replace(RULE, hardware="never"), NVENC) == ("x265", "")
    named = replace(RULE, encoder="hevc_qsv", hardware="never")
    assert choose_encoder(named, NVENC) == ("hevc_qsv", "")


def test_a_slow_speed_asks_for_small_files_unless_hardware_is_preferred() -> None:
    slow = replace(RULE, speed="slow")
    assert choose_encoder(slow, NVENC).family == "x265"
    assert choose_encoder(replace(slow, hardware="prefer"), NVENC).family == "hevc_nvenc"


@pytest.mark.parametrize(
    "wish",
    [{"tune_grain": True}, {"extra_options": "aq-mode=3"}, {"encoder": "x264", "level": "4.1"}],
    ids=lambda wish: next(iter(wish)),
)
def test_what_only_software_does_keeps_it(wish: dict[str, Any]) -> None:
    everything = {**NVENC, "h264_nvenc": WorkingEncoder("h264_nvenc", ("",), (8,))}
    assert choose_encoder(replace(RULE, **wish), everything).family in {"x265", "x264"}


def test_depth_and_hdr_must_be_kept() -> None:
    eight = {"hevc_nvenc": WorkingEncoder("hevc_nvenc", ("",), (8,))}
    assert "does not encode 10 bits here" in choose_encoder(RULE, eight, bit_depth=10).reason
    amd = {"hevc_amf": WorkingEncoder("hevc_amf", ("",), ALL)}
    assert choose_encoder(RULE, amd, bit_depth=10, is_hdr=True).family == "x265"
    assert choose_encoder(RULE, amd, bit_depth=10).family == "hevc_amf"


def test_each_codec_has_a_software_encoder_to_fall_back_to() -> None:
    assert [software_for(c) for c in ("h264", "hevc", "av1")] == ["x264", "x265", "svtav1"]
