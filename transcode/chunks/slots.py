"""The slots on which a job's chunks run: the one that the job holds anyway, and spare ones.

A spare slot is taken only while one is free, and given back as soon as there is no chunk for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DatabaseError

from transcode.outcomes import JobWaits
from transcode.queue.slots import acquire_slot

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from transcode.queue.slots import Slot
    from transcode.running.context import RunContext

MAIN_NAME = "this machine"
ASK_EVERY_S = 2.0


class _NoneFree(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Held:
    name: str
    manager: AbstractContextManager[Slot] | None = None  # None: the job's own, given back by it
    slot: Slot | None = None


class ChunkSlots:
    """Use as a context manager, from one thread."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._idle = [_Held(MAIN_NAME)]
        self._busy: dict[int, _Held] = {}
        self._asked_at = float("-inf")

    def __enter__(self) -> ChunkSlots:
        return self

    def __exit__(self, *_exc: object) -> None:
        for held in (*self._idle, *self._busy.values()):
            self._give_up(held)

    @property
    def busy(self) -> int:
        return len(self._busy)

    def take(self, number: int, *, limit: int) -> str | None:
        """A slot for this chunk, by name; None when `limit` are in use or none is free."""
        if len(self._busy) >= limit:
            return None
        if not self._idle:
            self._ask()
        if not self._idle:
            return None
        held = self._busy[number] = self._idle.pop(0)
        return held.name

    def free(self, number: int) -> None:
        """The chunk's ffmpeg has ended."""
        held = self._busy.pop(number, None)
        if held is not None:
            # The job's own is used first, so that spare ones may go.
            self._idle.insert(0 if held.manager is None else len(self._idle), held)

    def release_idle(self) -> None:
        """Nothing is waiting for a slot any more."""
        for held in [h for h in self._idle if h.manager is not None]:
            self._idle.remove(held)
            self._give_up(held)

    def _ask(self) -> None:
        if time.monotonic() - self._asked_at < ASK_EVERY_S and self._busy:
            return
        manager = acquire_slot("encode", self._ctx.job_id, checkpoint=_do_not_wait)
        try:
            slot = manager.__enter__()
        except (_NoneFree, JobWaits, DatabaseError):  # asked again soon: what runs goes on
            self._asked_at = time.monotonic()
            return
        self._ctx.held_slots.add(slot)
        self._idle.append(_Held(f"{slot.server_name}/{slot.index}", manager, slot))

    def _give_up(self, held: _Held) -> None:
        if held.manager is None or held.slot is None:
            return
        self._ctx.held_slots.remove(held.slot)
        held.manager.__exit__(None, None, None)


def _do_not_wait() -> None:
    raise _NoneFree
