"""Good films of every kind pass, encoded by the real plan and the real command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.media import make_clip, suffix_of
from tests.transcode.verify.pairs import Pair, encode_by_preset
from tests.transcode.verify.walk import prove
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.verify import Proof

pytestmark = pytest.mark.ffmpeg

HEVC = PresetSpec(
    video=VideoRule(crf=20, speed="fastest"),
    min_saving_pct=0,
    min_vmaf_mean=80,
    min_vmaf_p5=70,
)
REMUX = PresetSpec(video=VideoRule(encoder="copy", crf=None), min_saving_pct=-5)
MP4 = PresetSpec(
    container="mp4",
    video=VideoRule(encoder="x264", crf=18, speed="fastest", bit_depth=8, hdr="tone_map"),
    audio=AudioRule(codec="aac", max_channels=2, copy_codecs=("aac",)),
    min_saving_pct=0,
    min_vmaf_mean=80,
    min_vmaf_p5=70,
)
AV1_480P = PresetSpec(
    video=VideoRule(encoder="svtav1", crf=30, speed="fastest", max_resolution=480),
    audio=AudioRule(codec="opus", copy_codecs=("opus",)),
    min_saving_pct=0,
    min_vmaf_mean=80,
    min_vmaf_p5=70,
)


def passed(pair: Pair) -> Proof:
    proof = prove(pair)
    assert proof.is_passed, [r.text for r in proof.rungs if r.is_failed]
    return proof


def clip(
    kind: str, folder: Path, *, seconds: float = 1, width: int = 320, height: int = 180
) -> Path:
    target = folder / f"source{suffix_of(kind)}"
    return make_clip(kind, target, seconds=seconds, width=width, height=height, crf=2)


@pytest.mark.parametrize(
    "kind",
    [
        "h264_mkv",
        "mpeg4_avi",
        "interlaced",
        "mpeg2_ts",
        "ts",
        "vfr",
        "hevc_hdr10",
        "hlg",
        "odd_size",
        "rotated",
        "two_audio",
        "subtitles",
        "bitmap_subs",
        "fonts",
        "chapters",
        "cover_art",
        "edit_list",
        "late_start",
    ],
)
def test_a_good_hevc_passes(kind: str, tmp_path: Path) -> None:
    proof = passed(encode_by_preset(clip(kind, tmp_path), tmp_path, HEVC))
    assert {r.outcome for r in proof.rungs} == {"passed"}
    assert proof.vmaf_mean is not None


def test_hdr_is_compared_in_its_own_space_and_says_so(tmp_path: Path) -> None:
    proof = passed(encode_by_preset(clip("hevc_hdr10", tmp_path), tmp_path, HEVC))
    assert "compared as hdr10" in proof.vmaf_method


@pytest.mark.parametrize("kind", ["hevc_hdr10", "rotated", "odd_size", "subtitles"])
def test_a_good_mp4_passes_also_when_tones_are_mapped(kind: str, tmp_path: Path) -> None:
    proof = passed(encode_by_preset(clip(kind, tmp_path), tmp_path, MP4))
    assert "compared as" not in proof.vmaf_method


@pytest.mark.parametrize("kind", ["h264_mp4", "interlaced"])
def test_a_good_and_smaller_av1_passes(kind: str, tmp_path: Path) -> None:
    source = clip(kind, tmp_path, width=1280, height=720)
    pair = encode_by_preset(source, tmp_path, AV1_480P)
    assert passed(pair).frames == 25
    assert pair.prepared.plan.video.height == 480


@pytest.mark.parametrize("kind", ["two_audio", "mpeg4_avi", "late_start"])
def test_a_good_remux_passes_without_vmaf(kind: str, tmp_path: Path) -> None:
    pair = encode_by_preset(clip(kind, tmp_path), tmp_path, REMUX)
    proof = passed(pair)
    assert proof.vmaf_mean is None
    assert {r.number: r.outcome for r in proof.rungs}[8] == "not_applicable"


@pytest.mark.parametrize("seconds", [0.04, 0.12, 0.5])
def test_a_very_short_clip_passes(seconds: float, tmp_path: Path) -> None:
    source = clip("h264_mkv", tmp_path, seconds=seconds)
    pair = encode_by_preset(source, tmp_path, HEVC)
    proof = passed(pair)
    assert proof.frames == pair.prepared.index.frames <= 13
    assert "all" in proof.vmaf_method


def test_a_longer_film_is_measured_in_three_windows(tmp_path: Path) -> None:
    source = clip("ts", tmp_path, seconds=12, width=160, height=90)
    proof = passed(encode_by_preset(source, tmp_path, HEVC))
    assert "3 × 50 frames by frame index" in proof.vmaf_method
