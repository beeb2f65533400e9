"""How much a rule may still queue, and which films fit into that. Days are the user's days.

"A day" is a calendar day in MEDIAFLOW_TIME_ZONE, "a week" today and the six days before it, so
both make room at midnight. What was queued is counted by its jobs, cancelled ones too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Sum
from django.utils import timezone

from transcode.models import Job

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transcode.models import Rule

LIMIT_DAY: Final = "limit_day"
LIMIT_WEEK: Final = "limit_week"
LIMIT_SIZE: Final = "limit_size"
DAYS_A_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Room:
    """What fits today; None is no limit. `largest`: no film beyond it ever fits."""

    files: int | None = None
    bytes: int | None = None
    largest: int | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What a rule has queued: today's films, the week's bytes."""

    files_today: int
    bytes_week: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which films fit, in order; why the others do not ("" when all fit)."""

    ids: tuple[int, ...]
    rest_code: str


def day_start(now: datetime, days_back: int = 0) -> datetime:
    """Midnight in the user's time zone; days are counted on the calendar, whatever their length."""
    local = timezone.localtime(now)
    day = local.date() - timedelta(days=days_back)
    return timezone.make_aware(datetime.combine(day, time.min), local.tzinfo)


def read_use(rule: Rule, now: datetime) -> Use:
    """Two index ranges."""
    jobs = Job.objects.filter(rule=rule)
    today = jobs.filter(created_at__gte=day_start(now)).aggregate(films=Count("pk"))
    week = jobs.filter(created_at__gte=day_start(now, DAYS_A_WEEK - 1))
    total = week.aggregate(size=Sum("source_bytes"))["size"]
    return Use(today["films"], total or 0)


def room_left(rule: Rule, use: Use) -> Room:
    files, size = rule.max_files_per_day, rule.max_bytes_per_week
    return Room(
        files=None if files is None else max(0, files - use.files_today),
        bytes=None if size is None else max(0, size - use.bytes_week),
        largest=size,
    )


def fit(films: Iterable[tuple[int, int]], room: Room) -> Choice:
    """The first films (id, bytes) that fit. The first that does not ends it: a large film waits
    its turn instead of being passed by small ones for ever. One too large for any week is passed.
    """
    chosen: list[int] = []
    used = 0
    for file_id, size in films:
        if room.largest is not None and size > room.largest:
            continue
        if room.files is not None and len(chosen) >= room.files:
            return Choice(tuple(chosen), LIMIT_DAY)
        if room.bytes is not None and used + size > room.bytes:
            return Choice(tuple(chosen), LIMIT_WEEK)
        chosen.append(file_id)
        used += size
    return Choice(tuple(chosen), "")
