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

from library.folding import display_path
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.fs import fs, parent_of
from mediaflow.base.settings_store import get_setting, get_settings, set_setting
from transcode.models import TrashEntry, TrashState
from transcode.outcomes import JobHeld, JobWaits
from transcode.trash.place import is_gone_from_trash
from transcode.trash.purge import (
    find_again,
    is_library_there,
    mark_lost,
    purge_entry,
    resume_purges,
)

if TYPE_CHECKING:
    from datetime import date, datetime

    from django.db.models import QuerySet

    from transcode.models import Replacement

FULL_WAIT_S: Final = 600.0
UNREACHABLE: Final = "Its trash folder cannot be reached; is its disk mounted?"
FULL_REASON: Final = "The trash is full"  # begins the pause's reason, so that we know it as ours


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
    kept, purged = Q(state=TrashState.KEPT), Q(state=TrashState.PURGED)
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
    _relieve()
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


def make_room(row: Replacement) -> None:
    """Before a swap: its original must fit under the size limit of the trash, per file system.

    Raises JobWaits after pausing the queue, or JobHeld when the film alone is over the limit.
    Nothing is purged early unless the admin chose "oldest first".
    """
    limit = get_setting("trash_cap_bytes")
    if not limit or not row.trash_raw:
        return
    needed = row.source_snapshot["size_bytes"]
    if needed > limit:
        raise JobHeld(
            "trash_too_small",
            f"The original has {needed:,} bytes, the trash may hold {limit:,}. Raise the limit in"
            " the settings.",
        )
    folder = parent_of(bytes(row.trash_raw))
    device = fs.stat_folder(folder).st_dev
    if not _fits(device, needed, limit) and not _purge_oldest(device, needed, limit):
        reason = f"{FULL_REASON} ({limit:,} bytes at {display_path(folder)})."
        _pause(reason)
        text = f"{reason} Purge originals or raise the limit."
        raise JobWaits("trash_full", text, delay_s=FULL_WAIT_S)


def _entries_on(device: int) -> list[TrashEntry]:
    """What is kept on one file system, the oldest first."""
    found, known = [], {}
    for entry in TrashEntry.objects.filter(state=TrashState.KEPT).order_by("trashed_at"):
        folder = parent_of(bytes(entry.path_raw))
        if folder not in known:
            try:
                known[folder] = fs.stat_folder(folder).st_dev
            except OSError:
                known[folder] = -1
        if known[folder] == device:
            found.append(entry)
    return found


def _fits(device: int, needed: int, limit: int) -> bool:
    return sum(entry.size_bytes for entry in _entries_on(device)) + needed <= limit


def _purge_oldest(device: int, needed: int, limit: int) -> bool:
    if get_setting("trash_cap_policy") != "oldest_first":
        return False
    for entry in _entries_on(device):
        purge_entry(entry.pk)
        if _fits(device, needed, limit):
            return True
    return False


def _pause(reason: str) -> None:
    set_setting("queue_paused_reason", reason[:300], None)
    set_setting("queue_paused", True, None)


def _relieve() -> None:
    """End a pause of ours once the trash has room again."""
    found = get_settings("queue_paused", "queue_paused_reason", "trash_cap_bytes")
    if not found["queue_paused"] or not found["queue_paused_reason"].startswith(FULL_REASON):
        return
    kept = TrashEntry.objects.filter(state=TrashState.KEPT).aggregate(total=Sum("size_bytes"))
    if not found["trash_cap_bytes"] or (kept["total"] or 0) < found["trash_cap_bytes"]:
        set_setting("queue_paused", False, None)
        set_setting("queue_paused_reason", "", None)
