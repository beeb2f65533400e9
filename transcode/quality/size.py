"""The size of a whole film's picture from its samples. Pure.

A sample begins with a keyframe that the film does not have there, so first pictures are counted
apart: the film gets as many of them as its keyframe interval and its cuts call for. Each piece of
the rest needs what the sample most like it needs, more or less as the source needs there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from transcode.encoders.options import KEYFRAME_INTERVAL_S
from transcode.quality.sampling import most_alike

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transcode.planning.packet_index import PacketIndex
    from transcode.quality.found import SampleScore
    from transcode.quality.sampling import Costs

# Student's t at 90 %: the range holds four of five films.
_T_90 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356)
_T_90_MANY = 1.31
# The spread between samples of one film, and what samples never show: tuned on one half of the
# clips of `benchmarks/quality.py`.
SPREAD_FACTOR = 1.2
LEAST_ERROR_SHARE = 0.05
WHOLE_ERROR_SHARE = 0.02
_MAX_ERROR_SHARE = 0.8
# What twice the bytes of the source mean for the output, within likeness.
SOURCE_EXPONENT = 0.8
_MOST_FACTOR = 4.0
# A start that needs so many times the other pictures of its sample shows something new. Tuned on
# the same half.
NEW_FACTOR = 8.0
# Of the logarithm of the bytes by step, against that of VMAF's curve: x265 halves in 6 of 51.
USUAL_FALL = 0.77
FAR_PROBES = 12.0


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Bytes of the picture: expected, and the range of four films in five."""

    expected: int
    low: int
    high: int


def expected_size(
    samples: Sequence[SampleScore], costs: Costs, frames_per_s: float, *, is_whole: bool
) -> SizeRange:
    """From one probe. `costs` are the source's bytes by picture."""
    if is_whole:
        whole = float(sum(s.start_bytes + s.rest_bytes for s in samples))
        return _ranged(whole, WHOLE_ERROR_SHARE * whole)
    assert len(samples) >= 3
    size = _by_likeness(samples, costs, frames_per_s)
    others = [
        _by_likeness([*samples[:n], *samples[n + 1 :]], costs, frames_per_s)
        for n in range(len(samples))
    ]
    error = _jackknife_error(others) * _t_value(len(samples))
    return _ranged(size, math.hypot(SPREAD_FACTOR * error, LEAST_ERROR_SHARE * size))


def _by_likeness(samples: Sequence[SampleScore], costs: Costs, frames_per_s: float) -> float:
    """Each piece of the film needs what the sample most like it needs, by the source's bytes."""
    length = samples[0].count
    outs = [_rest_each(sample) for sample in samples]
    sources = [costs.of_range(s.first, s.count) / s.count for s in samples]
    nearest = most_alike(costs, [sample.first for sample in samples], length)
    rest = 0.0
    for piece, n in enumerate(nearest):
        first = piece * length
        pictures = min(length, costs.frames - first)
        here = costs.of_range(first, length) / pictures
        factor = (here / sources[n]) ** SOURCE_EXPONENT if sources[n] and here else 1.0
        rest += pictures * outs[n] * min(_MOST_FACTOR, factor)
    starts = _keyframe_bytes(samples)
    rate = max(1.0, frames_per_s)
    seen = cuts_per_s(samples, frames_per_s)
    # Samples like to begin at cuts, so they hold fewer than the film.
    cuts = max(seen, costs.cuts * rate / costs.frames)
    share = (forced_keyframes_per_s(cuts) + cuts - seen) / rate
    return (1 - share) * rest + share * costs.frames * starts


def _keyframe_bytes(samples: Sequence[SampleScore]) -> float:
    """What a keyframe costs, from the samples that begin with something new.

    The next sample of a scene that hardly moves begins like any other picture (all of them are one
    stream): taken for a keyframe it made such films a third too small (measured).
    """
    new = [s.start_bytes for s in samples if s.start_bytes > NEW_FACTOR * _rest_each(s)]
    return fmean(new or [s.start_bytes for s in samples])


def _rest_each(sample: SampleScore) -> float:
    return sample.rest_bytes / max(1, sample.count - 1)


def _jackknife_error(others: Sequence[float]) -> float:
    """The standard error, by what the estimate would be without each of the samples."""
    mean, number = fmean(others), len(others)
    return math.sqrt((number - 1) / number * sum((other - mean) ** 2 for other in others))


def cuts_per_s(samples: Sequence[SampleScore], frames_per_s: float) -> float:
    """Cuts that the encoder found within the samples."""
    seconds = sum(sample.count - 1 for sample in samples) / max(1.0, frames_per_s)
    return sum(sample.keyframes for sample in samples) / seconds if seconds else 0.0


def forced_keyframes_per_s(cuts: float) -> float:
    """Keyframes of the interval, where cuts come at random and each begins a new interval."""
    if cuts <= 1e-6:
        return 1 / KEYFRAME_INTERVAL_S
    return cuts / -math.expm1(-cuts * KEYFRAME_INTERVAL_S) - cuts


def _t_value(samples: int) -> float:
    degrees = max(1, samples - 1)
    return _T_90[degrees - 1] if degrees <= len(_T_90) else _T_90_MANY


def _ranged(size: float, error: float) -> SizeRange:
    """As a factor on both sides, so that no range goes below nothing."""
    factor = 1 + min(_MAX_ERROR_SHARE, error / size) if size > 0 else 1.0
    return SizeRange(round(size), round(size / factor), round(size * factor))


def frames_per_second(index: PacketIndex) -> float:
    pts = index.video_pts
    if len(pts) < 2 or pts[-1] <= pts[0]:
        return 25.0
    return float((len(pts) - 1) / ((pts[-1] - pts[0]) * index.time_base))


def between(number: float, sizes: Mapping[float, SizeRange], slope: float) -> SizeRange:
    """At a number between, beside or on those that were probed: it falls by a factor each step."""
    ordered = sorted(sizes, key=lambda n: abs(n - number))
    nearest = ordered[0]
    if nearest == number:
        return sizes[nearest]
    fall = USUAL_FALL * slope
    others = [n for n in ordered[1:] if abs(n - nearest) <= FAR_PROBES]
    if others and sizes[nearest].expected and sizes[others[0]].expected:
        ratio = sizes[nearest].expected / sizes[others[0]].expected
        fall = min(3 * fall, max(0.3 * fall, math.log(ratio) / (others[0] - nearest)))
    factor = math.exp(-fall * (number - nearest))
    base = sizes[nearest]
    return SizeRange(*(round(value * factor) for value in (base.expected, base.low, base.high)))
