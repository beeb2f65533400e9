"""Files that an encoder reads beside the film, written into its folder before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.probing.pool import run_guarded_worker
from library.probing.probe import ProbeProblem
from transcode.outcomes import JobSkipped
from transcode.planning.film_timing import TIMEOUT_S
from transcode.planning.hdr10_plus import FILE_NAME, is_handed_over, read_hdr10_plus
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext


def write_side_files(ctx: RunContext, plan: Plan) -> None:
    """HDR10+ for x265, where the plan keeps it. Raises JobSkipped where that cannot be."""
    if not is_handed_over(plan.video_options):
        return
    ctx.report(PhaseProgress(note="Reading its HDR10+ metadata"))
    try:
        text = run_guarded_worker(
            read_hdr10_plus, ctx.source, timeout_s=TIMEOUT_S, checkpoint=ctx.checkpoint
        )
    except ProbeProblem as problem:
        raise JobSkipped(
            "hdr_would_be_lost",
            f"{problem.text} So it cannot be written again; choose a preset that copies the video"
            " or reduces it to HDR10.",
        ) from problem
    (ctx.work_dir / FILE_NAME).write_text(text, encoding="ascii")
