"""The pure parts of a probe: ffmpeg's description, side data, frame timing."""

from __future__ import annotations

import os
import struct
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind, TimingKind
from library.probing.color import hdr_kind, read_light_level, read_mastering_display
from library.probing.dump import parse_dump
from library.probing.probe import probe_file
from library.probing.timing import judge_timing, pick_frame_rate
from tests.media import ffmpeg_path

if TYPE_CHECKING:
    from pathlib import Path

# Captured from ffmpeg for a phone's Dolby Vision 8.4 film, shortened.
PHONE = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from '':
  Metadata:
    comment         : x
                    :   Stream #0:0: Video: fake
  Duration: 00:00:02.00, start: 0.000000, bitrate: 680 kb/s
  Stream #0:0[0x1](und): Video: hevc (Main 10) (hvc1 / 0x31637668), yuv420p10le(tv, bt2020nc/bt2020/arib-std-b67, left), 1920x1080, 30 fps (default)
    Side data:
      DOVI configuration record: version: 1.0, profile: 8, level: 4, rpu flag: 1, el flag: 0, bl flag: 1, compatibility id: 4, compression: 0
      Display Matrix: rotation of -90.00 degrees
  Stream #0:1[0x2](und): Audio: ac4 (ac-4 / 0x342D6361), 48000 Hz (default)
  Stream #0:2[0x3](und): Data: none (mebx / 0x7862656D), 0 kb/s (default)
"""  # noqa: E501


def test_dolby_vision_profile_and_rotation_come_from_the_description() -> None:
    video = parse_dump(PHONE).streams[0]
    assert video.dolby_vision_profile == "8.4"
    assert video.rotation_deg == 90
    assert (video.codec, video.chroma_location) == ("hevc", "left")


def test_codecs_without_a_decoder_keep_their_names() -> None:
    streams = parse_dump(PHONE).streams
    assert (streams[1].codec, streams[2].tag) == ("ac4", "mebx")


def test_a_tag_that_looks_like_a_stream_is_none() -> None:
    assert set(parse_dump(PHONE).streams) == {0, 1, 2}


def test_dolby_vision_profile_5_has_no_compatible_layer() -> None:
    text = (
        "  Stream #0:0: Video: hevc, yuv420p10le\n    Side data:\n"
        "      DOVI configuration record: version: 1.0, profile: 5, level: 6,"
        " compatibility id: 0\n"
    )
    assert parse_dump(text).streams[0].dolby_vision_profile == "5"


def test_programs_are_counted() -> None:
    assert parse_dump("  Program 1 \n  Program 2 \n").programs == 2


def mastering(max_nits: int = 1000, flags: tuple[int, int] = (1, 1)) -> bytes:
    xy = [34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450]
    numbers = [n for value in xy for n in (value, 50_000)]
    return struct.pack("=20i2i", *numbers, 50, 10_000, max_nits * 10_000, 10_000, *flags)


def test_mastering_display_is_read_in_its_units() -> None:
    found = read_mastering_display(mastering())
    assert found is not None
    assert (found.red_x, found.white_y) == (34000, 16450)
    assert (found.max_luminance, found.min_luminance) == (10_000_000, 50)


@pytest.mark.parametrize("raw", [b"", b"short", mastering(flags=(0, 1)), mastering(flags=(1, 0))])
def test_half_a_mastering_display_is_none(raw: bytes) -> None:
    assert read_mastering_display(raw) is None


def test_light_levels() -> None:
    assert read_light_level(struct.pack("=2I", 1000, 400)) == (1000, 400)
    assert read_light_level(struct.pack("=2I", 0, 0)) is None
    assert read_light_level(b"") is None


@pytest.mark.parametrize(
    ("transfer", "dolby", "plus", "kind"),
    [
        ("smpte2084", False, False, HdrKind.HDR10),
        ("smpte2084", False, True, HdrKind.HDR10_PLUS),
        ("smpte2084", True, True, HdrKind.DOLBY_VISION),
        ("arib-std-b67", False, False, HdrKind.HLG),
        ("arib-std-b67", True, False, HdrKind.DOLBY_VISION),
        ("bt709", False, False, HdrKind.SDR),
        ("", False, False, HdrKind.SDR),
    ],
)
def test_kind_of_hdr(transfer: str, dolby: bool, plus: bool, kind: HdrKind) -> None:
    assert hdr_kind(transfer=transfer, has_dolby_vision=dolby, has_hdr10_plus=plus) is kind


def test_even_spacing_is_constant_in_any_order() -> None:
    kind, spacing = judge_timing([n * 40 for n in (3, 1, 0, 2, 5, 4, 7, 6, 9, 8)])
    assert (kind, spacing) == (TimingKind.CONSTANT, Fraction(40))


def test_the_rounding_of_milliseconds_is_not_variable() -> None:
    film = [round(n * 1001 / 24) for n in range(48)]  # 23.976 in Matroska's ticks
    assert judge_timing(film)[0] is TimingKind.CONSTANT


def test_a_dropped_frame_is_variable() -> None:
    assert judge_timing([n * 40 for n in range(20) if n != 11])[0] is TimingKind.VARIABLE


def test_few_frames_say_nothing() -> None:
    assert judge_timing([0, 40, 80]) == (TimingKind.UNKNOWN, Fraction(0))


def test_frames_still_to_come_in_decode_order_are_no_gap() -> None:
    seen = [*(n * 40 for n in range(20)), 24 * 40]  # the frames 20 to 23 follow later
    assert judge_timing(seen, is_whole=False)[0] is TimingKind.CONSTANT
    assert judge_timing(seen)[0] is TimingKind.VARIABLE


def test_what_lies_behind_the_last_decode_time_is_left_out() -> None:
    seen = [*(n * 40 for n in range(12)), *(n * 40 for n in (14, 16, 17, 18, 19, 20))]
    assert judge_timing(seen, is_whole=False)[0] is TimingKind.VARIABLE
    assert judge_timing(seen, is_whole=False, complete_to=440)[0] is TimingKind.CONSTANT


@pytest.mark.ffmpeg
@pytest.mark.parametrize("crf", [4, 18, 22])
def test_large_pictures_out_of_order_are_no_variable_rate(tmp_path: Path, crf: int) -> None:
    """A disc's bit rate: the sample ends by its bytes, amid pictures that refer to each other."""
    film = tmp_path / "film.mkv"
    noise = "testsrc2=size=640x360:rate=24,noise=alls=30:allf=t"
    subprocess.run(
        [
            *(ffmpeg_path(), "-loglevel", "error", "-f", "lavfi", "-i", noise, "-t", "3"),
            *("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-b_strategy", "0"),
            *("-crf", str(crf), str(film)),
        ],
        check=True,
        timeout=120,
    )
    (video,) = probe_file(os.fsencode(film)).video
    assert (video.frame_rate, video.timing) == ("24", TimingKind.CONSTANT)


def test_the_rate_next_to_the_spacing_is_taken() -> None:
    lying, true = Fraction(2752, 100), Fraction(30)
    assert pick_frame_rate(Fraction(1, 30), [lying, None, true]) == true


def test_without_spacing_the_first_named_rate_is_taken() -> None:
    assert pick_frame_rate(Fraction(0), [None, Fraction(25)]) == 25
    assert pick_frame_rate(Fraction(0), [None]) is None


def test_when_no_named_rate_fits_the_measured_one_is_taken() -> None:
    assert pick_frame_rate(Fraction(1, 20), [Fraction(25)]) == 20
