"""The table of what ffmpeg may say."""

from __future__ import annotations

import pytest

from transcode.verify.harmless import is_damage, is_harmless, message, normalised, unknown_lines


@pytest.mark.parametrize(
    "line",
    [
        "x265 [warning]: Source height < 720p; disabling lookahead-slices",
        "Svt[info]: -------------------------------------------",
        "[h264 @ 0x5581d0] [error] mmco: unref short failure",
        "[in#0/matroska,webm @ 0x55] [warning] Could not find codec parameters for stream 5"
        " (Attachment: none): unknown codec",
        "Consider increasing the value for the 'analyzeduration' (0) and 'probesize' (5000000)",
        "    Last message repeated 3 times",
    ],
)
def test_known_talk_is_harmless(line: str) -> None:
    assert is_harmless(line)
    assert not is_damage(line)
    assert unknown_lines((line,)) == []


@pytest.mark.parametrize(
    "line",
    [
        "[h264 @ 0x5581d0] [error] error while decoding MB 12 8, bytestream -5",
        "[matroska,webm @ 0x55] [error] File ended prematurely at pos. 123 (0x7b)",
        "[out#0/matroska @ 0x1] [error] Error writing trailer: No space left on device",
        "[mpeg2video @ 0x55] [error] ac-tex damaged at 3 4",
    ],
)
def test_damage_is_never_harmless(line: str) -> None:
    assert is_damage(line)
    assert unknown_lines((line,)) == [line]


def test_a_line_that_nobody_knows_is_neither() -> None:
    line = "[vost#0:0 @ 0x5581] [warning] something new"
    assert not is_damage(line)
    assert unknown_lines((line,)) == [line]


def test_the_prefix_of_component_and_level_is_left_out() -> None:
    line = "[vost#0:0/libx264 @ 0x1] [enc:libx264 @ 0x2] [warning] hello [x] there"
    assert message(line) == "hello [x] there"


def test_two_runs_of_the_same_thing_read_alike() -> None:
    first, second = "[aac @ 0x5581d0aa] [warning] x", "[aac @ 0x7f0012bb] [warning] x"
    assert normalised(first) == normalised(second)
