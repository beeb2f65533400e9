"""Black bars: what is cut off, and when nothing is."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind
from library.probing.probe import probe_file
from tests.media import ffmpeg_path
from tests.transcode.encode.films import film, hdr_video, index_of, plan_for
from transcode.planning import black_bars
from transcode.planning.black_bars import find_borders, read_pictures
from transcode.planning.borders import Borders, CropBox, SeenPicture, judge_borders
from transcode.planning.packet_index import read_packet_index
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path

WIDE = SeenPicture(left=0, right=1919, top=140, bottom=939)
CROP = PresetSpec(video=VideoRule(crop_borders=True))


def bars(*seen: SeenPicture, **values: int) -> Borders:
    return judge_borders(seen, 1920, 1080, **values)


def test_bars_that_all_pictures_share_are_cut_off() -> None:
    assert bars(*[WIDE] * 20).box == CropBox(0, 140, 1920, 800)


def test_dark_pictures_that_end_earlier_do_not_make_the_picture_smaller() -> None:
    dark = SeenPicture(left=600, right=900, top=400, bottom=600)
    assert bars(*[WIDE] * 12, *[dark] * 8).box == CropBox(0, 140, 1920, 800)


@pytest.mark.parametrize(
    "other",
    [
        replace(WIDE, top=0, bottom=1079),
        replace(WIDE, top=60, bottom=1019),
        replace(WIDE, bottom=1010),
    ],
    ids=["a scene without bars", "a scene in another shape", "a subtitle in the lower bar"],
)
def test_one_picture_that_reaches_further_keeps_the_bars(other: SeenPicture) -> None:
    assert bars(*[WIDE] * 30, other).box is None


def test_uneven_edges_grow_and_never_cut_into_the_picture() -> None:
    seen = SeenPicture(left=241, right=1678, top=0, bottom=1079)
    assert bars(*[seen] * 10).box == CropBox(240, 0, 1440, 1080)


def test_fields_of_interlaced_films_stay_where_they_are() -> None:
    seen = SeenPicture(left=0, right=1919, top=138, bottom=941)
    box = bars(*[seen] * 10, line_step=4).box
    assert box == CropBox(0, 136, 1920, 808)


@pytest.mark.parametrize(
    "seen",
    [
        [SeenPicture(0, 1919, 3, 1076)] * 20,
        [SeenPicture(0, 1919, 0, 1079)] * 20,
        [WIDE] * 7,
        [],
        [SeenPicture(900, 1000, 500, 540)] * 20,
    ],
    ids=["thin bars", "no bars", "too few pictures", "no picture", "a light in the dark"],
)
def test_nothing_is_cut_off_without_good_reason(seen: list[SeenPicture]) -> None:
    found = bars(*seen)
    assert found.box is None
    assert found.note


def test_a_plan_crops_before_it_scales_and_says_so() -> None:
    found = bars(*[WIDE] * 20)
    spec = replace(CROP, video=replace(CROP.video, max_resolution=720))
    plan = plan_for(film(), spec, borders=found)
    assert plan.video is not None
    assert plan.video.filters[:2] == ("crop=1920:800:0:140", "scale=1280:534:flags=lanczos")
    assert (plan.video.width, plan.video.height) == (1280, 534)
    assert "Black bars are cut off: 1920×1080 becomes 1920×800." in plan.notes
    assert found.note in plan.notes


def test_bars_stay_unless_the_preset_wants_them_cut_off() -> None:
    plan = plan_for(film(), PresetSpec(), borders=bars(*[WIDE] * 20))
    assert plan.video is not None
    assert plan.video.height == 1080


def test_bars_stay_where_dolby_vision_does() -> None:
    picture = hdr_video(HdrKind.DOLBY_VISION, dolby_vision_profile="8.1")
    found = bars(*[WIDE] * 20)
    plan = plan_for(film(picture), CROP, borders=found)
    assert plan.video is not None
    assert (plan.video.height, plan.video.color.hdr) == (1080, "dolby_vision")
    assert any("bars stay" in note for note in plan.notes)
    reduced = replace(CROP, video=replace(CROP.video, hdr="hdr10"))
    plan = plan_for(film(picture), reduced, borders=found)
    assert plan.video is not None
    assert (plan.video.height, plan.video.color.hdr) == (800, "hdr10")


def letterboxed(path: Path) -> bytes:
    """Two seconds with bars of 22 lines above and below, a keyframe every fifth picture."""
    source = "testsrc2=size=320x136:rate=25,trim=duration=2,pad=320:180:0:22"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-pix_fmt", "yuv420p"]
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", source, *codec, f"file:{path}"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=120)
    return os.fsencode(path)


@pytest.mark.ffmpeg
def test_bars_are_found_in_the_whole_film_and_in_its_keyframes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = letterboxed(tmp_path / "film.mkv")
    info, index = probe_file(source), read_packet_index(source)
    assert find_borders(source, info, index, work_dir=tmp_path).box == CropBox(0, 22, 320, 136)
    monkeypatch.setattr(black_bars, "WHOLE_BELOW_S", 0.0)
    monkeypatch.setattr(black_bars, "MIN_POINTS", 8)
    shares: list[float] = []
    found = find_borders(source, info, index, work_dir=tmp_path, on_share=shares.append)
    assert found.box == CropBox(0, 22, 320, 136)
    assert len(shares) == 8
    assert list(tmp_path.glob("borders-*")) == []


@pytest.mark.ffmpeg
def test_bars_of_a_turned_film_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    lying, source = letterboxed(tmp_path / "film.mp4"), tmp_path / "turned.mp4"
    turn = [ffmpeg_path(), "-v", "error", "-display_rotation", "90", "-i", os.fsdecode(lying)]
    subprocess.run([*turn, "-c", "copy", f"file:{source}"], check=True, timeout=120)
    raw = os.fsencode(source)
    found = find_borders(raw, probe_file(raw), read_packet_index(raw), work_dir=tmp_path)
    assert found.box == CropBox(22, 0, 136, 320)


@pytest.mark.ffmpeg
def test_a_film_whose_pictures_cannot_be_decoded_keeps_its_bars(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    source = letterboxed(path)
    info, index = probe_file(source), read_packet_index(source)
    path.write_bytes(b"gone " * 1000)
    assert find_borders(source, info, index, work_dir=tmp_path).box is None


def test_sound_has_no_bars(tmp_path: Path) -> None:
    info = film()
    found = find_borders(b"/f.mkv", replace(info, video=()), index_of(info), work_dir=tmp_path)
    assert found == Borders(None, "There is no picture whose bars could be looked for.")


def test_a_picture_that_was_only_half_described_is_left_out(tmp_path: Path) -> None:
    """ffmpeg was ended while it wrote."""
    keys = "lavfi.cropdetect.{}={}\n"
    whole = "".join(keys.format(*pair) for pair in (("x1", 0), ("x2", 9), ("y1", 2), ("y2", 7)))
    log = tmp_path / "borders.txt"
    log.write_text(f"frame:0 pts:0\n{whole}frame:1 pts:40\n{keys.format('x1', 0)}")
    assert read_pictures(log) == [SeenPicture(0, 9, 2, 7)]
