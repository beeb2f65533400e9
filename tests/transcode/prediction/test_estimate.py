from __future__ import annotations

from dataclasses import replace

import pytest

from library.models import MediaFile
from mediaflow.base.film_hooks import estimate_savings
from tests.transcode.encode.films import AV1, COPY, X264, X265, audio, film, video
from tests.transcode.prediction.facts import GB, HOUR_S, facts
from transcode.prediction.estimate import estimate_size, facts_of_file, facts_of_info, usual_crf
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule


def test_a_usual_h264_film_becomes_about_half_as_large_in_hevc() -> None:
    estimate = estimate_size(facts(), X265)
    assert 0.3 * 4 * GB < estimate.bytes < 0.65 * 4 * GB
    assert estimate.low < estimate.bytes < estimate.high
    assert estimate.basis == "rule"
    assert "H.264" in estimate.text


def test_better_quality_and_older_codecs_cost_more() -> None:
    def size(spec: PresetSpec) -> int:
        return estimate_size(facts(), spec).bytes

    finer = replace(X265, video=VideoRule(crf=16.0))
    assert size(AV1) < size(X265) < size(X264)
    assert size(X265) < size(finer)


def test_a_smaller_picture_is_a_smaller_file() -> None:
    small = PresetSpec(video=VideoRule(max_resolution=720))
    assert estimate_size(facts(), small).bytes < estimate_size(facts(), X265).bytes


def test_a_wasteful_source_gains_more_than_an_efficient_one() -> None:
    wasteful = estimate_size(facts(size_bytes=12 * GB), X265).bytes / (12 * GB)
    efficient = estimate_size(facts(size_bytes=GB), X265).bytes / GB
    assert wasteful < efficient


def test_a_newer_codec_is_not_expected_to_need_much_more_than_the_source() -> None:
    tiny = facts(size_bytes=200_000_000)
    assert estimate_size(tiny, X265).high < 1.3 * 200_000_000


def test_a_copy_keeps_its_size() -> None:
    estimate = estimate_size(facts(), COPY)
    assert estimate.bytes == 4 * GB
    assert estimate.high < 1.05 * 4 * GB


def test_a_bit_rate_says_the_size() -> None:
    spec = PresetSpec(video=VideoRule(crf=None, bit_rate_kbps=2000))
    picture_bytes = 2000 * 125 * HOUR_S
    assert estimate_size(facts(audio_kbps=0, audio_channels=0, audio_tracks=0), spec).bytes == (
        pytest.approx(picture_bytes, rel=0.05)
    )


def test_converted_sound_is_counted() -> None:
    spec = replace(X265, audio=AudioRule(codec="aac", max_channels=2))
    assert estimate_size(facts(audio_kbps=4000), spec).bytes < (
        estimate_size(facts(audio_kbps=4000), X265).bytes
    )


@pytest.mark.parametrize("missing", ["duration_s", "width", "height"])
def test_an_unknown_film_gets_an_honest_range(missing: str) -> None:
    estimate = estimate_size(facts(**{missing: 0}), X265)
    assert (estimate.low, estimate.high) == (4 * GB // 10, 4 * GB)


def test_a_higher_target_asks_for_a_lower_crf_and_more_bytes() -> None:
    def rule(target: float, metric: str = "vmaf") -> VideoRule:
        return VideoRule(crf=None, target_vmaf=target, target_metric=metric)

    assert usual_crf(rule(97)) < usual_crf(rule(93)) < usual_crf(rule(85))
    assert usual_crf(rule(43, "xpsnr")) < usual_crf(rule(39, "xpsnr"))
    good, poor = (estimate_size(facts(), PresetSpec(video=rule(n))) for n in (96, 88))
    assert poor.bytes < good.bytes
    assert "VMAF 96" in good.text


def test_a_hardware_encoder_needs_more_bytes_than_the_same_codec_in_software() -> None:
    hardware = PresetSpec(video=VideoRule(encoder="hevc_nvenc"))
    assert estimate_size(facts(), X265).bytes < estimate_size(facts(), hardware).bytes


def test_a_film_without_a_rate_is_no_crash() -> None:
    assert estimate_size(facts(frames_per_s=0.0), X265).bytes > 0


def test_row_and_probe_of_one_film_give_about_the_same() -> None:
    info = film(
        video(frame_rate="24000/1001"),
        size_bytes=4 * GB,
        duration_s=HOUR_S,
        audio=(audio(codec="ac3", channels=6),),
    )
    row = MediaFile(
        size_bytes=4 * GB,
        duration_ms=3_600_000,
        video_codec="h264",
        width=1920,
        height=1080,
        frame_rate_milli=23976,
        audio_codec="ac3",
        audio_channels=6,
        audio_languages=",eng,",
    )
    by_probe = estimate_size(facts_of_info(info), X265).bytes
    by_row = estimate_size(facts_of_file(row), X265).bytes
    assert by_row == pytest.approx(by_probe, rel=0.15)


def row(pk: int, **values: object) -> MediaFile:
    usual = {
        "size_bytes": 4 * GB,
        "duration_ms": 3_600_000,
        "video_codec": "h264",
        "width": 1920,
        "height": 1080,
        "frame_rate_milli": 24000,
    }
    return MediaFile(pk=pk, **{**usual, **values})


@pytest.mark.django_db
def test_the_library_asks_through_the_hook_with_two_queries(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    files = [
        row(1),
        row(2, mediaflow_tag="x;balanced"),
        row(3, size_bytes=150_000_000),
        row(4, video_codec=""),
    ]
    with django_assert_num_queries(2):  # type: ignore[operator]
        found = estimate_savings(files, "balanced")
    assert list(found) == [1]
    assert 0 < found[1].low < found[1].expected < found[1].high < 4 * GB


@pytest.mark.django_db
def test_an_unknown_preset_estimates_nothing() -> None:
    assert estimate_savings([row(1)], "no-such-preset") == {}
