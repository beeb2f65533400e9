"""What goes on beside the phases of a job: heartbeat, cancel, pause, the consumer's end, progress.

One timer thread does all of it about once a second, with short transactions of its own, so that the
phases never wait for the database.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F

from mediaflow.base.leases import BeatTimer
from transcode.models import Job
from transcode.outcomes import JobCancelled, JobHandedBack, LeaseLost
from transcode.queue import job_queue
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from transcode.models import JobPhase
    from transcode.queue.slots import Slot

log = logging.getLogger(__name__)
TICK_S = 1.0
_DATABASE_AWAY = (DatabaseError, InterfaceError)


class RunControl:
    """One attempt's lease and orders. `checkpoint` and `report` are what RunContext carries."""

    def __init__(self, job_id: int, token: str) -> None:
        self.job_id = job_id
        self.token = token
        self._timer = BeatTimer(self._beat, errors=_DATABASE_AWAY)
        self.slot: Slot | None = None  # beaten together with the job while it is held
        self._stop = threading.Event()
        self._hand_back = ""
        self._is_cancelled = False
        self._is_paused = False
        self._is_pause_followed = False
        self._is_lost = False
        self._progress = PhaseProgress()
        self._written = self._progress
        self._thread = threading.Thread(target=self._loop, name="run-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the timer thread; afterwards nothing but the caller writes the job."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def request_hand_back(self, reason: str) -> None:
        """Called from a signal handler or the parent watch."""
        self._hand_back = self._hand_back or reason

    def follow_pause(self) -> None:
        """From now on a pause hands the job back; before, an open journal is brought to its end."""
        self._is_pause_followed = True

    def checkpoint(self) -> None:
        """Raises LeaseLost, JobHandedBack or JobCancelled. Only looks at memory: call it often."""
        if self._is_lost or self._timer.is_lost:
            raise LeaseLost("lease_lost", "Another process has taken this job over.")
        if self._is_cancelled:
            raise JobCancelled("cancelled", "Cancelled.")
        if self._hand_back:
            raise JobHandedBack("handed_back", self._hand_back)
        if self._is_paused and self._is_pause_followed:
            raise JobHandedBack("paused", "Paused; it goes on when it is resumed.")

    def report(self, progress: PhaseProgress) -> None:
        """Take the newest progress; the timer thread writes it at most once a second."""
        self._progress = progress

    def enter(self, phase: JobPhase) -> None:
        """Write the phase at once and begin its progress anew. Raises LeaseLost."""
        self._progress = self._written = PhaseProgress()
        self.write(phase=phase, **_columns(self._progress))

    def write(self, **values: Any) -> None:
        """Write columns of the job while it is ours. Raises LeaseLost."""
        values.setdefault("progress_seq", F("progress_seq") + 1)
        if not job_queue.write_running(self.job_id, self.token, values):
            self._is_lost = True
            raise LeaseLost("lease_lost", "Another process has taken this job over.")

    def tick(self) -> None:
        """One round of the timer thread. A busy database costs this round only."""
        self._timer.tick()
        try:
            self._read_orders()
            progress = self._progress
            if progress is not self._written and not self._is_lost:
                self.write(**_columns(progress))
                self._written = progress
        except LeaseLost:
            pass  # checkpoint tells the phases
        except _DATABASE_AWAY:
            log.warning("job %s: the database is busy; trying again", self.job_id)
            connection.close()

    def _read_orders(self) -> None:
        mine = Job.objects.filter(pk=self.job_id, lease_token=self.token)
        orders = mine.values_list("cancel_requested_at", "is_paused").first()
        if orders is None:
            self._is_lost = True
            return
        self._is_cancelled, self._is_paused = orders[0] is not None, orders[1]

    def _beat(self) -> bool:
        if self.slot is not None:
            self.slot.beat()
        return job_queue.beat(self.job_id, self.token)

    def _loop(self) -> None:
        try:
            # The jitter keeps many runners from writing in step.
            while not self._stop.wait(TICK_S * random.uniform(0.8, 1.0)):
                self.tick()
        finally:
            connection.close()


def _columns(progress: PhaseProgress) -> dict[str, Any]:
    return {
        "progress_pct": progress.pct,
        "progress_note": progress.note[:200],
        "fps": progress.fps,
        "speed": progress.speed,
        "eta_s": progress.eta_s,
        "bytes_so_far": progress.bytes_so_far,
    }
