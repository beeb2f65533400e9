"""Colours and shapes through prepare, encode and assemble, whatever a picture is made of."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind
from tests.dynamic_hdr import make_hdr10_plus
from tests.media import ffmpeg_path
from tests.transcode.encode.world import X265, clip_world, make_world, run_phases
from transcode.outcomes import JobSkipped
from transcode.planning.hdr10_plus import read_hdr10_plus
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
# What a picture may be made of, as ffmpeg options behind the colour patches: a name, then them.
ODD_PICTURES: dict[str, tuple[str, ...]] = {
    "full range": ("-vf", "scale=out_range=pc,format=yuv420p,setparams=range=pc"),
    "4:2:2": ("-vf", "format=yuv422p10le"),
    "4:4:4": ("-vf", "format=yuv444p"),
    "RGB": ("-vf", "format=gbrp", "-c:v", "libx264rgb"),
    "RGB with transparency": ("-vf", "format=argb", "-c:v", "rawvideo"),
    "anamorphic": ("-vf", "format=yuv420p,setsar=16/11"),
}


def patches(path: Path) -> list[tuple[int, int, int]]:
    """Red, green, blue in the middle of each of the seven bars, from the first picture."""
    argv: list[str] = [ffmpeg_path(), "-v", "error", "-i", f"file:{path}", "-frames:v", "1"]
    argv += ["-vf", "scale=140:20:flags=area:in_range=auto,format=rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout
    row = raw[3 * 140 * 5 :]
    return [(row[at], row[at + 1], row[at + 2]) for at in range(3 * 10, 3 * 140, 3 * 20)]


@pytest.mark.parametrize("kind", ODD_PICTURES)
def test_colours_and_shape_stay_whatever_the_picture_is_made_of(tmp_path: Path, kind: str) -> None:
    (tmp_path / "films").mkdir()
    path = tmp_path / "films" / ("film.mov" if "rawvideo" in ODD_PICTURES[kind] else "film.mkv")
    bars = "smptebars=size=320x180:rate=25,trim=end_frame=5"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    lossless = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"]
    options = list(ODD_PICTURES[kind])
    options[1] = f"scale=out_color_matrix=bt709,{options[1]}" + (
        "" if kind.startswith("RGB") else f",{tags}"
    )
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", bars, *lossless, *options]
    subprocess.run([*argv, f"file:{path}"], check=True, timeout=120)
    spec = replace(X265, video=replace(X265.video, crf=14), min_saving_pct=-100)
    result = run_phases(make_world(tmp_path, path, spec))
    assert len(set(patches(path))) == 7
    for before, after in zip(patches(path), patches(result.output), strict=True):
        assert max(abs(b - a) for b, a in zip(before, after, strict=True)) <= 6
    video, plan = result.after.video[0], result.prepared.plan.video
    assert plan is not None
    assert video.sample_aspect_ratio == ("16:11" if kind == "anamorphic" else "1:1")
    assert video.color_range == ("pc" if kind == "full range" else "tv")
    losses = {"4:2:2": 1, "4:4:4": 1, "RGB": 1, "RGB with transparency": 2}
    assert len(result.prepared.plan.losses) == losses.get(kind, 0)


def test_hdr10_plus_is_read_from_the_film_and_written_by_x265(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    source = make_hdr10_plus(tmp_path / "films" / "film.mkv")
    result = run_phases(make_world(tmp_path, source, replace(X265, min_saving_pct=-200)))
    assert result.after.video[0].hdr == HdrKind.HDR10_PLUS
    assert read_hdr10_plus(bytes(result.output)) == read_hdr10_plus(bytes(source))


def test_hdr10_plus_with_gaps_skips_the_film(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    source = make_hdr10_plus(tmp_path / "films" / "film.mkv", gap_at=7)
    with pytest.raises(JobSkipped) as caught:
        run_phases(make_world(tmp_path, source, replace(X265, min_saving_pct=-200)))
    assert "1 of its pictures carry no HDR10+ metadata" in caught.value.reason


def test_a_target_is_not_searched_for_where_chromecast_plays_the_picture(tmp_path: Path) -> None:
    rule = VideoRule(
        encoder="x264", crf=None, target_vmaf=95, bit_depth=8, profile="high", level="4.1"
    )
    spec = PresetSpec(
        container="mp4",
        video=rule,
        audio=AudioRule(codec="aac", max_channels=2),
        min_saving_pct=-200,
        skip_if_chromecast_ready=True,
    )
    result = run_phases(clip_world(tmp_path, "h264_mkv", spec))
    assert result.prepared.found is None
    assert {s.action.value for s in result.prepared.plan.kept} == {"copy"}
