"""The order of the queue: priority (high first), gapped position, id; moving a job within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, Max, Q

from transcode.models import Job, JobStatus
from transcode.states import WAITING

if TYPE_CHECKING:
    from django.db.models import QuerySet

POSITION_GAP: Final = 1024
PRIORITY_LIMIT: Final = 100  # from -100 to 100


def first_free_position() -> int:
    """The position behind everything that was ever queued."""
    last: int | None = Job.objects.aggregate(last=Max("position"))["last"]
    return (last or 0) + POSITION_GAP


def move_job(job_id: int, *, before: int | None = None, after: int | None = None) -> bool:
    """Put a waiting job directly before or after another; it takes that one's priority.

    With neither it goes to the very front. False when one of them no longer waits.
    """
    with transaction.atomic():
        waiting = Job.objects.filter(status__in=WAITING)
        if not waiting.filter(pk=job_id).exists():
            return False
        others = waiting.exclude(pk=job_id)
        target_id = before if before is not None else after
        target = (
            others.filter(pk=target_id).first()
            if target_id is not None
            else others.order_by("-priority", "position", "id").first()
        )
        if target is None:
            return target_id is None  # alone in the queue: it is where it should be
        position = _free_position(others, target, is_after=before is None and after is not None)
        changed = waiting.filter(pk=job_id).update(priority=target.priority, position=position)
    return bool(changed)


def _free_position(others: QuerySet[Job], target: Job, *, is_after: bool) -> int:
    """A position between the target and its neighbour; the rest moves up where there is no gap."""
    same = others.filter(priority=target.priority)
    behind = Q(position__gt=target.position) | Q(position=target.position, pk__gt=target.pk)
    if is_after:
        neighbour = same.filter(behind).order_by("position", "id").first()
        if neighbour is None:
            return target.position + POSITION_GAP
        low, high, moved = target.position, neighbour.position, same.filter(behind)
    else:
        in_front = Q(position__lt=target.position) | Q(position=target.position, pk__lt=target.pk)
        neighbour = same.filter(in_front).order_by("-position", "-id").first()
        if neighbour is None:
            return target.position - POSITION_GAP
        low, high, moved = neighbour.position, target.position, same.filter(~in_front)
    if high - low < 2:
        moved.update(position=F("position") + POSITION_GAP)
        high += POSITION_GAP
    return (low + high) // 2


def set_priority(job_id: int, priority: int) -> bool:
    """Change a waiting or running job's priority. Raises ValueError beyond ±PRIORITY_LIMIT."""
    if not -PRIORITY_LIMIT <= priority <= PRIORITY_LIMIT:
        raise ValueError(f"the priority must be from {-PRIORITY_LIMIT} to {PRIORITY_LIMIT}")
    return bool(Job.objects.filter(pk=job_id, status__in=WAITING).update(priority=priority))


def set_paused(job_id: int, is_paused: bool) -> bool:
    """Pause or resume one job; a running one stands still within a second or two."""
    rows = Job.objects.filter(pk=job_id).exclude(finished_at__isnull=False)
    return bool(rows.update(is_paused=is_paused, keeps_chunks=False))


def stop_running(job_id: int) -> bool:
    """A running job hands itself back and waits, paused; its finished chunks stay."""
    rows = Job.objects.filter(pk=job_id, status=JobStatus.RUNNING)
    return bool(rows.update(is_paused=True, keeps_chunks=True))
