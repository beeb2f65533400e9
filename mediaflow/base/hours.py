"""Hours and days in which encoding may run. Pure: the time is handed in, in local time.

A window is written "22:00-06:00", "mon-fri 22:00-06:00" or "sat,sun 00:00-24:00". One that ends
before it begins crosses midnight and belongs to the day on which it begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY: Final = 24 * 60
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z,\-]+)\s+)?(?P<start>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)"
)
_EXAMPLE: Final = 'write it like "22:00-06:00" or "mon-fri 22:00-06:00"'


class HoursProblem(ValueError):
    """A window cannot be read. The text says how to write it."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, in minutes of the day; an end at or before the start is tomorrow's."""

    days: frozenset[int]  # 0 is Monday
    start: int
    end: int

    def holds(self, weekday: int, minute: int) -> bool:
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        is_evening = weekday in self.days and minute >= self.start
        return is_evening or ((weekday - 1) % 7 in self.days and minute < self.end)


def parse_hours(texts: Iterable[str]) -> tuple[Window, ...]:
    """Raises HoursProblem for the first that cannot be read."""
    return tuple(_window(text) for text in texts)


def split_hours(text: str) -> tuple[str, ...]:
    """The windows of one text: a semicolon, or a comma after a time, stands between two."""
    parts = [part.strip() for part in re.split(r"[;\n]|(?<=\d),", text)]
    return tuple(part for part in parts if part)


def is_open(windows: tuple[Window, ...], local_now: datetime) -> bool:
    """Whether encoding may run now. No window at all means always."""
    minute = local_now.hour * 60 + local_now.minute
    return not windows or any(w.holds(local_now.weekday(), minute) for w in windows)


def next_change(windows: tuple[Window, ...], local_now: datetime) -> datetime | None:
    """When the answer of `is_open` changes next, to the minute; None: never.

    Walks along UTC, so that the hours that daylight saving adds or skips are as long as they are.
    """
    now_is_open = is_open(windows, local_now)
    zone = local_now.tzinfo
    at = local_now.astimezone(UTC).replace(second=0, microsecond=0)
    for minutes in range(1, 8 * MINUTES_A_DAY):
        then = (at + timedelta(minutes=minutes)).astimezone(zone)
        if is_open(windows, then) != now_is_open:
            return then
    return None


def _window(text: str) -> Window:
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise HoursProblem(f"{text[:40]!r} is no time window; {_EXAMPLE}.")
    start, end = _minutes(found["start"]), _minutes(found["end"])
    if start in (end, MINUTES_A_DAY):
        raise HoursProblem(f"{text[:40]!r} is empty; {_EXAMPLE}.")
    return Window(_days(found["days"] or "mon-sun"), start, end)


def _minutes(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    total = hours * 60 + minutes
    if minutes > 59 or total > MINUTES_A_DAY:
        raise HoursProblem(f"{text} is no time of day; use 00:00 to 24:00.")
    return total


def _days(text: str) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise HoursProblem(f"{part[:20]!r} is no day; use mon, tue, wed, thu, fri, sat, sun.")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        chosen |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(chosen)
