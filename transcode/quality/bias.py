"""What is known of encoders before a film is seen: slopes, guesses, the bias of samples. Pure.

The bias is how much higher the samples score than the whole output at the same CRF: each begins
with a keyframe and shows no end of a long group. Measured by `benchmarks/quality.py` on the half of
its clips that is for tuning (360p, 30 s, x265 fast), with all samples encoded as one stream.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_USUAL_TARGET = 95.0
_CEILING = 100.5
_XPSNR_DB_PER_STEP = 3.0  # of XPSNR for each unit of VMAF's curve


@dataclass(frozen=True, slots=True)
class EncoderHabits:
    """`slope`: of `search.Metric` by step. `usual`: the CRF at VMAF 95 for 1080p films."""

    slope: float
    usual: float
    vmaf_bias: float
    xpsnr_bias: float = 0.0


_HABITS = {
    "libx264": EncoderHabits(0.150, 22.5, 0.0),
    "libx265": EncoderHabits(0.150, 23.0, 0.0),
    "libsvtav1": EncoderHabits(0.075, 32.0, 0.0),
}
_UNKNOWN = EncoderHabits(0.13, 25.0, 0.0)
# VMAF's 1080p model is stricter with fewer lines: they are looked at as if blown up.
_LINES_PENALTY = ((400, -2.0), (650, -1.0), (1300, 0.0), (10_000, 2.0))
# Halves of the range that no film needs: a search that ends there says that it cannot be reached.
_BEST_SHARE = 0.14


def habits(encoder: str, quality_range: tuple[float, float]) -> EncoderHabits:
    """By ffmpeg's name; ranges other than 1 to 51 stretch the slope and the guess."""
    known = _HABITS.get(encoder)
    if known is not None:
        return known
    low, high = quality_range
    stretch = (high - low) / 50
    return EncoderHabits(_UNKNOWN.slope / stretch, low + (_UNKNOWN.usual - 1) * stretch, 0.0)


def usual_quality(known: EncoderHabits, target: float, lines: int, metric: str) -> float:
    """The CRF to begin with where nothing was learned."""
    if metric == "xpsnr":
        return known.usual - (target - 40.0) / (known.slope * _XPSNR_DB_PER_STEP)
    shift = math.log(max(0.5, _CEILING - target) / (_CEILING - _USUAL_TARGET)) / known.slope
    stretch = 0.150 / known.slope
    penalty = next(value for limit, value in _LINES_PENALTY if lines <= limit)
    return known.usual + shift + penalty * stretch


def xpsnr_slope(known: EncoderHabits) -> float:
    """Decibels by step."""
    return known.slope * _XPSNR_DB_PER_STEP


def best_number(quality_range: tuple[float, float]) -> float:
    low, high = quality_range
    return low + round(_BEST_SHARE * (high - low))
