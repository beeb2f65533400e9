"""What was saved, day by day, and what of it is freed: from finished jobs and the trash.

A film that was replaced saves the difference. While its original lies in the trash that is "in the
trash"; it is "freed" on the day on which the original is purged. Copies beside the original save
nothing, and what was undone saved nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.cache import cache
from django.db.models import BigIntegerField, Case, Count, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest, TruncDate
from django.utils import timezone

from transcode.models import IN_TRASH, Job, JobStatus, OutputMode, TrashEntry, TrashState
from transcode.prediction.lessons import closed_predictions
from transcode.states import ACTIVE
from transcode.trash.sweep import next_purge_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

CACHE_S: Final = 60
PERIODS: Final = (("3m", "3 months", 91), ("year", "Year", 365), ("all", "All", 0))
MOST_POINTS: Final = 14


@dataclass(frozen=True, slots=True)
class SavedDay:
    """What one day added."""

    day: date
    saved_bytes: int = 0
    freed_bytes: int = 0
    films: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the films in the queue are expected to add."""

    films: int
    bytes: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Savings:
    """All of it, oldest day first. `trash_bytes` are whole originals; the rest are differences."""

    days: tuple[SavedDay, ...]
    freed_films: int
    trash_films: int
    trash_bytes: int
    next_purge_on: date | None
    waiting: Waiting

    @property
    def saved_bytes(self) -> int:
        return sum(day.saved_bytes for day in self.days)

    @property
    def freed_bytes(self) -> int:
        return sum(day.freed_bytes for day in self.days)


@dataclass(frozen=True, slots=True)
class SavingsPoint:
    """Totals up to the end of one day."""

    day: date
    saved_bytes: int
    freed_bytes: int


def read_savings(library_id: int | None = None) -> Savings:
    """Of one library or all. Kept for a minute, or until a job ends or the last one is undone."""
    ended = Job.objects.filter(finished_at__isnull=False).order_by("-finished_at", "-id")
    last = ended.values_list("id", "undone_at").first() or (0, None)
    undone = f"{last[1]:%Y%m%d%H%M%S%f}" if last[1] else "-"
    key = f"savings:{library_id or 'all'}:{last[0]}:{undone}"
    found: Savings | None = cache.get(key)
    if found is None:
        found = _read(library_id)
        cache.set(key, found, CACHE_S)
    return found


def _read(library_id: int | None) -> Savings:
    jobs = Job.objects.all() if library_id is None else Job.objects.filter(file__library=library_id)
    done = jobs.filter(
        status=JobStatus.COMPLETED, undone_at=None, output_bytes__isnull=False,
        output_mode=OutputMode.REPLACE, finished_at__isnull=False,
    )  # fmt: skip
    trash = TrashEntry.objects.filter(replacement__job__undone_at=None)
    if library_id is not None:
        trash = trash.filter(replacement__library=library_id)
    purged = trash.filter(state=TrashState.PURGED, ended_at__isnull=False)
    kept = trash.filter(state__in=IN_TRASH)
    in_trash = kept.aggregate(n=Count("pk"), size=Sum("size_bytes"))
    freed = purged.aggregate(n=Count("pk"))
    return Savings(
        days=_days(done, purged),
        freed_films=freed["n"],
        trash_films=in_trash["n"],
        trash_bytes=in_trash["size"] or 0,
        next_purge_on=next_purge_on(trash),
        waiting=_waiting(jobs),
    )


def _days(done: QuerySet[Job], purged: QuerySet[TrashEntry]) -> tuple[SavedDay, ...]:
    saved = (
        done.order_by()
        .annotate(day=TruncDate("finished_at"))
        .values_list("day")
        .annotate(n=Count("pk"), size=Sum(F("source_bytes") - F("output_bytes")))
    )
    job = "replacement__job__"
    freed = (
        purged.order_by()
        .annotate(day=TruncDate("ended_at"))
        .values_list("day")
        .annotate(size=Sum(F(f"{job}source_bytes") - F(f"{job}output_bytes")))
    )
    found: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for day, films, size in saved:
        found[day][0] += size or 0
        found[day][2] += films
    for day, size in freed:
        found[day][1] += size or 0
    return tuple(SavedDay(day, *found[day]) for day in sorted(found))


def _waiting(jobs: QuerySet[Job]) -> Waiting:
    """By the job's own prediction, else by the recommendation that it follows, else nothing."""

    def gain(predicted: str, recommended: str) -> Any:
        own = Greatest(F("source_bytes") - F(predicted), Value(0, BigIntegerField()))
        return Sum(
            Case(
                When(**{f"{predicted}__isnull": False}, then=own),
                default=Coalesce(F(f"recommendation__{recommended}"), Value(0)),
                output_field=BigIntegerField(),
            )
        )

    found = jobs.filter(status__in=ACTIVE, output_mode=OutputMode.REPLACE).aggregate(
        n=Count("pk"),
        size=gain("predicted_bytes", "savings_bytes"),
        low=gain("predicted_bytes_high", "savings_low_bytes"),
        high=gain("predicted_bytes_low", "savings_high_bytes"),
    )
    return Waiting(found["n"], found["size"] or 0, found["low"] or 0, found["high"] or 0)


def predictions_that_held() -> tuple[int, int]:
    """(in their range, all) of the films that were predicted and are done."""
    found = closed_predictions().filter(error_pct__isnull=False).aggregate(
        n=Count("pk"), held=Count("pk", filter=Q(is_in_range=True))
    )  # fmt: skip
    return found["held"], found["n"]


def points_of(savings: Savings, period: str, today: date | None = None) -> list[SavingsPoint]:
    """Totals at the ends of a dozen equal stretches, the last one today."""
    end = today or timezone.localdate()
    days = next((days for key, _label, days in PERIODS if key == period), 365)
    first = savings.days[0].day if savings.days else end
    span = days or max((end - first).days, 30)
    steps = min(MOST_POINTS - 1, 13)
    ends = [end - timedelta(days=round(span * (steps - n) / steps)) for n in range(steps + 1)]
    return [SavingsPoint(day, *_total_until(savings.days, day)) for day in ends]


def _total_until(days: Sequence[SavedDay], end: date) -> tuple[int, int]:
    until = [day for day in days if day.day <= end]
    return _sum(day.saved_bytes for day in until), _sum(day.freed_bytes for day in until)


def _sum(values: Iterable[int]) -> int:
    return sum(values)
