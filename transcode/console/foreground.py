"""The queue in the foreground: `work` and `optimize` run a dispatcher of their own and watch it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from mediaflow.base.heartbeat import has_live_process
from mediaflow.base.settings_store import get_settings
from transcode.after_swap.outbox import has_listeners, is_soon_due
from transcode.after_swap.worker import outbox_worker
from transcode.models import Job, JobAttempt, JobStatus
from transcode.queue.dispatch import Dispatcher, DispatchOptions, start_spare
from transcode.states import ACTIVE, OPEN_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from django.db.models import QuerySet

    from mediaflow.base.children import Child

LOOK_S: Final = 0.25
# How long what was done is told to others after the last film, and what is worth waiting for.
TELLING_S: Final = 60.0
LATER_S: Final = 15.0


@dataclass(slots=True)
class SpareRunner:
    """Holds a waiting runner until a dispatcher takes it."""

    child: Child | None = None


@dataclass(frozen=True, slots=True)
class Drained:
    """What ended while the queue was watched."""

    completed: int
    skipped: int
    failed: int
    cancelled: int
    left: int  # held, paused, or waiting for a disk
    seconds: float
    stopped_by: str  # why not everything was done: "" or "The queue is paused: …"


@contextmanager
def dispatching(options: DispatchOptions) -> Iterator[Dispatcher]:
    """A dispatcher in a thread; at the end its runners hand back what they have."""
    dispatcher = Dispatcher(options)
    thread = threading.Thread(target=dispatcher.run, name="dispatcher", daemon=True)
    thread.start()
    try:
        with others_told():
            yield dispatcher
    finally:
        dispatcher.stop()
        thread.join(timeout=30)


@contextmanager
def others_told() -> Iterator[None]:
    """Plex, Sonarr and Radarr hear of each swap as it happens; at a good end they are waited for.

    Nothing where there is none of them (what tells them takes a while to load), or where a consumer
    does it. What they do not take in time stays in the outbox for the next consumer.
    """
    if not has_listeners() or has_live_process("consumer"):
        yield
        return
    outbox_worker.start()
    try:
        yield
        until = time.monotonic() + TELLING_S
        outbox_worker.wake()
        while is_soon_due(within_s=LATER_S) and time.monotonic() < until:
            time.sleep(LOOK_S)
    finally:
        outbox_worker.stop()


@contextmanager
def runner_in_waiting() -> Iterator[SpareRunner]:
    """A runner that loads while films are looked for. Nothing where a consumer has its own."""
    waiting = SpareRunner()
    if not has_live_process("consumer"):
        # Without one, each job starts its own runner a second later.
        with suppress(OSError):
            waiting.child = start_spare()
    try:
        yield waiting
    finally:
        if waiting.child is not None:
            waiting.child.say_goodbye()


@contextmanager
def somebody_dispatches(
    only_jobs: Collection[int], waiting: SpareRunner | None = None
) -> Iterator[bool]:
    """Let some jobs be run: by the consumer that is there, or by a dispatcher of our own.

    Yields True when a consumer does it. The dispatcher takes the runner in waiting over.
    """
    if has_live_process("consumer"):
        yield True
        return
    options = DispatchOptions(only_jobs=only_jobs, has_operations=False)
    if waiting is not None:
        options.spare, waiting.child = waiting.child, None
    with dispatching(options):
        yield False


def wait_until_done(
    jobs: QuerySet[Job],
    *,
    look: Callable[[], None] = lambda: None,
    since: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Drained:
    """Wait until none of the jobs can go on by itself. `look` is called four times a second.

    Jobs that wait for a disk, are held or paused are left; automatic retries are waited for.
    """
    begun = since or timezone.now()
    started = time.monotonic()
    while True:
        pause = get_settings("queue_paused", "queue_paused_reason")
        going_on = _going_on(jobs, is_paused=pause["queue_paused"])
        look()
        if not going_on:
            break
        sleep(LOOK_S)
    left = jobs.filter(status__in=ACTIVE).count()
    stopped = pause["queue_paused"] and left
    reason = f"The queue is paused: {pause['queue_paused_reason'] or 'by hand'}" if stopped else ""
    ended = jobs.filter(finished_at__gte=begun)
    return Drained(
        completed=ended.filter(status=JobStatus.COMPLETED).count(),
        skipped=ended.filter(status=JobStatus.SKIPPED).count(),
        failed=ended.filter(status=JobStatus.FAILED).count(),
        cancelled=ended.filter(status=JobStatus.CANCELLED).count(),
        left=left,
        seconds=round(time.monotonic() - started, 3),
        stopped_by=reason,
    )


def _going_on(jobs: QuerySet[Job], *, is_paused: bool) -> bool:
    """One statement: between two, a job may go from what the second asks for to what the first did.

    A retry after a failure ends by itself; a wait for a disk may last for ever.
    """
    running = Q(status=JobStatus.RUNNING, is_paused=False)
    recovers = Q(status=JobStatus.QUEUED, replacement__state__in=OPEN_JOURNAL)
    if is_paused:
        return jobs.filter(running | recovers).exists()
    last = JobAttempt.objects.filter(job_id=OuterRef("pk")).order_by("-id")
    jobs = jobs.alias(is_counted=Subquery(last.values("is_counted")[:1]))
    queued = Q(status=JobStatus.QUEUED, is_paused=False)
    retries = Q(status=JobStatus.RETRY_WAIT, is_counted=True)
    return jobs.filter(running | recovers | queued | retries).exists()
