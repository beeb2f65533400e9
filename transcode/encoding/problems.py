"""What went wrong in an ffmpeg, in words: what happened, with which command, and the log's end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from transcode.encoding.ffmpeg import shown_command
from transcode.outcomes import JobFailed, JobOutcome, JobSkipped, JobWaits

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.encoding.process import FfmpegResult

_DISK_FULL = ("no space left on device", "disk quota exceeded", "file too large")
_DISK_WAIT_S = 300.0
# x265 and SVT-AV1 want it beside every picture.
_NO_DOLBY_VISION = "received frame without av_frame_data_dovi_metadata"
_LOG_LINES = 3
_MAX_REASON = 950  # the column takes 1000
# Lines that only say that something went wrong before.
_EMPTY_WORDS = (
    "conversion failed",
    "terminating thread",
    "task finished with error",
    "error sending frames",
    "nothing was written",
    "exiting with exit code",
    "could not open encoder before eof",
)


def outcome_of(result: FfmpegResult, output: Path) -> JobOutcome | None:
    """None when it ended well and left something; else what becomes of the job."""
    if says_disk_full(result):
        return disk_full("encoding")
    text = "\n".join(result.stderr_lines).lower()
    if _NO_DOLBY_VISION in text:
        return JobSkipped(
            "hdr_would_be_lost",
            "Some of its pictures carry no Dolby Vision metadata, so it cannot be written again."
            " Choose a preset that copies the video or reduces it to HDR10.",
        )
    if result.is_stalled:
        what = "ffmpeg stood still and was ended"
        return JobFailed("encode_stalled", _reason(what, result), is_retryable=True)
    if result.return_code < 0:
        name = signal.Signals(-result.return_code).name
        what = f"ffmpeg was ended by {name} (was memory short?)"
        return JobFailed("encode_killed", _reason(what, result), is_retryable=True)
    if result.return_code != 0:
        what = f"ffmpeg ended with exit code {result.return_code}"
        return JobFailed("encode_failed", _reason(what, result), is_retryable=True)
    if not result.saw_end:
        what = "ffmpeg ended without finishing"
        return JobFailed("encode_failed", _reason(what, result), is_retryable=True)
    if not output.is_file() or output.stat().st_size == 0:
        return JobFailed("encode_empty", _reason("ffmpeg wrote nothing", result), is_retryable=True)
    return None


def says_disk_full(result: FfmpegResult) -> bool:
    text = "\n".join(result.stderr_lines).lower()
    return any(words in text for words in _DISK_FULL)


def disk_full(doing: str) -> JobWaits:
    return JobWaits(
        "disk_full",
        f"The disk of the work folder is full, so {doing} stopped. It starts again when there is"
        " room.",
        delay_s=_DISK_WAIT_S,
    )


def _reason(what: str, result: FfmpegResult) -> str:
    telling = [
        line
        for line in result.stderr_lines
        if not any(words in line.lower() for words in _EMPTY_WORDS)
    ]
    lines = (telling or list(result.stderr_lines))[-_LOG_LINES:]
    said = f": “{' / '.join(lines)}”" if lines else ""
    command = shown_command(result.argv)
    head = f"{what}{said}. The original is untouched; the log has the whole command."
    left = _MAX_REASON - len(head) - len(" Command: ")
    shortened = command if len(command) <= left else f"{command[: max(0, left - 1)]}…"
    return f"{head} Command: {shortened}"[:_MAX_REASON]
