"""Charts over time as positions in an SVG: axes, paths and words. Pure; a template only prints.

The outer SVG is not scaled (texts and dots stand in per cent), the inner one is stretched to it
(paths in a box of WIDTH by 100), so that letters stay sharp at any width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mediaflow.templatetags._text import MONTHS, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mediaflow.analytics.savings import SavingsPoint, Waiting

WIDTH: Final = 1000.0
_STEPS: Final = (1, 2, 2.5, 5, 10)
_UNITS: Final = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
MOST_LABELS: Final = 13


@dataclass(frozen=True, slots=True)
class AxisTick:
    place: str
    text: str
    anchor: str = "middle"
    is_minor: bool = False  # left out on small screens


@dataclass(frozen=True, slots=True)
class SavingsChart:
    """Freed below, in the trash above it, and what the queue is expected to add."""

    unit: str
    y_ticks: tuple[AxisTick, ...]
    x_ticks: tuple[AxisTick, ...]
    freed_area: str
    trash_area: str
    saved_line: str
    today_x: str
    today_y: str
    future_band: str
    future_line: str
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """One line with its area."""

    unit: str
    y_ticks: tuple[AxisTick, ...]
    x_ticks: tuple[AxisTick, ...]
    area: str
    line: str
    end_x: str
    end_y: str
    text: str


def savings_chart(points: Sequence[SavingsPoint], waiting: Waiting) -> SavingsChart:
    """At least two points, the last one today."""
    now = points[-1]
    has_future = waiting.bytes > 0
    most = max(
        max(point.saved_bytes for point in points),
        now.saved_bytes + (waiting.high if has_future else 0),
    )
    top, unit, factor, ticks = axis(most)
    last = len(points) - 1
    # Room on the right for what comes.
    xs = [WIDTH * n / (last + (1.5 if has_future else 0)) for n in range(last + 1)]

    def y(amount: float) -> float:
        return 100 - 100 * amount / top

    saved = [(x, y(p.saved_bytes)) for x, p in zip(xs, points, strict=True)]
    freed = [(x, y(p.freed_bytes)) for x, p in zip(xs, points, strict=True)]
    band = dash = ""
    if has_future:
        reach = [now.saved_bytes + part for part in (waiting.low, waiting.bytes, waiting.high)]
        low, middle, high = (y(amount) for amount in reach)
        band = path([saved[-1], (WIDTH, high), (WIDTH, low)], closed=True)
        dash = path([saved[-1], (WIDTH, middle)])
    return SavingsChart(
        unit=unit,
        y_ticks=ticks,
        x_ticks=time_ticks([point.day for point in points], [x / 10 for x in xs]),
        freed_area=path([*freed, (xs[-1], 100), (xs[0], 100)], closed=True),
        trash_area=path([*saved, *reversed(freed)], closed=True),
        saved_line=path(saved),
        today_x=percent(xs[-1] / 10),
        today_y=percent(saved[-1][1]),
        future_band=band,
        future_line=dash,
        text=f"Saved until today: {size(now.saved_bytes).text}, of it"
        f" {size(now.freed_bytes).text} freed"
        + (f"; the queue adds about {size(waiting.bytes).text}" if has_future else "")
        + f". Scale in {unit}, {factor:,} bytes.",
    )


def line_chart(days: Sequence[date], amounts: Sequence[int], subject: str) -> LineChart:
    """At least two days."""
    top, unit, _factor, ticks = axis(max(amounts))
    span = max((days[-1] - days[0]).days, 1)
    xs = [WIDTH * (day - days[0]).days / span for day in days]
    places = [(x, 100 - 100 * amount / top) for x, amount in zip(xs, amounts, strict=True)]
    shown = spread(len(days), MOST_LABELS)
    return LineChart(
        unit=unit,
        y_ticks=ticks,
        x_ticks=time_ticks([days[n] for n in shown], [xs[n] / 10 for n in shown]),
        area=path([*places, (xs[-1], 100), (xs[0], 100)], closed=True),
        line=path(places),
        end_x=percent(xs[-1] / 10),
        end_y=percent(places[-1][1]),
        text=f"{subject}: {size(amounts[0]).text} on {days[0]}, {size(amounts[-1]).text} on"
        f" {days[-1]}.",
    )


def axis(most: int) -> tuple[float, str, int, tuple[AxisTick, ...]]:
    """The top of the axis in bytes, its unit, and three to five lines at round figures."""
    factor, unit = next(((f, u) for f, u in _UNITS if most >= f), (10**9, "GB"))
    value = most / factor or 1.0
    power = 10.0 ** (len(str(int(value))) - 1)
    step = next(s * power / 4 for s in (*_STEPS, 20) if s * power >= value)
    count = 4
    while step * (count - 1) >= value and count > 2:
        count -= 1
    top = step * count * factor
    ticks = tuple(
        AxisTick(percent(100 - 100 * n / count), f"{step * n:g}") for n in range(count + 1)
    )
    return top, unit, factor, ticks


def time_ticks(days: Sequence[date], places: Sequence[float]) -> tuple[AxisTick, ...]:
    """Months where the days span more than three of them, else days."""
    has_months = (days[-1] - days[0]).days > 100
    texts = [
        (MONTHS[day.month - 1] if has_months else f"{day.day} {MONTHS[day.month - 1]}")
        for day in days
    ]
    ticks = []
    for number, (text, place) in enumerate(zip(texts, places, strict=True)):
        if has_months and number and text == texts[number - 1]:
            continue
        is_minor = (len(days) - 1 - number) % 3 != 0
        ticks.append(AxisTick(percent(place), text, is_minor=is_minor))
    return tuple(ticks)


def spread(count: int, most: int) -> list[int]:
    """At most so many of 0 … count-1, evenly, the first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(n * (count - 1) / (most - 1)) for n in range(most)]


def path(places: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    text = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return f"M{text}{'Z' if closed else ''}"


def percent(value: float) -> str:
    return f"{value:.1f}%"
