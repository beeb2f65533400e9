"""No hardware here: what can be known without it is held against the build's own help."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import pytest

from tests.transcode.encoders.ffmpeg_help import EncoderHelp, encoder_help, general_options
from transcode.encoders import ENCODERS, EncodeRequest, HdrMetadata, VideoEncoder, video_options
from transcode.encoders.hardware import HARDWARE_ENCODERS, VIDEOTOOLBOX, device_options
from transcode.encoders.model import SPEEDS
from transcode.encoders.registry import device_before_input
from transcode.presets.spec import VideoRule

NO_HDR = HdrMetadata(None, None, None, is_pq=False)
FFMPEGS_OWN = {"c", "pix_fmt", "tag"}


def options_of(
    encoder: VideoEncoder, rule: VideoRule, depth: int, container: str = "mp4"
) -> dict[str, str]:
    request = EncodeRequest(rule, depth, Fraction(24), NO_HDR, container)
    options = video_options(encoder, request)
    assert all(name.startswith("-") and name.endswith(":v:0") for name in options[::2])
    assert len(set(options[::2])) == len(options) // 2, "an option is given twice"
    return {name[1:-4]: value for name, value in zip(options[::2], options[1::2], strict=True)}


def rules_of(encoder: VideoEncoder) -> list[VideoRule]:
    low, high = encoder.quality_range
    rules = [
        VideoRule(encoder=encoder.family, crf=q, speed=s) for q, s in product((low, high), SPEEDS)
    ]
    return [*rules, VideoRule(encoder=encoder.family, crf=None, bit_rate_kbps=4000)]


def refused_by(build: EncoderHelp, options: dict[str, str]) -> list[str]:
    wrong = []
    for name, value in options.items():
        known = build.options.get(name) or general_options().get(name)
        if name == "b":
            value = value.replace("k", "000")
        if name not in FFMPEGS_OWN and (known is None or not known.takes(value)):
            wrong.append(f"-{name} {value}")
    return wrong


IN_THIS_BUILD = [e for e in ENCODERS.values() if e.api != VIDEOTOOLBOX]


@pytest.mark.parametrize("encoder", IN_THIS_BUILD, ids=lambda e: e.family)
def test_every_option_and_value_is_one_that_this_build_names(encoder: VideoEncoder) -> None:
    build = encoder_help(encoder.ffmpeg_name)
    assert build is not None
    for rule, depth in product(rules_of(encoder), encoder.pix_fmts):
        options = options_of(encoder, rule, depth)
        assert refused_by(build, options) == []
        if not encoder.upload_filters:
            assert options["pix_fmt"] in build.pix_fmts


def test_the_check_sees_a_wrong_option_and_a_wrong_value() -> None:
    build = encoder_help("hevc_nvenc")
    assert build is not None
    wrong = refused_by(build, {"preset": "p8", "cq": "52", "no-such": "1", "rc": "vbr"})
    assert wrong == ["-preset p8", "-cq 52", "-no-such 1"]


@pytest.mark.parametrize("family", ["h264_videotoolbox", "hevc_videotoolbox"])
def test_videotoolbox_is_not_in_this_build(family: str) -> None:
    assert encoder_help(family) is None
    assert ENCODERS[family].is_higher_better


def test_apple_has_no_av1_encoder() -> None:
    codecs = {(e.api, e.codec) for e in HARDWARE_ENCODERS}
    assert (VIDEOTOOLBOX, "av1") not in codecs
    assert len(codecs) == len(HARDWARE_ENCODERS) == 14


def test_nvenc_is_asked_as_the_reference_says() -> None:
    rule = VideoRule(encoder="hevc_nvenc", crf=24, speed="medium")
    options = options_of(ENCODERS["hevc_nvenc"], rule, 10)
    assert options == {
        "c": "hevc_nvenc",
        "preset": "p5",
        "rc": "vbr",
        "b": "0",
        "cq": "24",
        "pix_fmt": "p010le",
        "g": "240",
        "tag": "hvc1",
        "tune": "hq",
        "multipass": "qres",
        "spatial-aq": "1",
        "aq-strength": "8",
        "temporal-aq": "1",
        "rc-lookahead": "32",
        "bf": "4",
        "b_ref_mode": "middle",
        "profile": "main10",
    }


@pytest.mark.parametrize("encoder", HARDWARE_ENCODERS, ids=lambda e: e.family)
def test_hevc_has_apples_tag_in_mp4_and_none_elsewhere(encoder: VideoEncoder) -> None:
    rule = VideoRule(encoder=encoder.family, crf=24)
    assert options_of(encoder, rule, 8).get("tag", "") == encoder.mp4_tag
    assert (encoder.mp4_tag == "hvc1") is (encoder.codec == "hevc")
    assert "tag" not in options_of(encoder, rule, 8, container="mkv")


@pytest.mark.parametrize("encoder", HARDWARE_ENCODERS, ids=lambda e: e.family)
def test_ten_bits_are_asked_for_by_the_picture_format(encoder: VideoEncoder) -> None:
    """H.264 in 10 bits is left to x264."""
    assert set(encoder.pix_fmts) == ({8} if encoder.codec == "h264" else {8, 10})
    for depth in encoder.pix_fmts:
        wanted = "p010le" if depth == 10 else "nv12"
        if encoder.upload_filters:
            assert encoder.upload_filters[depth] == (f"format={wanted}", "hwupload")
        else:
            options = options_of(encoder, VideoRule(encoder=encoder.family, crf=24), depth)
            assert options["pix_fmt"] == wanted


def test_a_bit_rate_and_a_quality_are_never_given_together() -> None:
    for encoder in HARDWARE_ENCODERS:
        quality = {encoder.quality_option[1:], *(o[1:] for o in encoder.more_quality_options)}
        rated = options_of(
            encoder, VideoRule(encoder=encoder.family, crf=None, bit_rate_kbps=900), 8
        )
        assert rated["b"] == "900k"
        assert not quality & set(rated)
        asked = options_of(encoder, VideoRule(encoder=encoder.family, crf=20), 8)
        assert {asked[name] for name in quality} == {"20"}
        assert asked.get("b", "0") == "0"


def test_the_device_is_named_where_the_encode_runs() -> None:
    vaapi = device_options(ENCODERS["hevc_vaapi"], "/dev/dri/renderD129")
    assert vaapi.before_input == ("-vaapi_device", "/dev/dri/renderD129")
    assert device_options(ENCODERS["hevc_vaapi"], "").before_input[1] == "/dev/dri/renderD128"
    assert device_options(ENCODERS["h264_nvenc"], "1").output == ("-gpu:v:0", "1")
    assert device_options(ENCODERS["h264_nvenc"], "").output == ()
    qsv = device_options(ENCODERS["av1_qsv"], "/dev/dri/renderD128")
    assert qsv.before_input == ("-qsv_device", "/dev/dri/renderD128")
    assert device_options(ENCODERS["x265"], "0") == device_options(ENCODERS["hevc_amf"], "0")


def test_device_options_are_known_to_this_build() -> None:
    build = encoder_help("hevc_nvenc")
    assert build is not None
    assert build.options["gpu"].takes("1")


def test_an_even_speed_order_is_kept() -> None:
    """A slower preset never asks for a faster encode."""
    amd = ENCODERS["h264_amf"].speeds
    assert [amd[s] for s in SPEEDS] == ["speed", "speed", "balanced", "quality", "high_quality"]
    nvidia = [ENCODERS["av1_nvenc"].speeds[s] for s in SPEEDS]
    assert all(a < b for a, b in pairwise(nvidia))
    assert replace(ENCODERS["x264"], api="nvenc").is_hardware


def test_the_device_is_opened_before_the_inputs_of_every_encode_that_needs_one() -> None:
    opened = device_before_input(("-c:v:0", "av1_vaapi", "-g:v:0", "240"))
    assert opened == ("-vaapi_device", "/dev/dri/renderD128")
    for name in ("copy", "libx265", "hevc_nvenc", "no_such"):
        assert device_before_input(("-c:v:0", name)) == ()
    assert device_before_input(()) == ()
