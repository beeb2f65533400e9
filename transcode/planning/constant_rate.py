"""Making a variable frame rate constant: which rate, and how many pictures that gives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

    from transcode.planning.packet_index import PacketIndex

_STANDARD_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (12, 1),
        (15, 1),
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
        (100, 1),
        (120000, 1001),
        (120, 1),
    )
)
FRAME_TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class ConstantRate:
    rate: Fraction
    expected_frames: int

    @property
    def filter(self) -> str:
        return f"fps=fps={self.rate.numerator}/{self.rate.denominator}"


def constant_rate(index: PacketIndex, known_rate: Fraction, duration_s: float) -> ConstantRate:
    """The standard rate nearest to the film's usual spacing.

    Not to its average: a phone's 30 pictures a second with gaps have an average near 25, and at 25
    every sixth picture would be thrown away.
    """
    # A dry run knows no packets; what stands in for them has no keyframes.
    usual = _usual_rate(index.video_pts, index.time_base) if index.video_keys else None
    usual = usual or known_rate
    rate = min(_STANDARD_RATES, key=lambda r: abs(r / usual - 1))
    length = Fraction(duration_s).limit_denominator(1_000_000)
    return ConstantRate(rate, max(1, round(length * rate)))


def _usual_rate(pts: array[int], time_base: Fraction) -> Fraction | None:
    """One over the median distance; containers round to their ticks, so neighbours are averaged."""
    if len(pts) < 4:
        return None
    gaps = sorted(b - a for a, b in pairwise(pts) if b > a)
    if not gaps:
        return None
    median = gaps[len(gaps) // 2]
    # 33 and 34 ms are both 29.97: the mean of what lies within a tick of the median is exact.
    near = [g for g in gaps if abs(g - median) <= 1]
    spacing = Fraction(sum(near), len(near)) * time_base
    return 1 / spacing if spacing > 0 else None
