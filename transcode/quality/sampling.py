"""Which parts of a film stand for the whole of it: spread over time and over complexity. Pure.

Each sample has a stratum of the film's time and, within it, a rank of complexity of its own (bytes
per picture of the source), so that easy and hard scenes are seen in their shares (Latin hypercube).
A sample begins at a keyframe where that is near: there a scene begins and decoding costs nothing.
Each piece of the film then counts with the sample that is most like it in time and complexity.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from transcode.planning.packet_index import PacketIndex

# Part of every cache key: raise it when the choice of samples or their encoding changes.
SAMPLING_VERSION = 3
WHOLE_BELOW_S = 24.0
SAMPLE_S = 2.0
# Of a long film; so that three probes stay under 15 % of an encode of ten minutes.
SAMPLED_SHARE = 0.027
MIN_TOTAL_S, MAX_TOTAL_S = 16.0, 24.0
# Pictures that need so much less than the film's median are black or credits; where there are
# more of them they are a part of the film (quiet drawings beside wild ones), measured like it.
EMPTY_SHARE = 0.05
MAX_EMPTY_SHARE = 0.15
_CANDIDATES_PER_STRATUM = 400
# A piece that needs so many times the bytes is as far away as one stratum of the film's time.
ALIKE_FACTOR = 1.5
CUT_INTERVAL_S = 2.0
EARLY_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Sample:
    """Pictures `[first, first + count)` of the source, in the order they are shown.

    `weight`: the share of the film that it stands for.
    """

    first: int
    count: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SamplePlan:
    samples: tuple[Sample, ...]
    is_whole: bool  # every picture of the film

    @property
    def frames(self) -> int:
        return sum(sample.count for sample in self.samples)


def choose_samples(index: PacketIndex, *, total_s: float | None = None) -> SamplePlan:
    """The samples of a film. `total_s` overrides how much of it is taken (for tests, benchmarks).

    A short film is taken as a whole.
    """
    frames = index.frames
    if frames == 0:
        return SamplePlan((), is_whole=True)
    duration_s = _duration_s(index.video_pts, index.time_base)
    wanted_s = total_s or _total_s(duration_s)
    is_short = duration_s <= (WHOLE_BELOW_S if total_s is None else 1.5 * wanted_s)
    if is_short or duration_s <= 0:
        return SamplePlan((Sample(0, frames),), is_whole=True)
    length = max(2, round(SAMPLE_S * frames / duration_s))
    number = max(3, round(wanted_s / SAMPLE_S))
    if number * length * 1.5 > frames:
        return SamplePlan((Sample(0, frames),), is_whole=True)
    return SamplePlan(_weighted(_stratified(index, number, length), index), is_whole=False)


def _total_s(duration_s: float) -> float:
    return min(MAX_TOTAL_S, max(MIN_TOTAL_S, SAMPLED_SHARE * duration_s))


def _duration_s(pts: Sequence[int], time_base: Fraction) -> float:
    if len(pts) < 2:
        return 0.0
    step = (pts[-1] - pts[0]) / (len(pts) - 1)
    return float((pts[-1] - pts[0] + step) * time_base)


def _stratified(index: PacketIndex, number: int, length: int) -> tuple[Sample, ...]:
    cost = Costs.of(index)
    floor = EMPTY_SHARE * cost.typical(length)
    ranges = _content_ranges(cost, floor, length)
    strata = _equal_shares(ranges, number, length)
    ranks = spread_ranks(number)
    chosen = []
    for stratum, rank in zip(strata, ranks, strict=True):
        starts = _starts(stratum, index, length)
        by_cost = sorted(starts, key=lambda first: (cost.of_range(first, length), first))
        chosen.append(by_cost[min(len(by_cost) - 1, int(rank * len(by_cost)))])
    return tuple(Sample(first, length) for first in sorted(set(chosen)))


def spread_ranks(number: int) -> tuple[float, ...]:
    """`number` shares, evenly spread over 0 to 1, neighbours far apart: .5, .25, .75, .125, …"""
    keys = [_reversed_bits(n + 1) for n in range(number)]
    order = sorted(range(number), key=keys.__getitem__)
    ranks = [0.0] * number
    for place, n in enumerate(order):
        ranks[n] = (place + 0.5) / number
    return tuple(ranks)


def _reversed_bits(number: int) -> float:
    """Van der Corput's sequence in base 2."""
    share, step = 0.0, 0.5
    while number:
        share += step * (number & 1)
        number >>= 1
        step /= 2
    return share


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes of the source up to each picture, as running sums; and the cuts that it tells of."""

    sums: tuple[int, ...]
    cuts: int = 0

    @classmethod
    def of(cls, index: PacketIndex) -> Costs:
        sizes = index.video_sizes if len(index.video_sizes) == index.frames else None
        sums = tuple(accumulate(sizes or [1] * index.frames, initial=0))
        return cls(sums, _count_cuts(index))

    @property
    def frames(self) -> int:
        return len(self.sums) - 1

    def of_range(self, first: int, count: int) -> int:
        return self.sums[min(self.frames, first + count)] - self.sums[first]

    def typical(self, length: int) -> float:
        """The median of all pieces of that length."""
        return median(self.of_range(f, length) for f in range(0, self.frames, length))


def _weighted(samples: tuple[Sample, ...], index: PacketIndex) -> tuple[Sample, ...]:
    nearest = most_alike(Costs.of(index), [sample.first for sample in samples], samples[0].count)
    counts = Counter(nearest)
    return tuple(
        replace(sample, weight=counts[n] / len(nearest)) for n, sample in enumerate(samples)
    )


def most_alike(costs: Costs, firsts: Sequence[int], length: int) -> list[int]:
    """For each piece of the film, `length` pictures long, the number of the sample most like it."""
    stratum = costs.frames / len(firsts)
    known = [(first / stratum, _log_cost(costs, first, length)) for first in firsts]
    nearest = []
    for first in range(0, costs.frames, length):
        place, cost = first / stratum, _log_cost(costs, first, length)
        distances = [(place - p) ** 2 + (cost - c) ** 2 for p, c in known]
        nearest.append(distances.index(min(distances)))
    return nearest


def _log_cost(costs: Costs, first: int, length: int) -> float:
    """Bytes by picture, in steps of ALIKE_FACTOR."""
    pictures = min(costs.frames, first + length) - first
    mean = costs.of_range(first, length) / max(1, pictures)
    return math.log(1.0 + mean) / math.log(ALIKE_FACTOR)


def _count_cuts(index: PacketIndex) -> int:
    """Keyframes that come before their time: there the source's encoder saw a cut.

    None where the longest distance is so short that it is no interval but the rhythm of a
    recording.
    """
    keys = index.video_keys
    distances = [after - before for before, after in pairwise(keys)]
    longest = max(distances, default=0)
    if longest * index.time_base < CUT_INTERVAL_S:
        return 0
    return sum(distance < EARLY_SHARE * longest for distance in distances)


def _content_ranges(cost: Costs, floor: float, length: int) -> list[tuple[int, int]]:
    """The film without black intros and credits, as ranges of pictures."""
    pieces = range(0, cost.frames, length)
    full = [f for f in pieces if cost.of_range(f, length) >= floor]
    if len(full) < (1 - MAX_EMPTY_SHARE) * len(pieces):
        return [(0, cost.frames)]
    ranges: list[tuple[int, int]] = []
    for first in full:
        end = min(cost.frames, first + length)
        if ranges and ranges[-1][1] == first:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((first, end))
    return ranges


def _equal_shares(
    ranges: list[tuple[int, int]], number: int, length: int
) -> list[list[tuple[int, int]]]:
    """The ranges dealt to `number` strata of equally many pictures, each with its own ranges."""
    total = sum(end - first for first, end in ranges)
    edges = [round(total * n / number) for n in range(number + 1)]
    strata: list[list[tuple[int, int]]] = [[] for _ in range(number)]
    passed = 0
    for first, end in ranges:
        for n in range(number):
            low = max(edges[n], passed) - passed + first
            high = min(edges[n + 1], passed + end - first) - passed + first
            if high > low:
                strata[n].append((low, high))
        passed += end - first
    assert all(strata)
    return strata


def _starts(stratum: list[tuple[int, int]], index: PacketIndex, length: int) -> list[int]:
    """Where a sample of this stratum may begin: keyframes, and steps of a sample after them."""
    last = index.frames - length
    starts: set[int] = set()
    for first, end in stratum:
        key_frames = _keys_within(index, first, end)
        edges = [*key_frames, end]
        for here, following in pairwise(edges):
            starts.update(range(here, max(here + 1, following - length + 1), length))
        if not key_frames or key_frames[0] - first >= length:
            starts.update(range(first, max(first + 1, end - length + 1), length))
    fitting = sorted(min(start, last) for start in starts)
    step = max(1, len(fitting) // _CANDIDATES_PER_STRATUM)
    return list(dict.fromkeys(_apart(fitting, stratum, length, last)))[::step]


def _apart(starts: list[int], stratum: list[tuple[int, int]], length: int, last: int) -> list[int]:
    """Only those that end within the stratum, so that samples never overlap, where there are."""
    end = stratum[-1][1]
    inside = [start for start in starts if start + length <= end]
    return inside or [max(0, min(last, stratum[0][0], end - length))]


def _keys_within(index: PacketIndex, first: int, end: int) -> list[int]:
    pts, keys = index.video_pts, index.video_keys
    low = bisect_left(keys, pts[first])
    high = bisect_left(keys, pts[end - 1] + 1)
    places = (bisect_left(pts, key) for key in keys[low:high])
    return [place for place in places if first <= place < end]
