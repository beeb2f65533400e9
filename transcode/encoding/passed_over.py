"""Hardware encoders that failed in a job: its next attempt plans without them.

Kept in the job's work folder, because the plan and its chunks are of one encoder alone: another one
begins anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from transcode.encoders.registry import ENCODERS
from transcode.outcomes import JobHandedBack

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.encoders.model import VideoEncoder
    from transcode.planning.model import Plan

FILE_NAME = "passed-over.json"


def encoder_of(plan: Plan) -> VideoEncoder | None:
    """The encoder of the plan's picture; None where it is copied."""
    name = plan.video.encoder if plan.video else ""
    return next((e for e in ENCODERS.values() if e.ffmpeg_name == name), None)


def read_passed_over(work_dir: Path) -> set[str]:
    """Families of encoders."""
    try:
        found = json.loads((work_dir / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {name for name in found if name in ENCODERS} if isinstance(found, list) else set()


def pass_over(work_dir: Path, encoder: VideoEncoder, text: str) -> JobHandedBack:
    """Remember it; what is returned puts the job back into the queue, without counting a try.

    It ends: each time one encoder less is left, and software is never passed over.
    """
    families = sorted({*read_passed_over(work_dir), encoder.family})
    (work_dir / FILE_NAME).write_text(json.dumps(families), encoding="utf-8")
    return JobHandedBack("encoder_passed_over", f"{encoder.title} failed. {text}")
