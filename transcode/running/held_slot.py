"""The slot that a running job holds for its ffmpeg, and what it says while there is none."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from transcode.queue.slots import acquire_slot
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transcode.queue.slots import Slot
    from transcode.running.context import RunContext

WAITS: Final = PhaseProgress(note="Waits for a free slot")


@contextmanager
def held_slot(ctx: RunContext, kind: str) -> Iterator[Slot]:
    """Waits for a slot and beats it together with the job. Raises JobOutcome."""

    def wait() -> None:
        ctx.report(WAITS)
        ctx.checkpoint()

    with acquire_slot(kind, ctx.job_id, checkpoint=wait) as slot, ctx.held_slots.holding(slot):
        yield slot
