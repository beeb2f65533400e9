"""The ladder itself: the table of rungs, and one walk over them (trust.md)."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av.error

from library.probing.probe import ProbeProblem
from mediaflow.base.failpoints import declare, reach
from transcode.encoding.problems import disk_full
from transcode.verify.color_rungs import COLOR, check_color
from transcode.verify.decode_rung import DECODE, begin_decode, check_decode
from transcode.verify.evidence import Evidence, Verdict
from transcode.verify.process_rungs import (
    FILE,
    OPENS,
    PROCESS,
    check_file,
    check_opens,
    check_process,
)
from transcode.verify.quality_rung import QUALITY, begin_quality, check_quality
from transcode.verify.results import Proof, RungResult
from transcode.verify.size_rungs import SIZE, SOURCE, check_size, check_source
from transcode.verify.stream_rungs import STREAMS, check_streams
from transcode.verify.timing_rungs import (
    DURATION,
    FRAMES,
    SYNC,
    check_duration,
    check_frames,
    check_sync,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transcode.encoding.process import FfmpegResult
    from transcode.planning.film_timing import FilmTiming
    from transcode.running.context import RunContext
    from transcode.running.phases import Prepared


@dataclass(frozen=True, slots=True)
class Rung:
    verdict: Verdict
    check: Callable[[Evidence], RungResult]
    doing: str  # for the progress line
    # Begins the costly work of later rungs beside this and the next ones.
    before: Callable[[Evidence], None] | None = None


def _begin_reading(evidence: Evidence) -> None:
    """There is a file that ffmpeg calls good: what reads it to its end begins."""
    begin_decode(evidence)
    evidence.begin_reading()


# In the order in which they are climbed: what costs little first, so that a broken or worthless
# output ends the decode that runs beside. The numbers are those of trust.md; rung 12 is
# `check_swapped`.
RUNGS: tuple[Rung, ...] = (
    Rung(PROCESS, check_process, "reads what ffmpeg said"),
    Rung(FILE, check_file, "looks at the file"),
    Rung(OPENS, check_opens, "opens the output", _begin_reading),
    Rung(STREAMS, check_streams, "compares streams with the plan"),
    Rung(COLOR, check_color, "compares colour and shape"),
    Rung(DURATION, check_duration, "reads every packet"),
    Rung(FRAMES, check_frames, "counts the frames"),
    Rung(SYNC, check_sync, "compares sound and picture"),
    Rung(SIZE, check_size, "compares the sizes"),
    Rung(DECODE, check_decode, "decodes every frame", begin_quality),
    Rung(QUALITY, check_quality, "compares the picture"),
    Rung(SOURCE, check_source, "looks at the original again"),
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STARTED = declare("verify.started", "the ladder is about to begin")
_PASSED = declare("verify.passed", "every rung passed, nothing is recorded yet")
_REACHED = {
    rung.verdict.number: declare(
        f"verify.rung.{rung.verdict.number}", f"before rung {rung.verdict.number}"
    )
    for rung in RUNGS
}


def run_ladder(
    ctx: RunContext, prepared: Prepared, output: Path, encode_result: FfmpegResult | None
) -> Proof:
    """Climb rungs 0 to 11; the first failure ends it. Changes nothing.

    Raises only what `ctx.checkpoint` raises, FfmpegMissing, and JobWaits for a full disk.
    """
    reach(_STARTED)
    evidence = Evidence(ctx, prepared, output, encode_result)
    try:
        results = _climb_all(evidence)
    finally:
        evidence.side.end()
    proof = make_proof(evidence, results)
    if proof.is_passed:
        reach(_PASSED)
    return proof


def _climb_all(evidence: Evidence) -> list[RungResult]:
    results: list[RungResult] = []
    for rung in RUNGS:
        evidence.side.checkpoint()
        reach(_REACHED[rung.verdict.number])
        if rung.before is not None:
            rung.before(evidence)
        result = climb(rung, evidence)
        results.append(result)
        if result.is_failed:
            results += _blame_the_source(evidence, result)
            break
    return results


def climb(rung: Rung, evidence: Evidence) -> RungResult:
    """One rung, logged. A check that cannot be made is a failed one.

    But for a full disk, which says nothing of the film: raises JobWaits, the output stays.
    """
    evidence.climbing = rung.verdict.number
    evidence.note(rung.verdict.number, rung.doing)
    try:
        result = rung.check(evidence)
    except (ProbeProblem, OSError, av.error.FFmpegError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise disk_full("checking") from error
        text = error.text if isinstance(error, ProbeProblem) else str(error)
        result = rung.verdict.failed(
            "could not be measured", "", f"The check “{rung.doing}” could not be made: {text}."
        )
    evidence.run.log(
        f"rung {result.number} {result.name}: {result.outcome}"
        f"{f' [{result.measured}]' if result.measured else ''} {result.text}"
    )
    return result


def _blame_the_source(evidence: Evidence, failed: RungResult) -> list[RungResult]:
    """A source that was edited meanwhile explains any failure: then people are told that."""
    if failed.number == SOURCE.number:
        return []
    result = climb(RUNGS[-1], evidence)
    return [result] if result.is_failed else []


def make_proof(evidence: Evidence, results: list[RungResult]) -> Proof:
    failures = [r for r in results if r.is_failed]
    # The last one counts: see _blame_the_source.
    failed = failures[-1] if failures else None
    is_passed = failed is None and len(results) == len(RUNGS)
    known = vars(evidence)
    timing: FilmTiming | None = known.get("output_timing")
    index = timing.index if timing else None
    score = evidence.score
    return Proof(
        rungs=tuple(sorted(results, key=lambda r: r.number)),
        is_passed=is_passed,
        source_sha256=evidence.source_sha256 if is_passed else evidence.source_index.sha256,
        output_sha256=index.sha256 if index else "",
        output_bytes=evidence.output.stat().st_size if evidence.output.exists() else 0,
        vmaf_mean=score.mean if score else None,
        vmaf_p5=score.p5 if score else None,
        vmaf_method=score.method if score else "",
        frames=len(index.video_pts) if index else None,
        info_before=evidence.before,
        info_after=known.get("after"),
        losses=(*evidence.plan.losses, *evidence.recorded_losses),
        failed_code=failed.code if failed else "",
        failed_text=failed.text if failed else "",
        compared=evidence.compared,
    )
