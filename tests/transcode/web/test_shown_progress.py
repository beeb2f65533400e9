"""Figures of a running job as pages print them: no false 0 %, no jumping remaining time."""

from __future__ import annotations

import pytest

from transcode.models import JobPhase
from transcode.pages.shown_progress import SteadyEtas, phase_word, rounded_eta_s, shown_percent


@pytest.mark.parametrize(
    ("phase", "percent", "shown"),
    [
        ("encode", 0.0, 0.0),
        ("encode", None, None),
        ("verify", 0.0, None),
        ("verify", 0.4, None),
        ("verify", 38.0, 38.0),
        ("replace", None, None),
    ],
)
def test_only_encoding_starts_at_zero(
    phase: str, percent: float | None, shown: float | None
) -> None:
    assert shown_percent(phase, percent) == shown


def test_every_phase_has_a_word_and_an_unknown_one_too() -> None:
    assert phase_word("verify") == "verifying"
    assert {phase_word(phase) for phase in JobPhase.values if phase} == {
        "planning", "encoding", "assembling", "verifying", "replacing",
    }  # fmt: skip
    assert phase_word("") == phase_word("other") == "working"


@pytest.mark.parametrize(
    ("eta_s", "shown"), [(1.2, 5), (7.2, 5), (299, 300), (1_741, 1_740), (13_210, 13_200)]
)
def test_a_long_time_is_told_coarsely(eta_s: float, shown: float) -> None:
    assert rounded_eta_s(eta_s) == shown


class Etas:
    """The remaining times of one job by a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.etas = SteadyEtas(clock=lambda: self.now)

    def after(
        self, seconds: float, eta_s: float | None, percent: float = 50.0, phase: str = "encode"
    ) -> float | None:
        self.now += seconds
        return self.etas.shown(7, phase, percent, eta_s)


def test_below_five_per_cent_nobody_knows() -> None:
    job = Etas()
    assert job.after(0, 90_000, percent=4.9) is None
    assert job.after(2, 3_600, percent=5.0) == 3_600
    assert job.after(2, None, percent=6.0) is None


def test_a_jump_moves_the_figure_slowly_and_many_readers_do_not_hurry_it() -> None:
    alone, watched = Etas(), Etas()
    for job in (alone, watched):
        job.after(0, 1_200)
    once = alone.after(2, 3_600)
    for _ in range(19):
        watched.after(0.1, 3_600)
    often = watched.after(0.1, 3_600)
    assert once == often
    assert once is not None
    assert 1_200 <= once <= 1_500
    for _ in range(60):
        settled = alone.after(2, 3_600)
    assert settled is not None
    assert settled > 3_500


def test_it_goes_down_with_the_clock_while_the_estimate_agrees() -> None:
    job = Etas()
    job.after(0, 600)
    assert job.after(60, 540) == 540
    assert job.after(60, 480) == 480


def test_another_phase_and_a_long_absence_begin_anew() -> None:
    job = Etas()
    job.after(0, 3_600)
    assert job.after(1, 60, phase="verify") == 60
    assert job.after(3_600, 1_200, phase="verify") == 1_200
