"""Finds the quality number of an encoder that reaches a target with few probes. Pure.

As in ab-av1, a lower number is always the better picture, and numbers lie on the encoder's steps.
Between probes the score is interpolated on a curve (what is lost grows by a constant factor with
each step of CRF); with one probe the encoder's usual slope is taken. A probe is only spent where
the prediction is not sure enough. CRF does not map onto VMAF that evenly, but it beats bisection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MAX_PROBES = 7
# How wrong a prediction may be, as a share of its distance in score from the nearest probe.
_ERROR_ONE_PROBE = 0.45  # the slope is the encoder's usual one
_ERROR_ONE_SIDE = 0.2  # the film's own slope, but beyond its probes
_ERROR_BETWEEN = 0.1
_ERROR_FAR_BETWEEN = 0.25
_NEAR_GAP = 20.0  # times the tolerance: five points of VMAF
_SLOPE_LIMITS = 0.3, 3.0  # of the usual one: scores of samples are noisy where they hardly differ
# VMAF of a perfect copy is 97 to 100: what is lost is counted from a little above.
_CEILING = 100.5


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers that may be tried, both ends included; lower is better."""

    best: float
    worst: float
    step: float

    def fit(self, number: float) -> float:
        """On a step, rounded to the better side."""
        steps = math.floor((min(self.worst, max(self.best, number)) - self.best) / self.step + 1e-6)
        return round(self.best + steps * self.step, 4)


@dataclass(frozen=True, slots=True)
class Metric:
    """`slope`: of the curve, by one of the encoder's numbers; above 0."""

    name: str  # vmaf, xpsnr
    slope: float
    tolerance: float  # a prediction that is at most so wrong needs no probe
    margin: float  # what is aimed at above the target

    def loss(self, score: float) -> float:
        """Grows evenly with the encoder's number."""
        if self.name == "vmaf":
            return math.log(max(0.05, _CEILING - score))
        return -score

    def score(self, loss: float) -> float:
        return _CEILING - math.exp(loss) if self.name == "vmaf" else -loss


def vmaf_metric(slope: float) -> Metric:
    return Metric("vmaf", slope, tolerance=0.25, margin=0.1)


def xpsnr_metric(slope: float) -> Metric:
    return Metric("xpsnr", slope, tolerance=0.1, margin=0.03)


@dataclass(frozen=True, slots=True)
class Reached:
    number: float
    score: float  # predicted, or measured where that number was probed
    is_probed: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Even the best number does not do."""

    number: float
    score: float


@dataclass(slots=True)
class Search:
    """Ask `next_number`, probe it, `record` it; None ends it, and `outcome` says how."""

    scale: Scale
    metric: Metric
    target: float
    guess: float
    probes: dict[float, float] = field(default_factory=dict)

    def next_number(self) -> float | None:
        """What to probe now; None: it is known well enough."""
        if not self.probes:
            return self.scale.fit(self.guess)
        wanted = self.scale.fit(self._solve())
        # A wanted number that was probed does, or nothing better is left.
        if wanted in self.probes or len(self.probes) >= MAX_PROBES:
            return None
        if wanted in (self.scale.best, self.scale.fit(self.scale.worst)):
            return wanted  # what lies at an end is seen, never supposed
        return wanted if self._error_at(wanted) > self.metric.tolerance else None

    def record(self, number: float, score: float) -> None:
        assert self.scale.best <= number <= self.scale.worst
        assert number not in self.probes
        self.probes[number] = score

    def outcome(self) -> Reached | Unreachable:
        assert self.probes
        number = self._answer()
        if number in self.probes:
            score = self.probes[number]
            if number == self.scale.best and score < self.target - self.metric.tolerance:
                return Unreachable(number, score)
            return Reached(number, score, is_probed=True)
        return Reached(number, self.predict(number), is_probed=False)

    def predict(self, number: float) -> float:
        """The score at a number: through the two nearest probes, or one and the usual slope."""
        low, high = self._around(number)
        slope = self._slope(low, high)
        anchor = min((low, high), key=lambda probe: abs(probe - number))
        loss = self.metric.loss(self.probes[anchor]) + slope * (number - anchor)
        if low != high and low < number < high:  # between: exactly through both
            share = (number - low) / (high - low)
            losses = self.metric.loss(self.probes[low]), self.metric.loss(self.probes[high])
            loss = losses[0] + share * (losses[1] - losses[0])
        return self.metric.score(loss)

    def _solve(self) -> float:
        """The number whose predicted score is the target and its margin."""
        wanted = self.target + self.metric.margin
        good = [n for n, score in self.probes.items() if score >= wanted]
        bad = [n for n, score in self.probes.items() if score < wanted]
        low = max((n for n in good if not bad or n < max(bad)), default=None)
        high = min((n for n in bad if low is None or n > low), default=None)
        if low is not None and high is not None:
            low_loss, high_loss = (self.metric.loss(self.probes[n]) for n in (low, high))
            share = (self.metric.loss(wanted) - low_loss) / max(1e-9, high_loss - low_loss)
            return low + min(1.0, max(0.0, share)) * (high - low)
        nearest = low if low is not None else high
        assert nearest is not None
        slope = self._slope(*self._around(nearest))
        return nearest + (self.metric.loss(wanted) - self.metric.loss(self.probes[nearest])) / slope

    def _around(self, number: float) -> tuple[float, float]:
        """The probes on both sides, or the two nearest on one; the same twice if there is one."""
        ordered = sorted(self.probes)
        below = [n for n in ordered if n <= number]
        above = [n for n in ordered if n > number]
        if below and above:
            return below[-1], above[0]
        two = below[-2:] or above[:2]
        return two[0], two[-1]

    def _slope(self, low: float, high: float) -> float:
        usual = self.metric.slope
        if low == high:
            return usual
        rise = self.metric.loss(self.probes[high]) - self.metric.loss(self.probes[low])
        least, most = _SLOPE_LIMITS
        return min(most * usual, max(least * usual, rise / (high - low)))

    def _error_at(self, number: float) -> float:
        predicted = self.predict(number)
        distance = min(abs(predicted - score) for score in self.probes.values())
        if len(self.probes) == 1:
            return _ERROR_ONE_PROBE * distance
        low, high = self._around(number)
        if low < number < high:
            gap = abs(self.probes[low] - self.probes[high])
            is_near = gap <= _NEAR_GAP * self.metric.tolerance
            return (_ERROR_BETWEEN if is_near else _ERROR_FAR_BETWEEN) * distance
        reach = min(abs(number - low), abs(number - high)) / max(self.scale.step, high - low)
        return _ERROR_ONE_SIDE * distance * max(1.0, reach)

    def _answer(self) -> float:
        """The largest number that is known or predicted to reach the target."""
        wanted = self.scale.fit(self._solve())
        known = [n for n, s in self.probes.items() if n >= wanted and s >= self.target]
        return max(known, default=wanted)
