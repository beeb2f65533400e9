"""What the phases of a job get from the runner: paths, rules, and three calls back."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from transcode.presets.spec import PresetSpec
    from transcode.queue.slots import Slot
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
    # What the source needed for what is done, of all: where that is not the film's beginning.
    effort_share: float | None = None


class HeldSlots:
    """The slots that one attempt uses now; its timer beats them, also while all stands still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: list[Slot] = []

    def add(self, slot: Slot) -> None:
        with self._lock:
            self._slots.append(slot)

    def remove(self, slot: Slot) -> None:
        with self._lock:
            self._slots = [held for held in self._slots if held is not slot]

    @contextmanager
    def holding(self, slot: Slot) -> Iterator[Slot]:
        self.add(slot)
        try:
            yield slot
        finally:
            self.remove(slot)

    def beat(self) -> None:
        with self._lock:
            slots = list(self._slots)
        for slot in slots:
            slot.beat()


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
    # Whether MediaFlow ends: for waits that nothing else may cut short, such as one inside a swap.
    is_stopping: Callable[[], bool] = field(default=lambda: False)
    # Cheap to call as often as one likes: written at most once a second.
    report: Callable[[PhaseProgress], None] = field(default=lambda _progress: None)
    held_slots: HeldSlots = field(default_factory=HeldSlots)
    # Appends one line to the attempt's log, with the time.
    log: Callable[[str], None] = field(default=lambda _line: None)
