"""Rungs 0 to 2: the process ended well, there is a file, and it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.probing.probe import ProbeProblem
from mediaflow.base.input_guard import guarded_input
from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.process import run_ffmpeg
from transcode.planning.model import StreamKind
from transcode.verify.evidence import Verdict
from transcode.verify.harmless import is_damage, normalised, unknown_lines

if TYPE_CHECKING:
    from transcode.encoding.process import FfmpegResult
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

PROCESS = Verdict(0, "process", "verify_process")
FILE = Verdict(1, "file", "verify_file")
OPENS = Verdict(2, "opens", "verify_opens")

_NO_LINES = "exit code 0, progress=end, no unknown line"


def check_process(evidence: Evidence) -> RungResult:
    """Rung 0. A line that nobody knows fails, unless decoding the source prints it too."""
    result = evidence.encode_result
    if result is None:
        return PROCESS.not_applicable(
            "The film was encoded in an earlier attempt, whose process ended well."
        )
    if not result.is_ok:
        ended = "it stood still" if result.is_stalled else f"exit code {result.return_code}"
        end_text = "" if result.saw_end else ", without progress=end"
        return PROCESS.failed(
            f"{ended}{end_text}", _NO_LINES, f"ffmpeg did not end well: {ended}{end_text}."
        )
    return _judge_lines(evidence, result)


def _judge_lines(evidence: Evidence, result: FfmpegResult) -> RungResult:
    unknown = unknown_lines(result.stderr_lines)
    damage = [line for line in unknown if is_damage(line)]
    if damage:
        return PROCESS.failed(
            damage[0][:300],
            _NO_LINES,
            f"While encoding, ffmpeg found damage: “{damage[0][:200]}”. A damaged film is kept as"
            " it is.",
        )
    if result.omitted_lines:
        return PROCESS.failed(
            f"{result.omitted_lines} lines left out",
            _NO_LINES,
            f"ffmpeg said more than could be kept: {result.omitted_lines} lines were not checked.",
        )
    if unknown:
        said = _lines_of_decoding_the_source(evidence)
        unknown = [line for line in unknown if normalised(line) not in said]
    if unknown:
        return PROCESS.failed(
            f"{len(unknown)} unknown lines: {unknown[0][:300]}",
            _NO_LINES,
            f"ffmpeg said something that is not known to be harmless: “{unknown[0][:200]}”.",
        )
    count = len(result.stderr_lines)
    return PROCESS.passed(
        f"exit code 0, progress=end, {count} harmless line{'' if count == 1 else 's'}",
        _NO_LINES,
        "ffmpeg ended well and said nothing unusual.",
    )


def _lines_of_decoding_the_source(evidence: Evidence) -> frozenset[str]:
    """What ffmpeg says when it only decodes what the plan took from the source."""
    evidence.note(0, "decodes the source to compare messages")
    argv = ffmpeg_argv() + guarded_input(evidence.run.source, options=evidence.plan.input_options)
    for stream in evidence.plan.kept:
        if stream.kind in (StreamKind.VIDEO, StreamKind.AUDIO):
            argv += ["-map", f"0:{stream.source_index}"]
    argv += ["-fps_mode", "passthrough", "-enc_time_base:v", "1:90000", "-f", "null", "-"]
    result = run_ffmpeg(argv, checkpoint=evidence.side.checkpoint)
    return frozenset(normalised(line) for line in result.stderr_lines)


def check_file(evidence: Evidence) -> RungResult:
    """Rung 1: a full disk leaves empty files behind, sometimes with exit code 0."""
    try:
        size = evidence.output.stat().st_size
    except FileNotFoundError:
        return FILE.failed("no file", "> 0 bytes", "ffmpeg left no output file.")
    if size == 0:
        return FILE.failed("0 bytes", "> 0 bytes", "The output file is empty.")
    return FILE.passed(f"{size:,} bytes", "> 0 bytes", f"The output file has {size:,} bytes.")


def check_opens(evidence: Evidence) -> RungResult:
    """Rung 2: opened and read by other libraries than those that wrote it, in a worker process."""
    try:
        after = evidence.after
    except ProbeProblem as problem:
        return OPENS.failed(problem.kind, "opens", f"The output cannot be opened: {problem.text}")
    streams = len(after.video) + len(after.audio) + len(after.subtitles)
    if streams == 0:
        return OPENS.failed("no streams", "opens", "The output opens but holds no stream.")
    return OPENS.passed(
        f"{after.container}, {streams} streams", "opens", "The output opens and can be read."
    )
