"""Rung 6: every picture and every sound of the output is decoded, strictly.

ffmpeg forgives broken bytes by default: 4000 flipped ones gave exit code 0 and no message
(measured).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mediaflow.base.input_guard import guarded_input
from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.process import FfmpegResult, run_ffmpeg
from transcode.planning.model import Action, StreamKind
from transcode.verify.evidence import Verdict
from transcode.verify.harmless import normalised, unknown_lines
from transcode.verify.results import RECORDED, SAMPLED

if TYPE_CHECKING:
    from transcode.encoding.progress import FfmpegProgress
    from transcode.planning.model import PlannedStream
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

DECODE = Verdict(6, "decode", "verify_decode")

ALL_STREAMS = ("-map", "0:v?", "-map", "0:a?")
# `explode` alone switches checksums off, so that a wrong CRC of AC-3 or FLAC passes (measured).
DETECT = ("-err_detect", "crccheck+explode")
STRICT = ("-xerror", *DETECT)
# Without these two a good film gave 143 lines about timestamps (measured).
NULL_OUTPUT = ("-fps_mode", "passthrough", "-enc_time_base:v", "1:90000", "-f", "null", "-")
# A copied picture is the source's, packet by packet; decoding hours of it would cost more than the
# whole job. Encoded pictures are always decoded to the end.
SAMPLED_FROM_S = 3600.0
EDGE_S = 30.0
MIDDLE_WINDOWS = 5
MIDDLE_S = 10.0
_LIMIT = "exit code 0, no message"


def check_decode(evidence: Evidence) -> RungResult:
    """Rung 6. What a copied stream has in the source too is recorded, not failed."""
    windows = _windows(evidence)
    problem = ""
    for number, window in enumerate(windows):
        evidence.note(6, "decodes every frame" if len(windows) == 1 else "decodes samples")
        share = (number, len(windows))
        if window is None:
            result = evidence.side.take("decode", partial(_decode, evidence, None, share=share))
        else:
            result = _decode(evidence, window, share=share)
        problem = _problem(result)
        if problem:
            break
    if not problem:
        return _passed(evidence, windows)
    copied = _copied_with_own_errors(evidence)
    if copied is None:
        return DECODE.failed(
            problem[:300], _LIMIT, f"Decoding the output strictly fails: “{problem[:200]}”."
        )
    names = ", ".join(f"{s.kind.value} stream {s.output_index}" for s in copied)
    evidence.recorded_losses.append(f"{names}: errors that the source has too")
    return DECODE.passed(
        f"{names}: as in the source",
        _LIMIT,
        f"Everything decodes but {names}: copied unchanged, with errors that the source has too.",
        outcome=RECORDED,
    )


def begin_decode(evidence: Evidence) -> None:
    """Of an encoded picture everything is decoded: that begins beside the cheap rungs."""
    if evidence.is_video_encoded:
        evidence.side.begin("decode", partial(_decode, evidence, None, share=(0, 1)))


def _passed(evidence: Evidence, windows: list[tuple[float, float] | None]) -> RungResult:
    if windows == [None]:
        frames = len(evidence.output_index.video_pts)
        text = "Every picture and every sound decodes without an error."
        return DECODE.passed(f"{frames:,} frames, no message", _LIMIT, text)
    seconds = sum(length for window in windows if window for length in window[1:])
    return DECODE.passed(
        f"{seconds:.0f} s in {len(windows)} windows, no message",
        _LIMIT,
        "The picture is copied unchanged; the first and last 30 s and 5 samples between decode"
        " without an error.",
        outcome=SAMPLED,
    )


def _windows(evidence: Evidence) -> list[tuple[float, float] | None]:
    """(start, length) in seconds; [None] is the whole film."""
    duration = evidence.after.duration_s or 0.0
    if evidence.is_video_encoded or duration < SAMPLED_FROM_S:
        return [None]
    step = (duration - 2 * EDGE_S) / (MIDDLE_WINDOWS + 1)
    middles = [(EDGE_S + step * (n + 1), MIDDLE_S) for n in range(MIDDLE_WINDOWS)]
    return [(0.0, EDGE_S), *middles, (duration - EDGE_S, EDGE_S + 1)]


def _decode(
    evidence: Evidence, window: tuple[float, float] | None, *, share: tuple[int, int]
) -> FfmpegResult:
    options = [*STRICT]
    if window is not None:
        options += ["-ss", f"{window[0]:.3f}", "-t", f"{window[1]:.3f}"]
    argv = ffmpeg_argv(loglevel="repeat+level+warning")
    argv += guarded_input(evidence.output_raw, options=options)
    argv += [*ALL_STREAMS, *NULL_OUTPUT]
    total = window[1] if window is not None else evidence.plan.duration_s

    def on_progress(progress: FfmpegProgress) -> None:
        done = (progress.out_time_s or 0.0) / total if total else 0.0
        pct = 100 * (share[0] + min(1.0, max(0.0, done))) / share[1]
        evidence.note(6, "decodes every frame", pct)

    return run_ffmpeg(
        argv, checkpoint=evidence.side.checkpoint, on_progress=on_progress, log=evidence.run.log
    )


def _problem(result: FfmpegResult) -> str:
    """The first thing that is wrong; "" for a clean decode."""
    unknown = unknown_lines(result.stderr_lines)
    if unknown:
        return unknown[0]
    if not result.is_ok:
        return f"exit code {result.return_code}"
    return ""


def _copied_with_own_errors(evidence: Evidence) -> list[PlannedStream] | None:
    """The copied streams that alone explain the errors, each with the same ones in the source.

    None when an encoded stream has errors, when a copied one has others than the source, or when
    decoding did not get to its end: a lack of memory ends it on both sides, and says nothing.
    """
    faulty: list[PlannedStream] = []
    for stream in evidence.plan.kept:
        if stream.kind not in (StreamKind.VIDEO, StreamKind.AUDIO, StreamKind.COVER):
            continue
        lines = _lines_of(evidence, evidence.output_raw, stream.output_index)
        if lines == []:
            continue
        if lines is None or stream.action != Action.COPY:
            return None
        if lines != _lines_of(evidence, evidence.run.source, stream.source_index):
            return None
        faulty.append(stream)
    return faulty or None


def _lines_of(evidence: Evidence, path: bytes, index: int | None) -> list[str] | None:
    """Every message of decoding one stream strictly, without positions in the file.

    None when it ended before the film's end: by a signal, or badly and without a word.
    """
    argv = ffmpeg_argv(loglevel="repeat+level+warning")
    argv += guarded_input(path, options=DETECT)
    argv += ["-map", f"0:{index}", *NULL_OUTPUT]
    result = run_ffmpeg(argv, checkpoint=evidence.side.checkpoint)
    lines = [_without_stream_number(line) for line in unknown_lines(result.stderr_lines)]
    if result.is_ok or (lines and result.return_code > 0):
        return lines
    return None


def _without_stream_number(line: str) -> str:
    """`[dec:aac @ 0x1] …` and `[aist#0:1/aac @ 0x2] …` name the stream by its place in the file."""
    text = normalised(line)
    return text.partition("] ")[2] if text.startswith(("[aist#", "[vist#")) else text
