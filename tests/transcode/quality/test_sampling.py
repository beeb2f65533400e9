"""Which parts of a film stand for the whole."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.transcode.quality.films import RATE, even, film
from transcode.quality.sampling import (
    MAX_TOTAL_S,
    WHOLE_BELOW_S,
    Costs,
    Sample,
    SamplePlan,
    choose_samples,
    spread_ranks,
)


def seconds(plan: SamplePlan) -> float:
    return plan.frames / RATE


def test_a_short_film_is_taken_as_a_whole() -> None:
    plan = choose_samples(film(even(WHOLE_BELOW_S - 1)))
    assert plan.is_whole
    assert plan.samples == (Sample(0, round((WHOLE_BELOW_S - 1) * RATE)),)


def test_a_film_without_pictures_has_no_samples() -> None:
    assert choose_samples(film([])).samples == ()


def test_ten_minutes_are_sampled_by_about_sixteen_seconds() -> None:
    plan = choose_samples(film(even(600)))
    assert not plan.is_whole
    assert 14 <= seconds(plan) <= 18


def test_three_hours_are_sampled_by_no_more_than_the_most() -> None:
    assert seconds(choose_samples(film(even(3 * 3600)))) <= MAX_TOTAL_S + 1


@pytest.mark.parametrize("length_s", [30, 61, 600, 5400])
def test_samples_never_overlap_and_lie_within_the_film(length_s: int) -> None:
    rng = random.Random(length_s)
    sizes = [rng.randrange(100, 9000) for _ in range(length_s * RATE)]
    plan = choose_samples(film(sizes, keys=sorted(rng.sample(range(len(sizes)), length_s // 4))))
    ends = 0
    for sample in plan.samples:
        assert sample.first >= ends
        ends = sample.first + sample.count
    assert ends <= len(sizes)


def test_every_part_of_the_film_is_seen() -> None:
    plan = choose_samples(film(even(600)))
    number, frames = len(plan.samples), 600 * RATE
    shares = [sample.first * number // frames for sample in plan.samples]
    assert shares == list(range(number))


def test_easy_and_hard_scenes_are_seen_in_their_shares() -> None:
    """A third of each two minutes needs ten times the bytes: so does about a third of the picks."""
    sizes = [10_000 if (n // (20 * RATE)) % 3 == 0 else 1000 for n in range(1200 * RATE)]
    keys = range(0, len(sizes), 5 * RATE)
    plan = choose_samples(film(sizes, keys=keys))
    hard = [s for s in plan.samples if Costs.of(film(sizes)).of_range(s.first, s.count) > 5000 * 50]
    assert 0.2 <= len(hard) / len(plan.samples) <= 0.5


def test_black_intro_and_credits_get_no_sample() -> None:
    sizes = even(30, 20) + even(530, 5000) + even(40, 15)
    plan = choose_samples(film(sizes))
    assert all(s.first >= 30 * RATE and s.first + s.count <= 560 * RATE for s in plan.samples)


def test_a_black_break_in_the_middle_gets_no_sample() -> None:
    sizes = even(200, 5000) + even(20, 15) + even(380, 5000)
    plan = choose_samples(film(sizes))
    assert all(s.first + s.count <= 200 * RATE or s.first >= 220 * RATE for s in plan.samples)
    assert {s.first < 200 * RATE for s in plan.samples} == {True, False}


@pytest.mark.parametrize(("seconds", "total_s"), [(1 / RATE, None), (4, 1.0)])
def test_what_is_too_short_for_samples_is_taken_whole(
    seconds: float, total_s: float | None
) -> None:
    plan = choose_samples(film(even(seconds)), total_s=total_s)
    assert plan == SamplePlan((Sample(0, round(seconds * RATE)),), is_whole=True)


def test_quiet_drawings_beside_wild_ones_are_a_part_of_the_film() -> None:
    sizes = even(180, 600) + even(420, 20_000)
    plan = choose_samples(film(sizes))
    assert sum(sample.weight for sample in plan.samples if sample.first < 180 * RATE) > 0.2


def test_a_film_that_is_mostly_still_is_sampled_all_over() -> None:
    sizes = even(400, 20) + even(200, 5000)
    plan = choose_samples(film(sizes))
    assert any(sample.first < 400 * RATE for sample in plan.samples)


def test_samples_begin_at_keyframes_where_these_are_near() -> None:
    keys = range(0, 600 * RATE, 2 * RATE)
    plan = choose_samples(film(even(600), keys=keys))
    assert all(sample.first % (2 * RATE) == 0 for sample in plan.samples)


def test_an_index_without_sizes_is_sampled_by_time_alone() -> None:
    index = replace(film(even(600)), video_sizes=array("q"))
    assert len(choose_samples(index).samples) == 8


def test_the_same_film_gives_the_same_samples() -> None:
    rng = random.Random(1)
    sizes = [rng.randrange(100, 9000) for _ in range(600 * RATE)]
    assert choose_samples(film(sizes)) == choose_samples(film(sizes))


def test_ranks_cover_zero_to_one_evenly_and_neighbours_differ() -> None:
    ranks = spread_ranks(8)
    assert sorted(ranks) == [(n + 0.5) / 8 for n in range(8)]
    assert min(abs(a - b) for a, b in pairwise(ranks)) >= 0.125
