"""Each rung has a broken output that fails only there (trust.md: mutation tests)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.media import make_clip
from tests.transcode.verify.breaking import ended, flip, reencoded, remuxed
from tests.transcode.verify.conftest import BT709
from tests.transcode.verify.pairs import X264, Pair, encode_by_preset, encode_pair, ffmpeg
from tests.transcode.verify.walk import failed_rungs, prove
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.ffmpeg
SMALL = PresetSpec(video=VideoRule(encoder="x264", crf=30, speed="fastest", bit_depth=8))


def test_the_good_pair_passes_every_rung(rich: Pair) -> None:
    assert failed_rungs(rich) == {}


# Rung 0


def test_an_exit_code_fails_only_the_process_rung(rich: Pair) -> None:
    broken = replace(rich, result=replace(ended(rich), return_code=1))
    assert list(failed_rungs(broken)) == [0]
    assert prove(broken).failed_code == "verify_process"


def test_a_missing_end_of_progress_fails_only_the_process_rung(rich: Pair) -> None:
    broken = replace(rich, result=replace(ended(rich), saw_end=False))
    assert list(failed_rungs(broken)) == [0]


def test_an_unknown_message_fails_only_the_process_rung(rich: Pair) -> None:
    lines = ("[libx265 @ 0x5581] [warning] the moon is made of cheese",)
    broken = replace(rich, result=replace(ended(rich), stderr_lines=lines))
    failed = failed_rungs(broken)
    assert list(failed) == [0]
    assert "made of cheese" in failed[0]


def test_a_message_about_damage_is_never_explained_by_the_source(rich: Pair) -> None:
    lines = ("[h264 @ 0x5581] [error] error while decoding MB 3 4, bytestream 99",)
    broken = replace(rich, result=replace(ended(rich), stderr_lines=lines))
    failed = failed_rungs(broken)
    assert list(failed) == [0]
    assert "damage" in failed[0]


def test_a_film_that_is_damaged_in_its_middle_is_never_replaced(tmp_path: Path) -> None:
    """ffmpeg ends with 0 and a whole film all the same; only what it said on the way tells."""
    source = make_clip("corrupt_middle", tmp_path / "film.mkv", seconds=3, crf=8)
    pair = encode_by_preset(source, tmp_path, SMALL)
    assert pair.result is not None
    assert (pair.result.return_code, pair.result.saw_end) == (0, True)
    proof = prove(pair)
    assert proof.failed_code == "verify_process"
    assert "damage" in proof.failed_text


# Rungs 1 and 2


def test_an_empty_file_fails_the_file_rung(rich: Pair, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mkv"
    empty.touch()
    assert prove(rich.with_output(empty)).failed_code == "verify_file"


def test_a_file_that_is_not_there_fails_the_file_rung(rich: Pair, tmp_path: Path) -> None:
    assert prove(rich.with_output(tmp_path / "nothing.mkv")).failed_code == "verify_file"


def test_an_mp4_without_its_index_fails_to_open(rotated: Pair, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    raw = rotated.output.read_bytes()
    assert raw.index(b"mdat") < raw.index(b"moov")
    broken.write_bytes(raw[: raw.index(b"moov") - 4])
    assert prove(rotated.with_output(broken)).failed_code == "verify_opens"


# Rung 3


def test_a_source_that_breaks_off_fails_only_the_duration_rung(tmp_path: Path) -> None:
    whole = make_clip("h264_mkv", tmp_path / "whole.mkv", seconds=3, crf=8)
    raw = whole.read_bytes()
    source = tmp_path / "source.mkv"
    source.write_bytes(raw[: len(raw) // 2])
    pair = encode_pair(source, tmp_path)
    failed = failed_rungs(replace(pair, result=None))
    assert list(failed) == [3]
    assert "breaks off" in failed[3]


def test_an_output_that_ends_early_fails_the_duration_rung(rich: Pair, tmp_path: Path) -> None:
    broken = remuxed(rich, tmp_path, "-t", "2")
    assert prove(broken).failed_code == "verify_duration"


def test_a_sound_that_ends_early_fails_the_duration_rung(rich: Pair, tmp_path: Path) -> None:
    short = tmp_path / "short.mkv"
    ffmpeg(
        *("-i", rich.output, "-t", "1.8", "-i", rich.output, "-map", "0:v", "-map", "1:a"),
        *("-map", "0:s", "-map", "0:t", "-c", "copy", short),
    )
    proof = prove(rich.with_output(short))
    assert proof.failed_code == "verify_duration"
    assert "audio" in proof.failed_text


# Rung 4


def test_a_frame_shown_late_fails_only_the_frames_rung(rich: Pair, tmp_path: Path) -> None:
    late = "setts=pts='if(eq(N,30),PTS+15,PTS)':dts='if(eq(N,30),DTS,DTS)'"
    broken = remuxed(rich, tmp_path, "-bsf:v", late)
    failed = failed_rungs(broken)
    assert list(failed) == [4]
    assert "15.0 ms off" in failed[4]


@pytest.mark.parametrize(
    ("graph", "counted"),
    [
        ("select='not(eq(n,37))'", 74),
        ("loop=loop=1:size=1:start=37,setpts=N*3/76/TB", 76),
    ],
    ids=["dropped", "doubled"],
)
def test_a_frame_too_few_or_too_many_fails_the_frames_rung(
    rich: Pair, tmp_path: Path, graph: str, counted: int
) -> None:
    broken = reencoded(rich, tmp_path, graph, "-enc_time_base:v", "1:1000")
    proof = prove(broken)
    assert proof.failed_code == "verify_frames"
    assert f"{counted} frames where 75" in proof.failed_text


# Rung 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-map", "-0:a:1"), "1 audio streams where 2"),
        (("-map", "-0:s:0"), "1 subtitle streams where 2"),
        (("-disposition:s:1", "0"), "forced"),
        (("-disposition:a:1", "0"), "commentary"),
        (("-metadata:s:a:1", "language=eng"), "language"),
        (("-metadata:s:a:0", "title="), "title"),
        (("-map_chapters", "-1"), "0 chapters where 2"),
        (("-map", "-0:t"), "0 attachment streams where 1"),
        (("-metadata:s:t:0", "filename=other.ttf"), "Sample Sans.ttf"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_lost_or_changed_stream_fails_only_the_streams_rung(
    rich: Pair, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    failed = failed_rungs(remuxed(rich, tmp_path, *options))
    assert list(failed) == [5]
    assert words in failed[5]


def test_sounds_in_another_order_fail_only_the_streams_rung(rich: Pair, tmp_path: Path) -> None:
    swapped = tmp_path / "swapped.mkv"
    ffmpeg(
        *("-i", rich.output, "-map", "0:v", "-map", "0:a:1", "-map", "0:a:0", "-map", "0:s"),
        *("-map", "0:t", "-c", "copy", swapped),
    )
    assert list(failed_rungs(rich.with_output(swapped))) == [5]


def test_a_chapter_that_moved_fails_only_the_streams_rung(rich: Pair, tmp_path: Path) -> None:
    chapters = ";FFMETADATA1\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
        for start, end, title in ((0, 1000, "Opening"), (1000, 3000, "Ending"))
    )
    (tmp_path / "chapters.txt").write_text(chapters)
    moved = tmp_path / "moved.mkv"
    ffmpeg(
        *("-i", rich.output, "-i", tmp_path / "chapters.txt", "-map", "0", "-c", "copy"),
        *("-map_chapters", "1", moved),
    )
    failed = failed_rungs(rich.with_output(moved))
    assert list(failed) == [5]
    assert "chapter 2 begins at 1.000 s, not 1.500 s" in failed[5]


# Rung 6


def test_flipped_bytes_that_only_strict_decoding_sees_fail_only_the_decode_rung(
    rich: Pair, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mkv"
    shutil.copyfile(rich.output, broken)
    raw = broken.read_bytes()
    packet = raw.index(b"\x0b\x77", len(raw) // 2)  # an AC-3 frame begins
    flip(broken, packet + 150, 1)
    ffmpeg("-i", broken, "-map", "0:a", "-f", "null", "-")  # forgiven: exit code 0
    assert list(failed_rungs(rich.with_output(broken))) == [6]


def test_flipped_picture_bytes_fail_the_decode_rung(rich: Pair, tmp_path: Path) -> None:
    pair = encode_pair(rich.source, tmp_path, video=X264, codec="h264")
    broken = tmp_path / "broken.mkv"
    shutil.copyfile(pair.output, broken)
    flip(broken, broken.stat().st_size // 2, 400)
    proof = prove(pair.with_output(broken))
    assert proof.failed_code == "verify_decode"


def test_an_error_that_a_copied_sound_has_in_the_source_is_recorded(
    rich: Pair, tmp_path: Path
) -> None:
    source = tmp_path / "source.mkv"
    shutil.copyfile(rich.source, source)
    raw = source.read_bytes()
    flip(source, raw.index(b"\x0b\x77", len(raw) // 2) + 150, 1)
    pair = encode_pair(source, tmp_path)
    proof = prove(pair)
    assert proof.is_passed, proof.failed_text
    assert {r.number: r.outcome for r in proof.rungs}[6] == "recorded"
    assert any("errors that the source has too" in loss for loss in proof.losses)


# Rung 7


def test_a_sound_moved_by_100_ms_fails_only_the_sync_rung(rich: Pair, tmp_path: Path) -> None:
    moved = tmp_path / "moved.mkv"
    ffmpeg(
        *("-i", rich.output, "-itsoffset", "0.1", "-i", rich.output, "-map", "0:v"),
        *("-map", "1:a:0", "-map", "0:a:1", "-map", "0:s", "-map", "0:t", "-c", "copy", moved),
    )
    failed = failed_rungs(rich.with_output(moved))
    assert list(failed) == [7]
    assert "100.0 ms later" in failed[7]


# Rung 8


def test_a_blurred_picture_fails_only_the_quality_rung(rich: Pair, tmp_path: Path) -> None:
    broken = reencoded(rich, tmp_path, f"gblur=sigma=6,{BT709}")
    failed = failed_rungs(broken)
    assert list(failed) == [8]
    assert "VMAF mean" in failed[8]


def test_a_film_one_frame_off_fails_only_the_quality_rung(rich: Pair, tmp_path: Path) -> None:
    one_off = "trim=start_frame=1,setpts=N/25/TB,tpad=stop=1:stop_mode=clone"
    broken = reencoded(rich, tmp_path, f"{one_off},{BT709}")
    failed = failed_rungs(broken.with_plan(min_vmaf_mean=0.0, min_vmaf_p5=0.0))
    assert list(failed) == [8]
    assert "one frame off fits clearly better" in failed[8]
