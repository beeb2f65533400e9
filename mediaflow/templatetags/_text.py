"""Figures as people read them: pure functions, no Django, used by the tags and testable alone.

Each returns the figure and its unit apart, because pages print the unit quieter than the figure.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400
NBSP = "\N{NO-BREAK SPACE}"
UNKNOWN = "\N{EN DASH}"
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Figure(NamedTuple):
    number: str
    unit: str

    @property
    def text(self) -> str:
        return f"{self.number}{NBSP}{self.unit}" if self.unit else self.number


def _decimals(value: float, unit: str) -> int:
    if unit in ("B", "kB"):
        return 0
    if value >= 100:
        return 0
    # Terabytes below ten say 1.38: there a tenth is a hundred gigabytes.
    return 2 if unit in ("TB", "PB", "EB") and value < 10 else 1


def size(byte_count: int) -> Figure:
    """Decimal units, as disks and Plex use them: 1 GB is 1,000,000,000 bytes."""
    sign = "\N{MINUS SIGN}" if byte_count < 0 else ""
    value, step = float(abs(byte_count)), 0
    # 999.6 MB would print as "1000 MB": step up where rounding reaches the next unit.
    while step + 1 < len(BYTE_UNITS) and round(value, _decimals(value, BYTE_UNITS[step])) >= 1000:
        value, step = value / 1000, step + 1
    unit = BYTE_UNITS[step]
    number = f"{value:,.{_decimals(value, unit)}f}"
    if number.endswith("0") and number[-3:-2] == ".":
        number = number[:-1]
    return Figure(sign + number, unit)


def size_range(low: int, high: int) -> str:
    """33\N{EN DASH}44 GB: the unit once where both share it, whole figures from ten up."""
    first, last = size(low), size(high)
    if first.unit != last.unit:
        return f"{first.text}\N{EN DASH}{last.text}"
    whole = last.unit in ("MB", "GB") and float(first.number) >= 10
    numbers = [f"{float(f.number):.0f}" if whole else f.number for f in (first, last)]
    return f"{numbers[0]}\N{EN DASH}{numbers[1]}{NBSP}{last.unit}"


def bit_rate(kbps: float) -> Figure:
    if kbps < 1000:
        return Figure(f"{kbps:,.0f}", "kb/s")
    mbps = kbps / 1000
    return Figure(f"{mbps:,.{0 if mbps >= 100 else 1}f}", "Mb/s")


def frame_rate(fps: float) -> str:
    """23.976 stays 23.976, 25.0 becomes 25."""
    return f"{fps:.3f}".rstrip("0").rstrip(".")


def span(seconds: float) -> str:
    """How long something takes: 45 s, 29 min, 2 h 31 min, 3 d 4 h."""
    whole = round(seconds)
    if whole < SECONDS_PER_MINUTE:
        return f"{whole}{NBSP}s"
    minutes = round(whole / SECONDS_PER_MINUTE)
    if minutes < 60:
        return f"{minutes}{NBSP}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}{NBSP}h" + (f"{NBSP}{minutes}{NBSP}min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days}{NBSP}d" + (f"{NBSP}{hours}{NBSP}h" if hours else "")


def clock(seconds: float) -> str:
    """A place in a film: 1:12:04, 0:41."""
    whole = int(seconds)
    hours, rest = divmod(whole, SECONDS_PER_HOUR)
    minutes, secs = divmod(rest, SECONDS_PER_MINUTE)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def short_date(day: date, today: date) -> str:
    text = f"{day.day}{NBSP}{MONTHS[day.month - 1]}"
    return text if day.year == today.year else f"{text}{NBSP}{day.year}"


def short_time(moment: datetime, now: datetime) -> str:
    """The clock for today, the date for any other day; both in the zone of `moment`."""
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return short_date(moment.date(), now.date())


def full_time(moment: datetime) -> str:
    month = MONTHS[moment.month - 1]
    return f"{moment.day}{NBSP}{month}{NBSP}{moment.year}, {moment:%H:%M}"


def ago(moment: datetime, now: datetime) -> str:
    delta = now - moment
    if delta < timedelta(0):
        return f"in {span(-delta.total_seconds())}"
    seconds = delta.total_seconds()
    if seconds < 10:
        return "just now"
    if seconds < 2 * SECONDS_PER_DAY:
        hours = int(seconds // SECONDS_PER_HOUR)
        return f"{hours}{NBSP}h ago" if hours else f"{span(seconds)} ago"
    days = int(seconds // SECONDS_PER_DAY)
    return f"{days}{NBSP}d ago" if days < 60 else short_date(moment.date(), now.date())


def counted(number: int, forms: str) -> str:
    """`counted(3, "film")` is "3 films"; irregular plurals as "entry,entries"."""
    singular, _, plural = forms.partition(",")
    return f"{number:,}{NBSP}{singular if number == 1 else plural or singular + 's'}"
