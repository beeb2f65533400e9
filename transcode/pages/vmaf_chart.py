"""VMAF over the film as a chart: positions, marks and words for it. Pure.

The curve may cover the whole film or only some windows of it. Between windows nothing was measured,
so nothing is drawn there but a faint line that leads the eye.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

from mediaflow.templatetags._text import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_POINTS: Final = 600
MOST_MARKS: Final = 3
MOST_ROWS: Final = 12
# Width of the stretched drawing; its height is 100.
WIDTH: Final = 1000.0
# A pause longer than this many usual steps (and than two seconds) was not measured.
GAP_STEPS: Final = 6.0
GAP_LEAST_S: Final = 2.0
# Marks nearer than this share of the film would stand on each other.
MARK_APART: Final = 0.03
BEST: Final = 100.0
# (lowest VMAF on the axis, step of its lines): the first that holds everything.
_AXES: Final = ((90.0, 2.0), (80.0, 5.0), (70.0, 5.0), (60.0, 10.0), (40.0, 20.0), (0.0, 25.0))
_TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, 86_400),
)
MOST_TIMES: Final = 6

Point = tuple[float, float]  # seconds of the film, VMAF


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across the chart. `kind`: goal, mean or low."""

    kind: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One of the lowest places; it stands at the edge where its number would leave the chart."""

    number: int
    x: str
    y: str
    time: str
    vmaf: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the film in the table."""

    start: str
    end: str
    mean: str
    lowest: str


@dataclass(frozen=True, slots=True)
class VmafChart:
    line: str  # path of what was measured
    between: str  # path of what leads from one window to the next; "" when all was measured
    windows: tuple[tuple[str, str], ...]  # middle of each window; () when all was measured
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]
    limits: tuple[Limit, ...]
    marks: tuple[Mark, ...]
    parts: tuple[Part, ...]
    mean: str
    p5: str
    lowest: str
    lowest_at: str
    title: str
    text: str  # for those who cannot see it


@dataclass(frozen=True, slots=True)
class Asked:
    """What the chart is held against; None: nothing of the kind was asked."""

    target: float | None = None
    min_mean: float | None = None
    min_p5: float | None = None


def make_chart(
    curve: object,
    asked: Asked,
    *,
    mean: float | None = None,
    p5: float | None = None,
    duration_s: float = 0.0,
) -> VmafChart | None:
    """None for a curve of fewer than two points. `mean` and `p5` are those of all frames; without
    them the curve's own are said."""
    points = _thin(read_curve(curve))
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    mean = fmean(values) if mean is None else mean
    p5 = _low_end(values) if p5 is None else p5
    end_s = max(duration_s, points[-1][0])
    limits = [(kind, value) for kind, value in _limits(asked) if 0 < value <= BEST]
    bottom, step = _axis(min([*values, *(value for _, value in limits)]))
    frame = _Frame(end_s, bottom)
    runs = _runs(points)
    lowest = min(points, key=lambda point: point[1])
    return VmafChart(
        line="".join(frame.path(run) for run in runs),
        between=frame.path([_middle(run) for run in runs]) if len(runs) > 1 else "",
        windows=tuple(frame.place(_middle(run)) for run in runs) if len(runs) > 1 else (),
        values=_value_ticks(frame, bottom, step),
        times=_time_ticks(end_s),
        limits=tuple(_limit(frame, kind, value) for kind, value in limits),
        marks=_marks(frame, points),
        parts=_parts(points, runs),
        mean=f"{mean:.1f}",
        p5=f"{p5:.1f}",
        lowest=f"{lowest[1]:.1f}",
        lowest_at=clock(lowest[0]),
        title=f"VMAF over {clock(end_s)} of film",
        text=_words(mean, p5, lowest, limits, runs),
    )


def read_curve(raw: object) -> list[Point]:
    """The points that can be drawn, in order of time; a row of another version is left out."""
    points = []
    for row in raw if isinstance(raw, list) else ():
        if isinstance(row, list) and len(row) == 2 and all(_is_number(part) for part in row):
            points.append((max(0.0, float(row[0])), min(BEST, max(0.0, float(row[1])))))
    return sorted(points)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _thin(points: list[Point]) -> list[Point]:
    """At most MOST_POINTS; of those that fall together the lowest stays, as it is what matters."""
    share = math.ceil(len(points) / MOST_POINTS)
    if share <= 1:
        return points
    groups = (points[n : n + share] for n in range(0, len(points), share))
    return [min(group, key=lambda point: point[1]) for group in groups]


def _low_end(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * 0.05) - 1)]


def _limits(asked: Asked) -> list[tuple[str, float]]:
    given = (("goal", asked.target), ("mean", asked.min_mean), ("low", asked.min_p5))
    return [(kind, value) for kind, value in given if value is not None]


def _axis(lowest: float) -> tuple[float, float]:
    return next((axis for axis in _AXES if axis[0] <= lowest), _AXES[-1])


@dataclass(frozen=True, slots=True)
class _Frame:
    """Turns seconds and VMAF into places."""

    end_s: float
    bottom: float

    def x(self, seconds: float) -> float:
        return seconds / self.end_s if self.end_s > 0 else 0.0

    def y(self, value: float) -> float:
        """From the top."""
        return (BEST - value) / (BEST - self.bottom)

    def place(self, point: Point) -> tuple[str, str]:
        return _pct(self.x(point[0])), _pct(self.y(point[1]))

    def path(self, points: Sequence[Point]) -> str:
        """In the stretched drawing. One point is a line of no length; round ends show it."""
        places = [f"{WIDTH * self.x(s):.1f} {100 * self.y(value):.2f}" for s, value in points]
        return "M" + "L".join(places if len(places) > 1 else places * 2)


def _pct(share: float) -> str:
    return f"{100 * share:.2f}%"


def _runs(points: list[Point]) -> list[list[Point]]:
    """Stretches that were measured without a gap."""
    steps = [after[0] - before[0] for before, after in itertools.pairwise(points)]
    longest = max(GAP_LEAST_S, GAP_STEPS * median(steps))
    runs = [[points[0]]]
    for step, point in zip(steps, points[1:], strict=True):
        if step > longest:
            runs.append([])
        runs[-1].append(point)
    return runs


def _middle(run: list[Point]) -> Point:
    return (run[0][0] + run[-1][0]) / 2, fmean(value for _, value in run)


def _value_ticks(frame: _Frame, bottom: float, step: float) -> tuple[Tick, ...]:
    number = round((BEST - bottom) / step)
    values = [BEST - step * n for n in range(number + 1)]
    return tuple(Tick(_pct(frame.y(value)), f"{value:g}") for value in values)


def _time_ticks(end_s: float) -> tuple[Tick, ...]:
    step = next((s for s in _TIME_STEPS_S if end_s / s <= MOST_TIMES), _TIME_STEPS_S[-1])
    number = min(int(end_s // step), MOST_TIMES)
    # One at the very end would stand half outside.
    times = [step * n for n in range(number + 1) if step * n <= 0.97 * end_s]
    return tuple(Tick(_pct(s / end_s if end_s else 0.0), clock(s)) for s in times)


def _limit(frame: _Frame, kind: str, value: float) -> Limit:
    words = {"goal": "target", "mean": "lowest mean", "low": "lowest 5 %"}
    return Limit(kind, _pct(frame.y(value)), f"{words[kind]} {value:g}")


def _marks(frame: _Frame, points: list[Point]) -> tuple[Mark, ...]:
    """The lowest places, apart from each other, the very lowest first; of few points few."""
    most = min(MOST_MARKS, max(1, len(points) // 4))
    apart_s = MARK_APART * frame.end_s
    chosen: list[Point] = []
    for point in sorted(points, key=lambda point: point[1]):
        if all(abs(point[0] - other[0]) >= apart_s for other in chosen):
            chosen.append(point)
        if len(chosen) == most:
            break
    return tuple(
        Mark(number, *frame.place(point), clock(point[0]), f"{point[1]:.1f}")
        for number, point in enumerate(chosen, start=1)
    )


def _parts(points: list[Point], runs: list[list[Point]]) -> tuple[Part, ...]:
    """The windows, or as many stretches of equal number of points."""
    groups = runs
    if len(runs) == 1 or len(runs) > MOST_ROWS:
        share = math.ceil(len(points) / MOST_ROWS)
        groups = [points[n : n + share] for n in range(0, len(points), share)]
    return tuple(_part(group) for group in groups)


def _part(group: list[Point]) -> Part:
    values = [value for _, value in group]
    return Part(
        clock(group[0][0]), clock(group[-1][0]), f"{fmean(values):.1f}", f"{min(values):.1f}"
    )


def _words(
    mean: float,
    p5: float,
    lowest: Point,
    limits: list[tuple[str, float]],
    runs: list[list[Point]],
) -> str:
    text = f"Mean {mean:.1f}, {p5:.1f} in the lowest 5 %; worst {lowest[1]:.1f} at"
    text += f" {clock(lowest[0])}."
    target = dict(limits).get("goal")
    if target is not None:
        text += f" Asked for: {target:g}."
    if len(runs) > 1:
        text += f" Measured in {len(runs)} places; what lies between was not."
    return text
