"""The picture in a plan: colour, HDR, shape, time."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from library.media_info import (
    HdrKind,
    TimingKind,
)
from tests.transcode.encode.films import (
    AV1,
    COPY,
    X264,
    X265,
    audio,
    film,
    hdr_video,
    plan_for,
    refusal,
    video,
)
from transcode.outcomes import JobSkipped
from transcode.presets.spec import PresetSpec, VideoRule


def test_hdr10_goes_to_x265_with_its_display_and_levels() -> None:
    plan = plan_for(film(hdr_video()), X265)
    params = plan.output_options[plan.output_options.index("-x265-params:v:0") + 1]
    assert params.endswith(
        "hdr10=1:hdr10-opt=1:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):"
        "max-cll=1000,400"
    )


def test_hlg_is_kept_without_hdr10_options() -> None:
    plan = plan_for(film(hdr_video(HdrKind.HLG)), X265)
    assert plan.video is not None
    assert plan.video.color.hdr == "hlg"
    assert "hdr10=1" not in " ".join(plan.output_options)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (HdrKind.HDR10_PLUS, AV1),
        (HdrKind.HDR10, X264),
        (HdrKind.HDR10, PresetSpec(video=VideoRule(bit_depth=8))),
        (HdrKind.HLG, PresetSpec(video=VideoRule(bit_depth=8))),
    ],
)
def test_hdr_that_would_be_lost_skips_the_film(kind: HdrKind, spec: PresetSpec) -> None:
    assert refusal(film(hdr_video(kind)), spec) == "hdr_would_be_lost"


def test_dolby_vision_is_kept_by_a_copy() -> None:
    info = film(hdr_video(HdrKind.DOLBY_VISION, dolby_vision_profile="8.1"))
    plan = plan_for(info, COPY)
    assert plan.video is not None
    assert plan.video.color.dolby_vision_profile == "8.1"


@pytest.mark.parametrize("kind", [HdrKind.HDR10, HdrKind.HLG, HdrKind.DOLBY_VISION])
def test_tone_mapping_is_listed_as_a_loss(kind: HdrKind) -> None:
    spec = PresetSpec(video=VideoRule(encoder="x264", hdr="tone_map", bit_depth=8))
    profile = "8.1" if kind == HdrKind.DOLBY_VISION else ""
    plan = plan_for(film(hdr_video(kind, dolby_vision_profile=profile)), spec)
    assert plan.video is not None
    assert plan.video.color.color_transfer == "bt709"
    assert plan.video.color.hdr == "sdr"
    assert plan.video.color.mastering_display is None
    assert any("becomes SDR" in loss for loss in plan.losses)


def test_full_range_stays_full_range() -> None:
    plan = plan_for(film(video(color_range="pc", pix_fmt="yuvj420p")), X265)
    assert plan.video is not None
    assert plan.video.color.color_range == "pc"
    assert "range=pc" in plan.video.filters[-1]


def test_an_untagged_hd_film_is_tagged_when_it_becomes_sd() -> None:
    picture = video(color_primaries="", color_transfer="", color_space="")
    spec = PresetSpec(video=VideoRule(max_resolution=480))
    plan = plan_for(film(picture), spec)
    assert plan.video is not None
    assert plan.video.color.color_space == "bt709"


def test_an_untagged_film_stays_untagged_at_its_size() -> None:
    picture = video(color_range="", color_primaries="", color_transfer="", color_space="")
    plan = plan_for(film(picture), X265)
    assert plan.video is not None
    assert plan.video.filters == ()


@pytest.mark.parametrize(
    ("pix_fmt", "losses"),
    [
        ("gbrp", ()),
        ("bgr0", ()),
        ("0rgb", ()),
        ("pal8", ()),
        ("argb", ("transparency",)),
        ("gbrap", ("transparency",)),
        ("rgba64le", ("transparency",)),
    ],
)
def test_rgb_gets_a_matrix(pix_fmt: str, losses: tuple[str, ...]) -> None:
    """Without one ffmpeg takes that of BT.601, and players show HD by that of BT.709."""
    space = "gbr" if pix_fmt.startswith("gbr") else ""
    plan = plan_for(film(video(pix_fmt=pix_fmt, color_space=space, color_range="pc")), X265)
    assert plan.video is not None
    assert plan.video.color.color_space == "bt709"
    assert "scale=out_color_matrix=bt709:out_range=tv" in plan.video.filters
    assert plan.losses == ("RGB becomes Y′CbCr 4:2:0", *losses)


@pytest.mark.parametrize(
    ("pix_fmt", "loss"),
    [
        ("yuv422p10le", "4:2:2 chroma becomes 4:2:0"),
        ("yuv444p", "4:4:4 chroma becomes 4:2:0"),
        ("yuv410p", "4:1:0 chroma becomes 4:2:0"),
        ("yuva444p", "4:4:4 chroma becomes 4:2:0"),
        ("yuva420p", "transparency"),
        ("yuva444p", "transparency"),
        ("ya8", "transparency"),
    ],
)
def test_less_chroma_is_a_listed_loss(pix_fmt: str, loss: str) -> None:
    assert loss in plan_for(film(video(pix_fmt=pix_fmt)), X265).losses


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "nv12", "gray", "monow", ""])
def test_a_picture_without_more_chroma_loses_none(pix_fmt: str) -> None:
    assert plan_for(film(video(pix_fmt=pix_fmt)), X265).losses == ()


def test_a_lower_bit_depth_is_a_listed_loss() -> None:
    picture = video(pix_fmt="yuv420p12le", bit_depth=12)
    assert "12-bit colour becomes 10-bit" in plan_for(film(picture), AV1).losses


def test_interlaced_films_become_progressive_and_others_are_left_alone() -> None:
    interlaced = plan_for(film(video(is_interlaced=True, field_order="tt")), X265)
    assert interlaced.video is not None
    assert interlaced.video.filters[0] == "bwdif=mode=send_frame:parity=auto:deint=interlaced"
    assert not interlaced.video.color.is_interlaced
    progressive = plan_for(film(), X265).video
    assert progressive is not None
    assert not any("bwdif" in f for f in progressive.filters)


def test_interlaced_without_deinterlacing_needs_an_encoder_that_knows_fields() -> None:
    info = film(video(is_interlaced=True))
    keeps = PresetSpec(video=VideoRule(encoder="x264", deinterlace=False))
    plan = plan_for(info, keeps)
    assert plan.video is not None
    assert plan.video.color.is_interlaced
    assert "+ilme+ildct" in plan.output_options
    assert refusal(info, PresetSpec(video=VideoRule(deinterlace=False))) == "interlaced"


def test_odd_sizes_are_padded_and_noted() -> None:
    plan = plan_for(film(video(width=853, height=479)), X265)
    assert plan.video is not None
    assert (plan.video.width, plan.video.height) == (854, 480)
    assert plan.video.filters[:2] == (
        "pad=854:480:0:0",
        "fillborders=right=1:bottom=1:mode=smear",
    )
    assert any("Padded" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("width", "height", "sar", "rotation", "cap", "size"),
    [
        (1920, 1080, "1:1", 0, 720, (1280, 720)),
        (1920, 800, "1:1", 0, 720, (1280, 534)),
        (3840, 2160, "1:1", 0, 1080, (1920, 1080)),
        (1440, 1080, "4:3", 0, 720, (960, 720)),
        (1920, 1080, "1:1", 90, 720, (720, 1280)),
        (720, 576, "64:45", 0, 720, (720, 576)),
        (1280, 720, "1:1", 0, 720, (1280, 720)),
        (1920, 540, "1:2", 0, 720, (1920, 540)),  # shown as 960×540
        (640, 360, "1:1", 0, 0, (640, 360)),
    ],
)
def test_films_are_fitted_into_the_frame_and_never_enlarged(
    width: int, height: int, sar: str, rotation: int, cap: int, size: tuple[int, int]
) -> None:
    picture = video(width=width, height=height, sample_aspect_ratio=sar, rotation_deg=rotation)
    plan = plan_for(film(picture), PresetSpec(video=VideoRule(max_resolution=cap)))
    assert plan.video is not None
    assert (plan.video.width, plan.video.height) == size
    assert plan.video.color.sample_aspect_ratio == sar


def test_a_turned_film_has_its_pixel_shape_turned_too() -> None:
    picture = video(width=720, height=576, sample_aspect_ratio="64:45", rotation_deg=90)
    plan = plan_for(film(picture), X265)
    assert plan.video is not None
    assert (plan.video.width, plan.video.height) == (576, 720)
    assert plan.video.color.sample_aspect_ratio == "45:64"
    assert plan.video.color.rotation_deg == 0


def test_a_variable_rate_is_kept_and_noted() -> None:
    plan = plan_for(film(video(timing=TimingKind.VARIABLE)), X265)
    assert "passthrough" in plan.output_options
    assert any("varies" in note for note in plan.notes)


def test_a_copy_refuses_to_lose_the_rotation_but_mp4_keeps_it() -> None:
    info = film(video(rotation_deg=90), container="mp4")
    assert refusal(info, COPY) == "rotation_would_be_lost"
    plan = plan_for(info, replace(COPY, container="mp4"))
    assert plan.video is not None
    assert plan.video.color.rotation_deg == 90


def test_packed_pictures_of_avi_are_unpacked_by_a_copy() -> None:
    plan = plan_for(film(video(codec="mpeg4"), container="avi"), COPY)
    assert plan.input_options == ("-fflags", "+genpts")
    assert "mpeg4_unpack_bframes" in plan.output_options


def test_other_films_in_avi_are_copied_as_they_are() -> None:
    plan = plan_for(film(video(codec="h264"), container="avi"), COPY)
    assert plan.input_options == ("-fflags", "+genpts")
    assert not any("unpack" in option for option in plan.output_options)


def test_a_codec_that_the_kept_container_cannot_hold_skips_the_film() -> None:
    info = film(video(codec="vp9"), container="webm", audio=(audio(codec="opus"),))
    with pytest.raises(JobSkipped) as caught:
        plan_for(info, replace(X265, container="keep"))
    assert caught.value.reason_code == "container_cannot_hold"
    assert caught.value.reason == "WebM cannot hold hevc video."


@pytest.mark.parametrize("text", ["", "0:1", "1:0", "x", "-1:1"])
def test_an_unknown_pixel_shape_is_square(text: str) -> None:
    plan = plan_for(film(video(sample_aspect_ratio=text)), X265)
    assert plan.video is not None
    assert plan.video.color.sample_aspect_ratio == "1:1"


@pytest.mark.parametrize("rate", ["", "0/0", "0", "90000"])
def test_an_unknown_rate_still_gives_a_keyframe_interval(rate: str) -> None:
    options = plan_for(film(video(frame_rate=rate)), X265).output_options
    assert options[options.index("-g:v:0") + 1] == "250"


def test_a_codec_whose_pictures_do_not_say_that_they_are_interlaced_is_taken_at_its_word() -> None:
    plan = plan_for(film(video(codec="dvvideo", is_interlaced=True)), X265)
    assert plan.video is not None
    assert plan.video.filters[0].endswith("deint=all")


def test_the_way_to_the_device_is_no_part_of_what_the_ladder_compares() -> None:
    spec = PresetSpec(video=VideoRule(encoder="hevc_vaapi", crf=24, max_resolution=720))
    plan = plan_for(film(), spec)
    assert plan.video is not None
    options = plan.output_options
    chain = options[options.index("-filter:v:0") + 1]
    assert chain.endswith("hwupload")
    assert chain.startswith(",".join(plan.video.filters))
    assert not any("hwupload" in f for f in plan.video.filters)


def test_captions_are_a_listed_loss_where_the_encoder_or_a_new_rate_loses_them() -> None:
    captioned = film(video(has_closed_captions=True, timing=TimingKind.VARIABLE))
    assert plan_for(captioned, X265).losses == ()
    assert plan_for(captioned, AV1).losses == ("closed captions",)
    steady = plan_for(captioned, PresetSpec(video=VideoRule(frame_rate="constant")))
    assert steady.losses == ("closed captions",)
    assert steady.video is not None
    assert "sidedata=mode=delete:type=A53_CC" in steady.video.filters


@pytest.mark.parametrize(
    ("spacing_ms", "rate", "frames"),
    [(40, "25", 25), (33, "30", 30), (42, "24000/1001", 24), (17, "60000/1001", 60)],
)
def test_a_constant_rate_is_the_standard_one_nearest_to_the_usual_spacing(
    spacing_ms: int, rate: str, frames: int
) -> None:
    """Every seventh picture is missing: the average would name a lower rate."""
    times = [t for n, t in enumerate(range(0, 1000, spacing_ms)) if n % 7 != 5]
    picture = video(timing=TimingKind.VARIABLE, frame_rate="20")
    spec = PresetSpec(video=VideoRule(frame_rate="constant"))
    plan = plan_for(film(picture), spec, video_pts=array("q", times)).video
    assert plan is not None
    assert (plan.frame_rate, plan.expected_frames, plan.frame_tolerance) == (rate, frames, 2)


@pytest.mark.parametrize(
    "times", [[0, 40, 80], [0, 0, 0, 0, 0]], ids=["three pictures", "all at one moment"]
)
def test_without_a_spacing_to_go_by_the_headers_rate_counts(times: list[int]) -> None:
    picture = video(timing=TimingKind.VARIABLE, frame_rate="30")
    spec = PresetSpec(video=VideoRule(frame_rate="constant"))
    plan = plan_for(film(picture), spec, video_pts=array("q", times)).video
    assert plan is not None
    assert (plan.frame_rate, plan.expected_frames) == ("30", 30)


def test_a_rate_that_is_constant_already_is_left_alone() -> None:
    spec = PresetSpec(video=VideoRule(frame_rate="constant"))
    plan = plan_for(film(video(timing=TimingKind.CONSTANT)), spec).video
    assert plan is not None
    assert (plan.frame_tolerance, plan.expected_frames) == (0, 25)
