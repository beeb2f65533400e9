"""The size of the whole from its samples."""

from __future__ import annotations

import random

import pytest

from tests.transcode.quality.films import RATE, even, film
from transcode.quality.found import SampleScore
from transcode.quality.sampling import Costs, choose_samples
from transcode.quality.size import (
    SizeRange,
    between,
    cuts_per_s,
    expected_size,
    forced_keyframes_per_s,
    frames_per_second,
)


def sample(
    first: int, rest: int, *, start: int = 20_000, count: int = 50, keyframes: int = 0
) -> SampleScore:
    return SampleScore(first, count, 95.0, 92.0, start, rest, keyframes)


def test_a_film_that_was_encoded_whole_needs_what_it_needs() -> None:
    size = expected_size(
        [sample(0, 700_000, count=500)], Costs.of(film(even(20))), 25, is_whole=True
    )
    assert size.expected == 720_000
    assert size.low < size.expected < size.high


def test_the_keyframe_at_the_start_of_each_sample_does_not_inflate_the_film() -> None:
    samples = [sample(n * 1500, 49 * 1000) for n in range(8)]
    size = expected_size(samples, Costs.of(film(even(600))), 25, is_whole=False)
    by_average = 600 * RATE * (20_000 + 49_000) / 50
    per_interval = 600 * RATE * 1000 + 60 * 19_000  # one keyframe each ten seconds
    assert size.expected == pytest.approx(per_interval, rel=0.01)
    assert size.expected < 0.9 * by_average


def test_samples_that_go_on_with_the_scene_before_say_nothing_of_keyframes() -> None:
    """A scene that hardly moves: only the first of its samples begins with something new."""
    samples = [sample(n * 1500, 49 * 100, start=120) for n in range(8)]
    samples[0] = sample(0, 49 * 100, start=20_000)
    size = expected_size(samples, Costs.of(film(even(600))), 25, is_whole=False)
    assert size.expected == pytest.approx(600 * RATE * 100 + 60 * 19_900, rel=0.01)


def test_scenes_that_were_not_sampled_count_by_what_the_source_needs_there() -> None:
    """Samples see the easy half only; the hard half takes three times as much in both codecs."""
    sizes = even(300, 2000) + even(300, 6000)
    samples = [sample(n * 900, 49 * 1000) for n in range(8)]
    assert samples[-1].first < 300 * RATE
    size = expected_size(samples, Costs.of(film(sizes)), 25, is_whole=False)
    assert size.expected > 1.6 * 600 * RATE * 1000


def test_a_scene_counts_as_often_as_the_film_has_scenes_like_it() -> None:
    """One sample of six fell into a storm that is a hundredth of the film."""
    sizes = even(300, 2000) + even(6, 40_000) + even(294, 2000)
    samples = [sample(n * 2500, 49_000) for n in range(6)]
    samples[3] = sample(300 * RATE, 49 * 20_000)
    size = expected_size(samples, Costs.of(film(sizes)), 25, is_whole=False)
    actual = (594 * 1000 + 6 * 20_000) * RATE
    assert size.expected == pytest.approx(actual, rel=0.1)


def test_samples_that_differ_more_give_a_wider_range() -> None:
    def width(spread: int) -> float:
        rng = random.Random(5)
        samples = [sample(n * 1500, 49_000 + rng.randrange(-spread, spread)) for n in range(8)]
        size = expected_size(samples, Costs.of(film(even(600))), 25, is_whole=False)
        return (size.high - size.low) / size.expected

    assert width(20_000) > 1.5 * width(100)


def test_the_range_holds_four_of_five_films() -> None:
    """Films whose scenes need random shares of what the source needs."""
    inside = 0
    for seed in range(100):
        rng = random.Random(seed)
        sizes, outs = [], []
        for _scene in range(150):
            size, share = rng.lognormvariate(8, 0.6), rng.lognormvariate(-1, 0.35)
            sizes += [round(size)] * 100
            outs += [size * share] * 100
        index = film(sizes, keys=range(0, len(sizes), 100))
        samples = [
            sample(s.first, round(sum(outs[s.first + 1 : s.first + s.count])), start=0)
            for s in choose_samples(index).samples
        ]
        found = expected_size(samples, Costs.of(index), 25, is_whole=False)
        inside += found.low <= sum(outs) <= found.high
    assert inside >= 75


def test_cuts_begin_new_intervals_so_fewer_keyframes_are_forced() -> None:
    assert forced_keyframes_per_s(0.0) == pytest.approx(0.1)
    assert forced_keyframes_per_s(0.25) < 0.03
    assert cuts_per_s([sample(0, 1, count=51, keyframes=1)], 25) == pytest.approx(0.5)


def test_between_two_probes_bytes_fall_by_a_factor() -> None:
    sizes = {20.0: SizeRange(4000, 3000, 5000), 26.0: SizeRange(2000, 1500, 2500)}
    assert between(23.0, sizes, 0.15).expected == pytest.approx(2828, rel=0.01)
    assert between(20.0, sizes, 0.15) == sizes[20.0]


def test_beside_one_probe_bytes_halve_in_about_six_steps_of_x265() -> None:
    found = between(26.0, {20.0: SizeRange(4000, 3000, 5000)}, 0.15)
    assert found.expected == pytest.approx(2000, rel=0.05)


def test_cuts_that_the_source_tells_of_are_keyframes_of_the_output_too() -> None:
    """Samples begin at cuts and so hold none of them."""
    keys = [n * 100 for n in range(150) if n % 3]  # at 4 and 8 s of each 12
    sizes, samples = even(600), [sample(n * 1500, 49_000) for n in range(8)]
    calm = expected_size(samples, Costs.of(film(sizes)), 25, is_whole=False)
    cut = expected_size(samples, Costs.of(film(sizes, keys=keys)), 25, is_whole=False)
    assert Costs.of(film(sizes)).cuts == 0
    assert Costs.of(film(sizes, keys=keys)).cuts == 50
    assert cut.expected > calm.expected


def test_one_picture_has_the_usual_rate() -> None:
    assert frames_per_second(film([500])) == 25.0
    assert frames_per_second(film(even(4))) == pytest.approx(25.0)


def test_the_rhythm_of_a_recording_is_no_row_of_cuts() -> None:
    keys = [n * 12 + n % 2 for n in range(1000)]
    assert Costs.of(film(even(600), keys=keys)).cuts == 0
