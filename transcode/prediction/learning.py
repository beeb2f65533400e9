"""What finished jobs teach about the next one. Pure: logarithms of ratios in, factors out.

Sizes err by factors, so everything here is a natural logarithm: ln(actual / said). A group of films
is believed as far as it is large; what is missing comes from the coarser group it belongs to, and
in the end from the rule of thumb (shrinkage).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Fewer jobs than this are no ground to say "learned from".
MIN_JOBS: Final = 3
# The coarser group counts as much as this many jobs of the finer one.
PRIOR_JOBS: Final = 4
# Eight of ten films lie within so many standard deviations.
Z_80: Final = 1.2816
# One freak film teaches no more than this (a factor of about seven).
MOST_LOG: Final = 2.0

# The correction of a source of predictions: from so many jobs on, and never beyond these factors.
MIN_JOBS_FOR_BIAS: Final = 5
MIN_JOBS_FOR_RANGE: Final = 10
BIAS_PRIOR_JOBS: Final = 8
RANGE_PRIOR_JOBS: Final = 10
MOST_BIAS: Final = {"sampled": math.log(1.25), "learned": math.log(1.25), "rule": math.log(1.6)}
LEAST_RANGE, MOST_RANGE = 0.5, 2.5


@dataclass(frozen=True, slots=True)
class Tally:
    """Jobs of one group, by ln(actual / rule of thumb)."""

    jobs: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, other: Tally) -> Tally:
        return Tally(self.jobs + other.jobs, self.total + other.total, self.squares + other.squares)

    def squares_about(self, value: float) -> float:
        return max(0.0, self.squares - 2 * value * self.total + self.jobs * value * value)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to make of the rule of thumb for one film."""

    log_factor: float
    log_spread: float  # one standard deviation of the next film
    jobs: int  # of the finest group that has enough of them
    depth: int  # how fine that group is: length of its key


class LearnedRatios:
    """All groups of all depths. Built from the finest ones, a row each."""

    def __init__(self, finest: Mapping[tuple[str | int, ...], Tally]) -> None:
        self._groups: dict[tuple[str | int, ...], Tally] = {}
        for key, tally in finest.items():
            for depth in range(1, len(key) + 1):
                part = key[:depth]
                self._groups[part] = self._groups.get(part, Tally()).plus(tally)

    def groups(self) -> Iterable[tuple[str | int, ...]]:
        """The keys of all groups of all depths."""
        return self._groups.keys()

    def lesson(
        self, levels: Sequence[tuple[str | int, ...]], *, rule_spread: float
    ) -> Lesson | None:
        """For a film in these groups, the coarsest first. None: too few jobs like it. A group by
        encoder alone is none that a film is like: it only steadies the finer ones."""
        mean, variance = 0.0, rule_spread * rule_spread
        jobs = depth = 0
        last = 0
        for level in levels:
            tally = self._groups.get(level)
            if tally is None:
                break
            weight = tally.jobs + PRIOR_JOBS
            mean = (tally.total + PRIOR_JOBS * mean) / weight
            variance = (tally.squares_about(mean) + PRIOR_JOBS * variance) / weight
            last = tally.jobs
            if tally.jobs >= MIN_JOBS and len(level) > 1:
                jobs, depth = tally.jobs, len(level)
        if not jobs:
            return None
        spread = math.sqrt(variance * (1 + 1 / (last + PRIOR_JOBS)))
        return Lesson(mean, spread, jobs, depth)


@dataclass(frozen=True, slots=True)
class PastPrediction:
    """One prediction that came true or not, with what its source said before any correction."""

    basis: str
    log_error: float  # ln(actual / said)
    log_half_range: float  # half the width of the range it gave, ln


@dataclass(frozen=True, slots=True)
class Correction:
    """What one source of predictions gets wrong as a habit."""

    log_bias: float = 0.0
    range_factor: float = 1.0
    jobs: int = 0


NO_CORRECTION: Final = Correction()


def corrections(past: Iterable[PastPrediction]) -> dict[str, Correction]:
    """By basis; clamped, and drawn towards "none" while there are few jobs."""
    by_basis: dict[str, list[PastPrediction]] = {}
    for item in past:
        by_basis.setdefault(item.basis, []).append(item)
    return {basis: _correction(basis, items) for basis, items in by_basis.items()}


def _correction(basis: str, items: list[PastPrediction]) -> Correction:
    jobs = len(items)
    most = MOST_BIAS.get(basis, math.log(1.25))
    bias = 0.0
    if jobs >= MIN_JOBS_FOR_BIAS:
        middle = quantile([item.log_error for item in items], 0.5)
        bias = _clamp(middle * jobs / (jobs + BIAS_PRIOR_JOBS), -most, most)
    factor = 1.0
    if jobs >= MIN_JOBS_FOR_RANGE:
        shares = [
            abs(item.log_error - bias) / item.log_half_range
            for item in items
            if item.log_half_range > 0
        ]
        if len(shares) >= MIN_JOBS_FOR_RANGE:
            needed = quantile(shares, 0.8)
            weight = len(shares) + RANGE_PRIOR_JOBS
            shrunk = (len(shares) * needed + RANGE_PRIOR_JOBS) / weight
            factor = _clamp(shrunk, LEAST_RANGE, MOST_RANGE)
    return Correction(bias, factor, jobs)


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between neighbours; at least one value."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
