from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from transcode.encoding.encode import phase_progress
from transcode.encoding.progress import FfmpegProgress, ProgressParser

if TYPE_CHECKING:
    from transcode.planning.model import Plan

# As ffmpeg 9.0.2 prints it, in the middle of a film and before the first picture.
BLOCK = """frame=48
fps=23.91
stream_0_0_q=28.0
bitrate= 611.2kbits/s
total_size=152789
out_time_us=2000000
out_time_ms=2000000
out_time=00:00:02.000000
dup_frames=0
drop_frames=0
speed=0.996x
progress=continue
"""
NOTHING_YET = """frame=0
fps=0.00
bitrate=N/A
total_size=N/A
out_time_us=N/A
out_time_ms=N/A
out_time=N/A
speed=N/A
progress=continue
"""


def parse(text: str) -> list[FfmpegProgress]:
    parser = ProgressParser()
    blocks = (parser.feed(line) for line in text.splitlines())
    return [block for block in blocks if block is not None]


def test_a_block_is_read_whole() -> None:
    assert parse(BLOCK) == [
        FfmpegProgress(
            frame=48,
            fps=23.91,
            out_time_us=2_000_000,
            total_size=152_789,
            speed=0.996,
            dup_frames=0,
            drop_frames=0,
            is_end=False,
        )
    ]


def test_not_available_is_unknown_and_not_zero() -> None:
    (block,) = parse(NOTHING_YET)
    assert (block.out_time_us, block.total_size, block.speed) == (None, None, None)
    assert block.frame == 0


def test_the_last_block_says_so() -> None:
    assert parse(BLOCK.replace("continue", "end"))[0].is_end


def test_blocks_do_not_leak_into_each_other() -> None:
    first, second = parse(BLOCK + "frame=50\nprogress=end\n")
    assert first.speed == 0.996
    assert (second.frame, second.speed) == (50, None)


def test_lines_that_are_no_pairs_are_ignored() -> None:
    assert parse("hello\n\n" + BLOCK)[0].frame == 48


def test_infinite_speed_is_unknown() -> None:
    assert parse("speed=infx\nprogress=continue\n")[0].speed is None


def test_share_and_time_left_come_from_the_pictures_encoded(plan: Plan) -> None:
    """25 pictures in one second; the time is that of sound that is ahead."""
    progress = phase_progress(FfmpegProgress(frame=5, out_time_us=900_000, speed=0.5), plan)
    assert progress.pct == 20.0
    assert progress.eta_s == pytest.approx(1.6)


def test_sound_alone_is_not_taken_for_the_film(plan: Plan) -> None:
    assert phase_progress(FfmpegProgress(frame=0, out_time_us=960_000), plan).pct == 0.0


def test_without_pictures_to_encode_the_time_counts(plan: Plan) -> None:
    progress = phase_progress(
        FfmpegProgress(frame=5, out_time_us=500_000), replace(plan, video=None)
    )
    assert progress.pct == 50.0


def test_nothing_known_gives_no_share(plan: Plan) -> None:
    progress = phase_progress(FfmpegProgress(), plan)
    assert (progress.pct, progress.eta_s, progress.bytes_so_far) == (None, None, None)
