"""HDR10+ out of a film's packets: what x265 gets, and what is refused rather than simplified."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import av
import pytest

from library.probing.probe import ProbeProblem
from tests.dynamic_hdr import Bits
from tests.media import ffmpeg_path, make_clip
from transcode.planning.hdr10_plus import Hdr10PlusProblem, parse_hdr10_plus, read_hdr10_plus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK = b"\xb5\x00\x3c\x00\x01\x04"
# A message of another kind, so long that its size takes two bytes.
OTHER_MESSAGE = bytes([5, 255, 45]) + b"x" * 300


def metadata(
    picture: int = 0,
    *,
    windows: int = 1,
    has_target_peaks: int = 0,
    bright_pixels: int = 0,
    has_mastering_peaks: int = 0,
    has_curve: int = 0,
    has_colours: int = 0,
) -> bytes:
    """Behind the mark; the average brightness tells the pictures apart."""
    b = Bits()
    b.u(8, 1)
    b.u(2, windows)
    b.u(27, 400)
    b.u(1, has_target_peaks)
    b.u(17, 10_000, 12_000, 9_000)
    b.u(17, 800 + picture)
    b.u(4, 2)
    for percentage, value in ((50, 1000), (99, 9000)):
        b.u(7, percentage)
        b.u(17, value)
    b.u(10, bright_pixels)
    b.u(1, has_mastering_peaks, has_curve)
    if has_curve:
        b.u(12, 100, 200)
        b.u(4, 2)
        b.u(10, 300, 600)
    b.u(1, has_colours)
    return b.bytes()


def test_a_picture_with_a_curve_is_read_whole() -> None:
    found = parse_hdr10_plus(metadata(7, has_curve=1))
    assert (found.target_nits, found.max_scl, found.average_rgb) == (400, (10000, 12000, 9000), 807)
    assert (found.percentages, found.percentiles) == ((50, 99), (1000, 9000))
    assert (found.knee, found.anchors) == ((100, 200), (300, 600))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (metadata(windows=2), "Its HDR10+ metadata has several windows."),
        (metadata(has_target_peaks=1), "Its HDR10+ metadata describes a display's peaks."),
        (metadata(bright_pixels=9), "Its HDR10+ metadata counts bright pixels."),
        (metadata(has_mastering_peaks=1), "Its HDR10+ metadata describes a display's peaks."),
        (metadata(has_colours=1), "Its HDR10+ metadata changes colours."),
        (metadata()[:-3], "Its HDR10+ metadata ends too early."),
        (b"", "Its HDR10+ metadata ends too early."),
    ],
)
def test_what_x265_cannot_be_told_is_refused_and_never_simplified(
    payload: bytes, reason: str
) -> None:
    with pytest.raises(Hdr10PlusProblem) as caught:
        parse_hdr10_plus(payload)
    assert str(caught.value) == reason


def film_with(folder: Path, message: Callable[[int], bytes]) -> Path:
    """A second of HEVC with B-frames; `message(n)` lies before the n-th picture that is shown."""
    clip, path = make_clip("hevc", folder / "clip.mkv"), folder / "film.mkv"
    with av.open(str(clip)) as source, av.open(str(path), "w") as film:
        video = source.streams.video[0]
        out: Any = film.add_stream_from_template(video)
        packets = [p for p in source.demux(video) if p.size]
        order = sorted(p.pts for p in packets if p.pts is not None)
        assert order != [p.pts for p in packets]
        for packet in packets:
            assert packet.pts is not None
            raw = message(order.index(packet.pts))
            unit = b"\x4e\x01" + raw + b"\x80" if raw else b""
            prefix = len(unit).to_bytes(4, "big") + unit if unit else b""
            made = av.Packet(prefix + bytes(packet))
            made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
            made.stream, made.is_keyframe = out, packet.is_keyframe
            film.mux(made)
    return path


def hdr10_plus(payload: bytes) -> bytes:
    # No run of zeros in it that would have to be protected.
    assert b"\x00\x00\x01" not in payload
    return bytes([4, len(MARK) + len(payload)]) + MARK + payload


def read(path: Path) -> Any:
    return json.loads(read_hdr10_plus(os.fsencode(path)))


@pytest.mark.ffmpeg
def test_each_picture_has_its_own_in_the_order_of_showing_in_either_form_of_packets(
    tmp_path: Path,
) -> None:
    film = film_with(tmp_path, lambda n: OTHER_MESSAGE + hdr10_plus(metadata(n)))
    found = read(film)
    scenes = found["SceneInfo"]
    assert [s["LuminanceParameters"]["AverageRGB"] for s in scenes] == [800 + n for n in range(25)]
    assert found["JSONInfo"]["HDR10plusProfile"] == "A"
    assert not any("BezierCurveData" in scene for scene in scenes)
    recording = tmp_path / "film.ts"
    argv = [ffmpeg_path(), "-v", "error", "-i", f"file:{film}", "-c", "copy", f"file:{recording}"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=60)
    assert read(recording) == found


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            lambda n: hdr10_plus(metadata(windows=2 if n == 9 else 1)),
            "Its HDR10+ metadata has several windows.",
        ),
        (lambda n: hdr10_plus(metadata(n))[: 20 if n == 9 else None], "ends too early."),
        (lambda _n: bytes([5, 12]) + MARK + b"x" * 6, "25 of its pictures carry no"),
        (lambda n: b"" if n in (3, 9) else hdr10_plus(metadata(n)), "2 of its pictures carry no"),
    ],
    ids=["unknown", "cut off", "another kind", "gaps"],
)
def test_one_picture_that_cannot_be_carried_refuses_the_film(
    tmp_path: Path, message: Callable[[int], bytes], reason: str
) -> None:
    film = film_with(tmp_path, message)
    with pytest.raises(ProbeProblem) as caught:
        read(film)
    assert caught.value.kind == "hdr10_plus"
    assert reason in caught.value.text


@pytest.mark.ffmpeg
def test_a_film_without_a_picture_or_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mkv"
    clip = make_clip("h264_mkv", tmp_path / "clip.mkv")
    argv = [ffmpeg_path(), "-v", "error", "-i", f"file:{clip}", "-vn", "-c", "copy"]
    subprocess.run([*argv, f"file:{sound}"], check=True, stdin=subprocess.DEVNULL, timeout=60)
    with pytest.raises(ProbeProblem, match="There is no picture in it"):
        read(sound)
    sound.write_bytes(b"no film at all" * 100)
    with pytest.raises(ProbeProblem, match="Its packets cannot be read: ") as caught:
        read(sound)
    assert caught.value.kind == "unreadable"
