"""What goes on beside the phases of a job: heartbeat, cancel, pause, the consumer's end, progress.

One timer thread does all of it about once a second, with short transactions of its own, so that the
phases never wait for the database.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.utils import timezone

from mediaflow.base.leases import BeatTimer
from transcode.encoding.process import freeze_children, thaw_children
from transcode.models import Job
from transcode.outcomes import JobCancelled, JobHandedBack, LeaseLost, internal_error
from transcode.queue import job_queue, opening
from transcode.running.context import HeldSlots, PhaseProgress

if TYPE_CHECKING:
    from transcode.models import JobPhase

log = logging.getLogger(__name__)
TICK_S = 1.0
HOURS_LOOK_S = 15.0
_DATABASE_AWAY = (DatabaseError, InterfaceError)


class RunControl:
    """One attempt's lease and orders. `checkpoint` and `report` are what RunContext carries."""

    def __init__(self, job_id: int, token: str) -> None:
        self.job_id = job_id
        self.token = token
        self._timer = BeatTimer(self._beat, errors=_DATABASE_AWAY)
        self.held_slots = HeldSlots()  # beaten together with the job
        self._stop = threading.Event()
        self._hand_back = ""
        self._is_cancelled = False
        self._is_stopped = False
        self._pause_reason = ""  # "" runs; else what is shown
        self._hours_order = ("", "")
        self._hours_due = 0.0
        self._goes_on = threading.Event()  # cleared while everything stands still
        self._goes_on.set()
        self._is_pause_followed = False
        self._is_by_hand = False  # begun outside its hours: somebody asked for it now
        self._is_lost = False
        self._fault: Exception | None = None  # what nobody foresaw, in the timer thread
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
        thaw_children()

    def request_hand_back(self, reason: str) -> None:
        """Called from a signal handler or the parent watch."""
        self._hand_back = self._hand_back or reason

    def is_stopping(self) -> bool:
        """Whether a signal or the consumer's end has asked for the job back."""
        return bool(self._hand_back)

    def follow_pause(self) -> None:
        """From now on pauses and hours count; before, an open journal is brought to its end."""
        self._is_by_hand = self._order_of_hours() != ("", "")
        self._is_pause_followed = True

    def checkpoint(self) -> None:
        """Raises LeaseLost, JobHandedBack, JobCancelled, JobFailed. Only looks at memory: cheap.

        Returns when a pause is over; what ffmpeg runs meanwhile stands still.
        """
        self._raise_orders()
        while not self._goes_on.wait(TICK_S):
            self._raise_orders()

    def _raise_orders(self) -> None:
        if self._is_lost or self._timer.is_lost:
            raise LeaseLost("lease_lost", "Another process has taken this job over.")
        if self._is_cancelled:
            raise JobCancelled("cancelled", "Cancelled.")
        if self._hand_back:
            raise JobHandedBack("handed_back", self._hand_back)
        if self._fault is not None:
            raise internal_error(self._fault) from self._fault
        if self._is_stopped and self._is_pause_followed:
            raise JobHandedBack("paused", "Stopped; it goes on when it is resumed.")
        if self._hours_order[0] == opening.HAND_BACK and self._is_pause_followed:
            raise JobHandedBack("outside_hours", self._hours_order[1])

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
            self._follow_pause_order()
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
        orders = mine.values_list("cancel_requested_at", "is_paused", "keeps_chunks").first()
        if orders is None:
            self._is_lost = True
            return
        cancel_requested_at, is_paused, keeps_chunks = orders
        self._is_cancelled = cancel_requested_at is not None
        self._is_stopped = is_paused and keeps_chunks
        self._read_hours()
        is_closed = self._hours_order[0] == opening.PAUSE
        self._pause_reason = "Paused." if is_paused else self._hours_order[1] if is_closed else ""

    def _read_hours(self) -> None:
        now = time.monotonic()
        if self._is_by_hand or now < self._hours_due:
            return
        self._hours_due = now + HOURS_LOOK_S
        self._hours_order = self._order_of_hours()

    def _order_of_hours(self) -> tuple[str, str]:
        job = Job.objects.only("hours", "preset_spec").get(pk=self.job_id)
        policy = job.preset_spec.get("at_hours_end", opening.FINISH)
        return opening.end_of_hours(job.hours, policy, timezone.now())

    def _follow_pause_order(self) -> None:
        """Freeze and thaw. A job that stops, or swaps, is not held up."""
        has_order = self._is_cancelled or self._is_stopped or bool(self._hand_back)
        is_ending = has_order or self._fault is not None
        if self._pause_reason and self._is_pause_followed and not (is_ending or self._is_lost):
            if self._goes_on.is_set():
                self._goes_on.clear()
                freeze_children()
                progress = self._progress
                self._progress = replace(
                    progress, note=self._pause_reason, fps=None, speed=None, eta_s=None
                )
        elif not self._goes_on.is_set():
            thaw_children()
            self._progress = replace(self._progress, note="")
            self._goes_on.set()

    def _beat(self) -> bool:
        self.held_slots.beat()
        return job_queue.beat(self.job_id, self.token)

    def _loop(self) -> None:
        try:
            # The jitter keeps many runners from writing in step.
            while not self._stop.wait(TICK_S * random.uniform(0.8, 1.0)):
                self._tick_safely()
        finally:
            connection.close()

    def _tick_safely(self) -> None:
        """No job runs on without heartbeat and orders: a fault ends the attempt at its checkpoint.

        Until then it goes on beating, where it still can. Counted as an attempt, so that a fault
        that comes again each time ends the job some day.
        """
        try:
            self.tick()
        except Exception as fault:  # the edge of the thread
            if self._fault is None:
                log.exception("job %s: a fault beside its phases; the attempt ends", self.job_id)
            self._fault = self._fault or fault


def _columns(progress: PhaseProgress) -> dict[str, Any]:
    return {
        "progress_pct": progress.pct,
        "progress_note": progress.note[:200],
        "fps": progress.fps,
        "speed": progress.speed,
        "eta_s": progress.eta_s,
        "bytes_so_far": progress.bytes_so_far,
    }
