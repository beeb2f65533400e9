"""Is a film's frame rate constant? Spacing of presentation times decides, not headers. Pure.

The average in a header can lie on short or variable films (27.52 for a 30 per second clip).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from library.media_info import TimingKind

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_FRAMES = 8
_ROUNDING_TICKS = 1  # 1/1000 s of Matroska against 1001/24000: spacing alternates by one tick
_TOLERANCE = Fraction(3, 100)


def judge_timing(
    pts: Sequence[int], *, is_whole: bool = True, complete_to: int | None = None
) -> tuple[TimingKind, Fraction]:
    """Kind and mean spacing in ticks of sorted presentation times; 0 spacing when unknown.

    `is_whole` False: the last few times may still lack frames that come later in decode order, so
    they are left out, and so is what lies behind `complete_to`: the decode time of the last packet,
    before which nothing is missing.
    """
    times = sorted(set(pts))
    if not is_whole:
        times = [t for t in times[:-4] if complete_to is None or t <= complete_to]
    if len(times) < MIN_FRAMES:
        return TimingKind.UNKNOWN, Fraction(0)
    steps = [later - earlier for earlier, later in pairwise(times)]
    usual = sorted(steps)[len(steps) // 2]
    allowed = max(Fraction(_ROUNDING_TICKS), usual * _TOLERANCE)
    is_even = all(abs(step - usual) <= allowed for step in steps)
    kind = TimingKind.CONSTANT if is_even else TimingKind.VARIABLE
    return kind, Fraction(times[-1] - times[0], len(steps))


def pick_frame_rate(spacing_s: Fraction, candidates: Sequence[Fraction | None]) -> Fraction | None:
    """Of the rates that the container names, the one next to the measured spacing (within 2 %)."""
    rates = [rate for rate in candidates if rate and rate > 0]
    if spacing_s <= 0:
        return rates[0] if rates else None
    measured = 1 / spacing_s
    near = [rate for rate in rates if abs(rate - measured) <= measured / 50]
    if near:
        return min(near, key=lambda rate: abs(rate - measured))
    return measured.limit_denominator(1001)
