"""The trash: how long originals stay, when they may go, and what that frees (trust.md S9).

Nothing here looks for files: only what a row names is touched, so what an older database does not
know stays where it is. A purge needs as many daily sweeps as the entry's retention has days; no
clock can hurry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from mediaflow.base.db_retry import retry_on_busy
from transcode.models import IN_TRASH, TrashEntry, TrashState
from transcode.trash.place import is_gone_from_trash
from transcode.trash.purge import (
    find_again,
    is_library_there,
    mark_lost,
    purge_entry,
    resume_purges,
)
from transcode.trash.room import end_pause_with_room

if TYPE_CHECKING:
    from datetime import date, datetime

    from django.db.models import QuerySet

UNREACHABLE: Final = "Its trash folder cannot be reached; is its disk mounted?"


@dataclass(frozen=True, slots=True)
class TrashSummary:
    """Totals for pages. What is kept "will be freed", what was purged "is freed"."""

    kept_count: int
    kept_bytes: int  # will be freed
    due_count: int  # past their days but kept for a reason
    freed_bytes: int
    lost_count: int
    oldest_at: datetime | None
    next_purge_on: date | None


@dataclass(frozen=True, slots=True)
class SweepResult:
    seen: int
    purged: int
    freed_bytes: int
    kept_due: int
    lost: int


def trash_summary() -> TrashSummary:
    """One query over the rows; the disk is not asked."""
    kept, purged = Q(state__in=IN_TRASH), Q(state=TrashState.PURGED)
    found = TrashEntry.objects.aggregate(
        kept_count=Count("pk", filter=kept),
        kept_bytes=Sum("size_bytes", filter=kept),
        due_count=Count("pk", filter=kept & ~Q(kept_reason="")),
        freed_bytes=Sum("size_bytes", filter=purged),
        lost_count=Count("pk", filter=Q(state=TrashState.LOST)),
        oldest_at=Min("trashed_at", filter=kept),
    )
    return TrashSummary(
        kept_count=found["kept_count"],
        kept_bytes=found["kept_bytes"] or 0,
        due_count=found["due_count"],
        freed_bytes=found["freed_bytes"] or 0,
        lost_count=found["lost_count"],
        oldest_at=found["oldest_at"],
        next_purge_on=next_purge_on(TrashEntry.objects.all()),
    )


def purge_due_on(entry: TrashEntry) -> date:
    """The first day on which the entry may go."""
    return _due_on(entry.trashed_at, entry.retention_days)


def next_purge_on(entries: QuerySet[TrashEntry]) -> date | None:
    """The first day on which any of them may go; those that stay for a reason do not count."""
    waiting = entries.filter(state=TrashState.KEPT, kept_reason="").order_by()
    oldest = waiting.values_list("retention_days").annotate(Min("trashed_at"))
    return min((_due_on(at, days) for days, at in oldest), default=None)


def _due_on(trashed_at: datetime, retention_days: int) -> date:
    return timezone.localtime(trashed_at + timedelta(days=retention_days)).date()


def sweep_trash(now: datetime | None = None) -> SweepResult:
    """Each entry once a day, however often this is called: count, notice what is gone, purge.

    Reads every due film back from its disk: minutes to hours, so never within a request.
    """
    now = now or timezone.now()
    resumed = resume_purges()
    purged, freed = len(resumed), sum(result.freed_bytes for result in resumed)
    seen = kept_due = lost = 0
    _find_lost_again()
    entries = TrashEntry.objects.filter(state=TrashState.KEPT)
    for pk in list(entries.order_by("trashed_at").values_list("pk", flat=True)):
        entry = TrashEntry.objects.select_related("replacement__library").get(pk=pk)
        is_gone = _is_gone(entry, now.date())
        if is_gone is None or not _count_day(entry, now.date()):
            continue
        seen += 1
        if is_gone:
            lost += mark_lost(entry)
        elif _is_due(entry, now):
            result = purge_entry(pk)
            purged += result.ok
            freed += result.freed_bytes
            kept_due += not result.ok
    end_pause_with_room()
    return SweepResult(seen, purged, freed, kept_due, lost)


def _count_day(entry: TrashEntry, today: date) -> bool:
    """The day's first sweep of the entry counts; False when another process was faster.

    After a clock that ran ahead was put right, counting goes on from today.
    """
    last = entry.last_sweep_on
    is_new_day = last is None or today > last
    entry.last_sweep_on = today
    entry.sweeps_seen += is_new_day
    rows = TrashEntry.objects.filter(pk=entry.pk, state=TrashState.KEPT, last_sweep_on=last)
    values = {"last_sweep_on": today, "sweeps_seen": entry.sweeps_seen}
    return bool(retry_on_busy(lambda: rows.update(**values)))


def _is_due(entry: TrashEntry, now: datetime) -> bool:
    is_old = now - entry.trashed_at >= timedelta(days=entry.retention_days)
    return is_old and entry.sweeps_seen >= entry.retention_days


def _is_gone(entry: TrashEntry, today: date) -> bool | None:
    """None when the day proves nothing: already swept, or its library or disk is away."""
    if entry.last_sweep_on == today or not is_library_there(entry.replacement):
        return None
    try:
        is_gone = is_gone_from_trash(bytes(entry.path_raw))
    except OSError:
        _note_reason(entry, UNREACHABLE)
        return None
    if entry.kept_reason == UNREACHABLE:
        _note_reason(entry, "")
    return is_gone


def _note_reason(entry: TrashEntry, reason: str) -> None:
    rows = TrashEntry.objects.filter(pk=entry.pk, state=TrashState.KEPT)
    retry_on_busy(lambda: rows.update(kept_reason=reason))


def _find_lost_again() -> None:
    """A disk that was away when its originals were looked for may be back."""
    lost = TrashEntry.objects.filter(state=TrashState.LOST)
    for entry in lost.select_related("replacement__library"):
        find_again(entry)
