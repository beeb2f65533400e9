"""How the library grew, from one line a day: a chart's points, and what a month adds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.models import LibrarySnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_DAYS: Final = 730
LEAST_DAYS: Final = 7  # before that a month's growth is a guess


@dataclass(frozen=True, slots=True)
class GrowthDay:
    day: date
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Growth:
    days: tuple[GrowthDay, ...]

    @property
    def has_chart(self) -> bool:
        return len(self.days) > 1

    @property
    def bytes_per_month(self) -> int | None:
        """Over the last 90 days that are known; None before there is a week of them."""
        if not self.days:
            return None
        last = self.days[-1]
        since = next(day for day in self.days if day.day >= last.day - timedelta(days=90))
        span = (last.day - since.day).days
        if span < LEAST_DAYS:
            return None
        return round(30 * (last.bytes - since.bytes) / span)


def read_growth(library_id: int | None = None) -> Growth:
    """One statement. A library without a line on a day counts with its line before."""
    rows = LibrarySnapshot.objects.filter(
        day__gte=timezone.localdate() - timedelta(days=MOST_DAYS)
    ).order_by("day", "pk")
    if library_id is not None:
        rows = rows.filter(library=library_id)
    return Growth(_days(rows.values_list("day", "library_id", "file_count", "total_bytes")))


def _days(rows: Iterable[tuple[date, int | None, int, int]]) -> tuple[GrowthDay, ...]:
    """What was removed from MediaFlow leaves the past as well: nothing else would compare."""
    by_day: dict[date, dict[int, tuple[int, int]]] = defaultdict(dict)
    for day, library_id, files, size in rows:
        if library_id is not None:
            by_day[day][library_id] = (files, size)
    known: dict[int, tuple[int, int]] = {}
    found = []
    for day in sorted(by_day):
        known.update(by_day[day])
        totals = known.values()
        found.append(
            GrowthDay(day, sum(files for files, _ in totals), sum(size for _, size in totals))
        )
    return tuple(found)
