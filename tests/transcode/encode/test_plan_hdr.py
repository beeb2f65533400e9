"""Dolby Vision and HDR10+ in a plan: kept, reduced as a listed loss, or the film is skipped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from library.media_info import HdrKind
from tests.transcode.encode.films import (
    AV1,
    MP4,
    X264,
    X265,
    film,
    hdr_video,
    index_of,
    plan_for,
    refusal,
)
from transcode.chunks.cutting import cut
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import FfmpegResult
from transcode.outcomes import JobSkipped
from transcode.planning.hdr10_plus import is_handed_over
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path

TO_HDR10 = PresetSpec(video=VideoRule(hdr="hdr10"))
TONE_MAP = PresetSpec(video=VideoRule(encoder="x264", hdr="tone_map", bit_depth=8))


def dolby(profile: str, **values: Any) -> Any:
    """A film in this Dolby Vision profile; .4 lies over HLG, all others over PQ."""
    if profile.endswith(".4"):
        values |= {"color_transfer": "arib-std-b67", "mastering_display": None}
    return film(hdr_video(HdrKind.DOLBY_VISION, dolby_vision_profile=profile, **values))


@pytest.mark.parametrize(
    ("profile", "spec", "kept"),
    [
        ("8.1", X265, "8.1"),
        ("8.4", X265, "8.4"),
        ("10.1", X265, "8.1"),
        ("8.1", AV1, "10.1"),
        ("8.4", AV1, "10.4"),
    ],
)
def test_dolby_vision_is_kept_where_the_encoder_writes_it(
    profile: str, spec: PresetSpec, kept: str
) -> None:
    plan = plan_for(dolby(profile), spec)
    assert plan.video is not None
    assert (plan.video.color.hdr, plan.video.color.dolby_vision_profile) == ("dolby_vision", kept)
    options = plan.output_options
    assert options[options.index("-dolbyvision:v:0") + 1] == "1"
    # Without a buffer model x265 refuses it; SVT-AV1 would take it for a limit.
    assert ("-maxrate:v:0" in options) == (spec is X265)
    assert plan.losses == ()
    assert "-strict" not in options


def test_dolby_vision_in_mp4_gets_its_box() -> None:
    options = plan_for(dolby("8.1"), MP4).output_options
    assert options[options.index("-strict") :][:2] == ("-strict", "unofficial")


@pytest.mark.parametrize(
    ("info", "spec"),
    [
        (dolby("5"), X265),
        (dolby("7.6"), X265),
        (dolby(""), X265),
        (dolby("8.1"), X264),
        (dolby("8.1"), PresetSpec(video=VideoRule(bit_depth=8))),
        (dolby("8.1"), PresetSpec(video=VideoRule(max_resolution=720))),
        (dolby("8.1", rotation_deg=90), X265),
        (dolby("8.1", has_hdr10_plus=True), AV1),
        (dolby("8.1", color_transfer="bt709"), X265),
    ],
    ids=[
        *("no base layer", "two layers", "unknown profile", "encoder", "8 bits", "scaled"),
        *("turned", "hdr10+ beside", "tags say otherwise"),
    ],
)
def test_dolby_vision_that_cannot_be_kept_skips_the_film(info: Any, spec: PresetSpec) -> None:
    assert refusal(info, spec) == "hdr_would_be_lost"


def test_hdr10_plus_is_kept_by_x265_alone_and_beside_dolby_vision() -> None:
    plus = film(hdr_video(HdrKind.HDR10_PLUS, has_hdr10_plus=True))
    both = dolby("8.1", has_hdr10_plus=True)
    for info, hdr in ((plus, "hdr10plus"), (both, "dolby_vision")):
        plan = plan_for(info, X265)
        assert plan.video is not None
        assert plan.video.color.hdr == hdr
        assert is_handed_over(plan.video_options)
        assert plan.losses == ()
        assert "HDR10+ is kept, picture by picture." in plan.notes
    assert not is_handed_over(plan_for(dolby("8.1"), X265).video_options)


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        ({}, AV1),
        ({}, X264),
        ({"codec": "av1"}, X265),
        ({}, PresetSpec(video=VideoRule(bit_depth=8))),
        ({}, PresetSpec(video=VideoRule(max_resolution=720))),
    ],
    ids=["SVT-AV1", "x264", "from AV1", "8 bits", "scaled"],
)
def test_hdr10_plus_that_cannot_be_kept_skips_the_film(
    values: dict[str, Any], spec: PresetSpec
) -> None:
    info = film(hdr_video(HdrKind.HDR10_PLUS, has_hdr10_plus=True, **values))
    assert refusal(info, spec) == "hdr_would_be_lost"


def test_a_film_whose_hdr10_plus_is_handed_over_runs_whole() -> None:
    info = film(hdr_video(HdrKind.HDR10_PLUS, has_hdr10_plus=True))
    plan = plan_for(info, X265)
    assert "HDR10+" in cut(index_of(info), info, plan, chunk_seconds=0.1).whole_reason


def test_reducing_is_no_business_of_x265_alone() -> None:
    info = film(hdr_video(HdrKind.HDR10_PLUS, has_hdr10_plus=True))
    assert not is_handed_over(plan_for(info, TO_HDR10).video_options)


@pytest.mark.parametrize(
    ("info", "hdr", "losses"),
    [
        (dolby("8.1"), "hdr10", ("Dolby Vision profile 8.1 becomes HDR10, as the preset says",)),
        (dolby("7.6"), "hdr10", ("Dolby Vision profile 7.6 becomes HDR10, as the preset says",)),
        (dolby("8.4"), "hlg", ("Dolby Vision profile 8.4 becomes HLG, as the preset says",)),
        (
            dolby("8.1", has_hdr10_plus=True),
            "hdr10",
            (
                "Dolby Vision profile 8.1 becomes HDR10, as the preset says",
                "HDR10+ becomes HDR10, as the preset says",
            ),
        ),
        (
            film(hdr_video(HdrKind.HDR10_PLUS, has_hdr10_plus=True)),
            "hdr10",
            ("HDR10+ becomes HDR10, as the preset says",),
        ),
    ],
)
def test_a_preset_may_reduce_it_to_the_picture_below_as_a_listed_loss(
    info: Any, hdr: str, losses: tuple[str, ...]
) -> None:
    plan = plan_for(info, TO_HDR10)
    assert plan.video is not None
    assert plan.losses == losses
    assert (plan.video.color.hdr, plan.video.color.dolby_vision_profile) == (hdr, "")
    assert "-dolbyvision:v:0" not in plan.output_options
    removed = " ".join(plan.video.filters)
    assert all(name in removed for name in ("DOVI_METADATA", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_PLUS"))


def test_reducing_keeps_display_and_light_levels() -> None:
    plan = plan_for(dolby("8.1"), TO_HDR10)
    assert plan.video is not None
    assert plan.video.color.max_cll_nits == 1000
    assert "max-cll=1000,400" in " ".join(plan.output_options)


@pytest.mark.parametrize("profile", ["5", "10", "", "8.2"])
@pytest.mark.parametrize("spec", [TO_HDR10, TONE_MAP], ids=["hdr10", "tone map"])
def test_without_a_picture_below_nothing_can_be_made_of_it(profile: str, spec: PresetSpec) -> None:
    assert refusal(dolby(profile), spec) == "hdr_would_be_lost"


def test_plain_hdr10_is_left_as_it_is_by_the_rule_for_dynamic_data() -> None:
    info = film(hdr_video())
    assert plan_for(info, TO_HDR10).video == plan_for(info, X265).video


def test_reducing_needs_ten_bits_all_the_same() -> None:
    spec = replace(TO_HDR10, video=replace(TO_HDR10.video, bit_depth=8))
    assert refusal(dolby("8.1"), spec) == "hdr_would_be_lost"


def test_pictures_without_dolby_vision_in_the_middle_skip_the_film(tmp_path: Path) -> None:
    said = "[libx265 @ 0x5653] Dolby Vision enabled, but received frame without" + (
        " AV_FRAME_DATA_DOVI_METADATAError submitting video frame to the encoder"
    )
    result = FfmpegResult(("ffmpeg",), 187, (said,), saw_end=True, seconds=1.0, last_progress=None)
    outcome = outcome_of(result, tmp_path / "film.mkv")
    assert isinstance(outcome, JobSkipped)
    assert outcome.reason_code == "hdr_would_be_lost"
