"""Pictures through prepare, encode and assemble: dynamic HDR, tone mapping, constant rates."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import av
import pytest

from library.media_info import HdrKind
from tests.dynamic_hdr import make_dolby_vision, make_hdr10_plus
from tests.media import ffmpeg_path
from tests.transcode.encode.world import AV1, X265, Result, clip_world, make_world, run_phases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transcode.presets.spec import PresetSpec

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
DYNAMIC = {"DOVI_METADATA", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_PLUS"}
TO_HDR10 = replace(X265, video=replace(X265.video, hdr="hdr10"))


def side_data(path: Path) -> list[dict[str, bytes]]:
    """What lies beside each picture, in the order in which they are shown."""
    with av.open(str(path)) as film:
        return [{d.type.name: bytes(d) for d in f.side_data} for f in film.decode(video=0)]


def dynamic_film(tmp_path: Path, make: Callable[[Path], Path], spec: PresetSpec) -> Result:
    folder = tmp_path / "films"
    folder.mkdir()
    return run_phases(make_world(tmp_path, make(folder / "film.mkv"), spec))


@pytest.mark.parametrize(("spec", "profile"), [(X265, "8.1"), (AV1, "10.1")], ids=["x265", "av1"])
def test_dolby_vision_comes_out_picture_by_picture(
    tmp_path: Path, spec: PresetSpec, profile: str
) -> None:
    result = dynamic_film(tmp_path, make_dolby_vision, spec)
    video = result.after.video[0]
    assert (video.hdr, video.dolby_vision_profile) == (HdrKind.DOLBY_VISION, profile)
    assert video.mastering_display == result.before.video[0].mastering_display
    before = side_data(tmp_path / "films" / "film.mkv")
    after = side_data(result.output)
    assert [s["DOVI_METADATA"] for s in after] == [s["DOVI_METADATA"] for s in before]


@pytest.mark.parametrize("make", [make_dolby_vision, make_hdr10_plus], ids=["dv", "hdr10+"])
def test_what_is_reduced_to_hdr10_carries_no_dynamic_data_any_more(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    result = dynamic_film(tmp_path, make, TO_HDR10)
    assert DYNAMIC & side_data(tmp_path / "films" / "film.mkv")[0].keys()
    assert not any(DYNAMIC & s.keys() for s in side_data(result.output))
    video = result.after.video[0]
    assert (video.hdr, video.dolby_vision_profile) == (HdrKind.HDR10, "")
    assert (video.max_cll_nits, video.max_fall_nits) == (1000, 400)
    assert len(result.prepared.plan.losses) == 1


def test_a_variable_rate_becomes_constant_with_the_promised_pictures(tmp_path: Path) -> None:
    spec = replace(X265, video=replace(X265.video, frame_rate="constant"))
    result = run_phases(clip_world(tmp_path, "vfr", spec, seconds=2))
    plan = result.prepared.plan.video
    assert plan is not None
    assert (plan.frame_rate, plan.expected_frames) == ("25", 50)
    assert result.prepared.index.frames == 40
    assert abs(result.index.frames - plan.expected_frames) <= plan.frame_tolerance
    pts = [float(p * result.index.time_base) for p in result.index.video_pts]
    gaps = [b - a for a, b in itertools.pairwise(pts)]
    assert max(gaps) - min(gaps) <= 0.0011


# What a picture may be made of, as ffmpeg options behind the colour patches: a name, then them.
ODD_PICTURES: dict[str, tuple[str, ...]] = {
    "full range": ("-vf", "scale=out_range=pc,format=yuv420p,setparams=range=pc"),
    "4:2:2": ("-vf", "format=yuv422p10le"),
    "4:4:4": ("-vf", "format=yuv444p"),
    "RGB": ("-vf", "format=gbrp", "-c:v", "libx264rgb"),
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
    path = tmp_path / "films" / "film.mkv"
    bars = "smptebars=size=320x180:rate=25,trim=end_frame=5"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    lossless = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"]
    options = list(ODD_PICTURES[kind])
    options[1] = f"scale=out_color_matrix=bt709,{options[1]}" + (
        "" if kind == "RGB" else f",{tags}"
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
    assert len(result.prepared.plan.losses) == (kind in ("4:2:2", "4:4:4", "RGB"))
