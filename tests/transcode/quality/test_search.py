"""The search itself, on curves of VMAF."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from transcode.quality.search import (
    MAX_PROBES,
    Reached,
    Scale,
    Search,
    Unreachable,
    vmaf_metric,
    xpsnr_metric,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.quality.search import Metric

SCALE = Scale(8, 51, 0.5)


def curve(middle: float, steepness: float) -> Callable[[float], float]:
    """VMAF as x265 gives it: near 100 at the top, falling faster and faster."""

    def score(crf: float) -> float:
        return max(0.0, 100.5 - math.exp(math.log(5.5) + steepness * (crf - middle)))

    return score


def run(search: Search, score: Callable[[float], float]) -> Reached | Unreachable:
    while (number := search.next_number()) is not None:
        search.record(number, score(number))
        assert len(search.probes) <= MAX_PROBES
    return search.outcome()


def make(target: float = 95, guess: float = 23, scale: Scale = SCALE) -> Search:
    return Search(scale, vmaf_metric(0.155), target, guess)


def test_a_good_guess_needs_one_probe() -> None:
    search = make(guess=22.5)
    found = run(search, curve(23, 0.155))
    assert len(search.probes) == 1
    assert isinstance(found, Reached)
    assert 95 <= curve(23, 0.155)(found.number) <= 95.6


@pytest.mark.parametrize("middle", [14, 20, 27, 36, 44])
@pytest.mark.parametrize("steepness", [0.08, 0.155, 0.25])
@pytest.mark.parametrize("target", [85.0, 93.0, 97.0])
def test_any_film_is_met_within_a_few_probes(
    middle: float, steepness: float, target: float
) -> None:
    search, score = make(target), curve(middle, steepness)
    found = run(search, score)
    best, worst = score(SCALE.best), score(SCALE.worst)
    if best < target - 0.25:
        assert isinstance(found, Unreachable)
        return
    assert isinstance(found, Reached)
    assert len(search.probes) <= 5
    if worst >= target:
        assert found.number == SCALE.worst
        return
    one_step = abs(score(found.number) - score(found.number + SCALE.step))
    assert target - 0.3 <= score(found.number) <= target + 0.5 + one_step


def test_most_films_need_at_most_four_probes() -> None:
    rng = random.Random(7)
    counts = []
    for _ in range(200):
        search = make(rng.uniform(90, 97), guess=23)
        run(search, curve(rng.uniform(16, 32), rng.uniform(0.1, 0.22)))
        counts.append(len(search.probes))
    assert sum(count <= 4 for count in counts) >= 190
    assert sum(counts) / len(counts) < 3.2


def test_a_target_above_what_the_source_allows_is_unreachable_and_says_the_best() -> None:
    search = make(target=99)
    found = run(search, lambda crf: 97.4 - 0.1 * crf)
    assert isinstance(found, Unreachable)
    assert found.number == SCALE.best
    assert found.score == pytest.approx(96.6)


def test_a_film_that_never_gets_worse_ends_at_the_worst_number() -> None:
    found = run(make(), lambda _crf: 100.0)
    assert found == Reached(SCALE.worst, 100.0, is_probed=True)


def test_a_noisy_curve_still_ends() -> None:
    rng = random.Random(3)
    for _ in range(100):
        found = run(make(), _noisy(curve(rng.uniform(15, 35), 0.15), rng))
        assert isinstance(found, Reached)


def _noisy(score: Callable[[float], float], rng: random.Random) -> Callable[[float], float]:
    return lambda crf: score(crf) + rng.uniform(-0.4, 0.4)


def test_numbers_stay_on_the_steps_and_round_to_the_better_side() -> None:
    scale = Scale(10, 63, 1)
    assert scale.fit(30.99) == 30
    assert scale.fit(99) == 63
    assert scale.fit(1) == 10
    found = run(Search(scale, vmaf_metric(0.075), 95, 30), curve(33, 0.07))
    assert isinstance(found, Reached)
    assert found.number == int(found.number)


def test_xpsnr_is_searched_in_decibels() -> None:
    search = Search(SCALE, xpsnr_metric(0.4), 40.0, 24)
    found = run(search, lambda crf: 50 - 0.38 * crf)
    assert isinstance(found, Reached)
    assert 39.85 <= 50 - 0.38 * found.number <= 40.4


def test_a_search_ends_after_its_last_probe_with_what_is_known() -> None:
    """Probes of other targets, all far off: the best answer is a prediction."""
    search = make(target=90)
    search.probes.update({float(n): curve(30, 0.15)(n) for n in range(8, 8 + MAX_PROBES)})
    assert search.next_number() is None
    found = search.outcome()
    assert isinstance(found, Reached)
    assert not found.is_probed
    assert found.number > 8 + MAX_PROBES


@pytest.mark.parametrize("metric", [vmaf_metric(0.155), xpsnr_metric(0.4)], ids=["vmaf", "xpsnr"])
def test_whatever_was_probed_before_the_answer_is_not_known_to_miss_the_target(
    metric: Metric,
) -> None:
    rng = random.Random(11)
    for _ in range(2000):
        target = 95.0 if metric.name == "vmaf" else 40.0
        numbers = {SCALE.fit(rng.uniform(8, 51)) for _ in range(rng.randint(1, MAX_PROBES))}
        search = Search(SCALE, metric, target, 23)
        search.probes = {n: target + rng.choice((0.5, 5)) * rng.uniform(-1, 1) for n in numbers}
        found = search.outcome()
        fine = target - metric.tolerance
        assert isinstance(found, Unreachable) or found.score >= fine or found.number == SCALE.best


def test_probes_known_from_before_are_used_and_cost_nothing() -> None:
    score = curve(24, 0.15)
    search = make()
    search.probes.update({22.0: score(22), 26.0: score(26)})
    assert search.next_number() is None
    assert isinstance(search.outcome(), Reached)


def test_a_number_outside_the_scale_is_not_recorded() -> None:
    with pytest.raises(AssertionError):
        make().record(52, 90)
