"""The calibration page: a chart of dots, one for each finished job, and what it says in figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse

from transcode.prediction.calibration import (
    BASES,
    PROMISED_PCT,
    BasisScore,
    Calibration,
    Outcome,
    read_calibration,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BASIS_WORDS: Final = {
    "sampled": "Sampled",
    "learned": "Learned",
    "rule": "Rule of thumb",
    "": "All",
}
MOST_DOTS: Final = 300
# With more dots the ranges would be a thicket.
MOST_RANGES: Final = 60
_STEPS_PCT: Final = (25, 50, 75, 100, 125, 150, 200, 300, 500)
_MOST_PCT: Final = 1000.0
# Of a share that few jobs measure: nineteen of twenty honest ranges come out nearer than that.
TOLERANCE_SD: Final = 2.0
# So few jobs prove nothing yet.
FEW_JOBS: Final = 10


@dataclass(frozen=True, slots=True)
class Dot:
    """Positions in percent of the plot, from its left and its top."""

    x: str
    y: str
    range_x1: str
    range_x2: str
    basis: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Tick:
    place: str  # from the left
    from_top: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Both axes: share of the original, 0 to `most_pct`."""

    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    bases: tuple[tuple[str, str], ...]  # basis, word: those that are there
    has_ranges: bool
    omitted: int  # older jobs that have no dot
    text: str  # for those who cannot see it


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One line of the table by source."""

    word: str
    score: BasisScore
    is_few: bool


@dataclass(frozen=True, slots=True)
class WorstRow:
    outcome: Outcome
    url: str
    basis_word: str


@dataclass(frozen=True, slots=True)
class CalibrationPage:
    total: BasisScore | None
    verdict: str
    rows: tuple[ScoreRow, ...]
    worst: tuple[WorstRow, ...]
    chart: Chart | None


def make_page() -> CalibrationPage:
    """One statement."""
    found = read_calibration()
    return CalibrationPage(
        total=found.total,
        verdict=_verdict(found.total),
        rows=tuple(
            ScoreRow(BASIS_WORDS[score.basis], score, score.jobs < FEW_JOBS)
            for score in found.by_basis
        ),
        worst=tuple(
            WorstRow(outcome, _job_url(outcome), BASIS_WORDS[outcome.basis])
            for outcome in found.worst
        ),
        chart=_chart(found) if found.outcomes else None,
    )


def _verdict(total: BasisScore | None) -> str:
    """What the coverage means, in one sentence."""
    if total is None:
        return ""
    if total.jobs < FEW_JOBS:
        return f"Too few jobs to judge: {FEW_JOBS} make a start."
    by_chance = (
        100 * TOLERANCE_SD * math.sqrt(PROMISED_PCT * (100 - PROMISED_PCT) / 1e4 / total.jobs)
    )
    if total.coverage_pct < PROMISED_PCT - by_chance:
        return "The ranges are too narrow; new ones are drawn wider until they hold."
    if total.coverage_pct > PROMISED_PCT + by_chance:
        return "The ranges are wider than they need to be; new ones are drawn narrower."
    return f"The ranges hold what they promise, as far as {total.jobs} jobs can tell."


def _chart(found: Calibration) -> Chart:
    shown = found.outcomes[:MOST_DOTS]
    has_ranges = len(shown) <= MOST_RANGES
    most = _ceiling(shown)
    in_range = sum(outcome.is_in_range for outcome in shown)
    return Chart(
        dots=tuple(_dot(outcome, most, has_range=has_ranges) for outcome in reversed(shown)),
        ticks=_ticks(most),
        bases=tuple(
            (basis, BASIS_WORDS[basis])
            for basis in BASES
            if any(outcome.basis == basis for outcome in shown)
        ),
        has_ranges=has_ranges,
        omitted=len(found.outcomes) - len(shown),
        text=f"Predicted against actual size of {len(shown)} jobs, in percent of the original;"
        f" {in_range} lie in their range.",
    )


def _ceiling(outcomes: Sequence[Outcome]) -> float:
    """The end of both axes: a round figure above everything that came out and was expected."""
    largest = max(
        max(outcome.share_pct(outcome.actual_bytes), outcome.share_pct(outcome.predicted_bytes))
        for outcome in outcomes
    )
    return next((float(step) for step in _STEPS_PCT if step >= largest), _MOST_PCT)


def _ticks(most: float) -> tuple[Tick, ...]:
    parts = 4 if most in (100, 200) else 5
    values = [most * number / parts for number in range(parts + 1)]
    return tuple(
        Tick(_pct(100 * value / most), _pct(100 - 100 * value / most), f"{value:g} %")
        for value in values
    )


def _dot(outcome: Outcome, most: float, *, has_range: bool) -> Dot:
    def place(size: int) -> float:
        return min(100.0, 100 * outcome.share_pct(size) / most)

    word = "in its range" if outcome.is_in_range else "outside its range"
    return Dot(
        x=_pct(place(outcome.predicted_bytes)),
        y=_pct(100 - place(outcome.actual_bytes)),
        range_x1=_pct(place(outcome.low_bytes)) if has_range else "",
        range_x2=_pct(place(outcome.high_bytes)) if has_range else "",
        basis=outcome.basis,
        title=f"{outcome.name}: predicted {outcome.share_pct(outcome.predicted_bytes):.0f} %,"
        f" came out at {outcome.share_pct(outcome.actual_bytes):.0f} % of the original, {word}"
        f" ({BASIS_WORDS[outcome.basis].lower()})",
        url=_job_url(outcome),
    )


def _job_url(outcome: Outcome) -> str:
    return reverse("transcode:job_detail", args=[outcome.job_id])


def _pct(value: float) -> str:
    return f"{value:.2f}%"
