"""What the phases of a job get from the runner: paths, rules, and three calls back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from transcode.presets.spec import PresetSpec
    from transcode.replacing.snapshot import SourceSnapshot


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """Progress within the current phase. None is unknown, never 0."""

    pct: float | None = None
    note: str = ""
    fps: float | None = None
    speed: float | None = None
    eta_s: float | None = None
    bytes_so_far: int | None = None


@dataclass(slots=True)
class RunContext:
    """One attempt of one job. Made by the runner, handed to every phase."""

    job_id: int
    job_uuid: UUID
    token: str
    preset_slug: str
    spec: PresetSpec
    source: bytes  # absolute path of the film
    library_root: bytes  # absolute
    work_dir: Path  # this job's own folder; exists; the phases name files inside it
    snapshot: SourceSnapshot  # S0, taken by the runner
    # Call often and between steps: raises JobCancelled, JobHandedBack or LeaseLost.
    checkpoint: Callable[[], None] = field(default=lambda: None)
    # Cheap to call as often as one likes: written at most once a second.
    report: Callable[[PhaseProgress], None] = field(default=lambda _progress: None)
    # Appends one line to the attempt's log, with the time.
    log: Callable[[str], None] = field(default=lambda _line: None)
