from __future__ import annotations

import pytest

from transcode.outcomes import JobSkipped
from transcode.prediction.early_stop import (
    EarlyStop,
    EncodeWatch,
    SourceEffort,
    watch_encode,
)

LIMIT = 1000
TOO_MUCH = 2000  # what the whole would be
LONG_S = 60.0


def run(stop: EarlyStop, whole: float, shares: list[float], elapsed_s: float = LONG_S) -> float:
    """The share at which it stopped an even film, or 2.0."""
    for share in shares:
        if stop.look(share, round(whole * share), elapsed_s):
            return share
    return 2.0


STEPS = [n / 100 for n in range(1, 100)]


def test_a_film_that_grows_too_large_is_stopped_soon_after_a_tenth() -> None:
    assert 0.10 < run(EarlyStop(LIMIT), TOO_MUCH, STEPS) <= 0.15


def test_a_film_that_fits_is_never_stopped() -> None:
    assert run(EarlyStop(LIMIT), 0.99 * LIMIT, STEPS) == 2.0


def test_a_little_too_much_is_seen_later_than_a_lot() -> None:
    slight = run(EarlyStop(LIMIT), 1.15 * LIMIT, STEPS)
    gross = run(EarlyStop(LIMIT), 4 * LIMIT, STEPS)
    assert gross < 0.2 < slight < 0.95


def test_nothing_is_stopped_before_a_tenth_or_half_a_minute() -> None:
    assert run(EarlyStop(LIMIT), 10 * LIMIT, [0.02, 0.05, 0.07, 0.09, 0.099]) == 2.0
    assert run(EarlyStop(LIMIT), 10 * LIMIT, STEPS, elapsed_s=29.0) == 2.0


def test_nothing_is_stopped_when_the_hours_are_spent() -> None:
    assert run(EarlyStop(LIMIT), 10 * LIMIT, [0.96, 0.97, 0.98, 0.99]) == 2.0


def test_one_bad_moment_stops_nothing() -> None:
    stop = EarlyStop(LIMIT)
    for share in (0.20, 0.22, 0.24, 0.26, 0.28, 0.30):
        assert stop.look(share, round(TOO_MUCH * share), LONG_S) is None or share > 0.22
        assert stop.look(share + 0.01, round(0.5 * LIMIT * (share + 0.01)), LONG_S) is None


def test_looks_without_progress_do_not_count() -> None:
    stop = EarlyStop(LIMIT)
    assert all(stop.look(0.3, 600, LONG_S) is None for _ in range(20))


def test_a_hard_beginning_is_weighed_by_what_the_source_needed_there() -> None:
    """Half of the source's bytes lie in its first fifth: so may half of the output's."""
    times = [n / 100 for n in range(101)]
    sizes = [100 if time < 0.2 else 25 for time in times]
    hard_start = SourceEffort(times, sizes)
    done = round(0.9 * LIMIT * 0.35)
    plain, weighed = EarlyStop(LIMIT), EarlyStop(LIMIT, effort=hard_start)
    assert plain.project(0.2, done).bytes > 1.4 * LIMIT
    assert weighed.project(0.2, done).bytes < LIMIT


def test_effort_is_a_share_that_grows_to_one() -> None:
    effort = SourceEffort([10.0, 11.0, 12.0, 13.0, 14.0], [10, 30, 20, 20, 20])
    shares = [effort.before(n / 10) for n in range(11)]
    assert shares == sorted(shares)
    assert (shares[0], shares[10]) == (0.0, 1.0)
    assert effort.between(0.1, 0.6) == pytest.approx(0.5)


@pytest.mark.parametrize("source", [((), ()), ((1.0,), (5,)), ((1.0, 2.0), (0, 0))])
def test_a_source_without_sizes_counts_by_time(
    source: tuple[tuple[float, ...], tuple[int, ...]],
) -> None:
    assert SourceEffort(*source).before(0.25) == 0.25


def test_copied_sound_that_is_joined_later_is_counted() -> None:
    projection = EarlyStop(LIMIT, rest_bytes=700).project(0.5, 200)
    assert projection.bytes == 1100
    assert 700 + 200 < projection.at_least < 1100


def test_a_stopped_encode_says_where_it_was_heading() -> None:
    watch = watch_encode(1000, 10)
    assert isinstance(watch, EncodeWatch)
    watch(None, 100, LONG_S)
    watch(0.5, None, LONG_S)
    with pytest.raises(JobSkipped) as caught:
        for share in STEPS:
            watch(share, round(TOO_MUCH * share), LONG_S)
    assert caught.value.reason_code == "not_worth_it"
    assert "100 % larger" in caught.value.reason
    assert "at least 10 % smaller" in caught.value.reason


def test_a_preset_that_allows_growth_is_held_to_that() -> None:
    watch = watch_encode(1000, -200)
    assert watch is not None
    assert watch.stop.limit_bytes == 3000


def test_a_copy_is_not_watched() -> None:
    assert watch_encode(1000, 10, is_encoded=False) is None
    assert watch_encode(0, 10) is None
