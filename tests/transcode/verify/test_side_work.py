"""Work beside the rungs: taken in its turn, ended when nobody takes it."""

from __future__ import annotations

import threading

import pytest

from transcode.outcomes import JobCancelled
from transcode.verify.side_work import SideWork

LONG_S = 60


def test_work_is_done_once_beside_or_when_it_is_taken() -> None:
    side, done_by = SideWork(lambda: None), []

    def work() -> str:
        done_by.append(side.is_owner)
        return "read"

    side.begin("early", work)
    assert side.take("early", work) == "read"
    assert side.take("late", work) == "read"
    assert done_by == [False, True]


def test_what_goes_wrong_is_raised_where_the_result_is_taken() -> None:
    side = SideWork(lambda: None)

    def break_off() -> None:
        raise OSError(5, "Input/output error")

    side.begin("broken", break_off)
    with pytest.raises(OSError, match="Input/output"):
        side.take("broken", break_off)


def test_work_that_nobody_takes_is_ended() -> None:
    side, is_running, is_over = SideWork(lambda: None), threading.Event(), threading.Event()

    def work() -> None:
        try:
            while True:
                side.checkpoint()
                is_running.set()
        finally:
            is_over.set()

    side.begin("endless", work)
    assert is_running.wait(LONG_S)
    side.end()
    assert is_over.is_set()


def test_while_the_job_is_held_up_the_work_beside_stands_still() -> None:
    is_held, goes_on = threading.Event(), threading.Event()

    def hold_up() -> None:
        is_held.set()
        assert goes_on.wait(LONG_S)

    side = SideWork(hold_up)

    def work() -> bool:
        assert is_held.wait(LONG_S)
        side.checkpoint()
        return goes_on.is_set()

    side.begin("beside", work)
    threading.Timer(0.2, goes_on.set).start()
    side.checkpoint()
    assert side.take("beside", work)


def test_a_cancelled_job_does_not_wait_for_the_work_beside() -> None:
    def cancel() -> None:
        raise JobCancelled("cancelled", "Somebody asked for it.")

    side, is_over = SideWork(cancel), threading.Event()

    def work() -> None:
        try:
            while True:
                side.checkpoint()
        finally:
            is_over.set()

    side.begin("endless", work)
    with pytest.raises(JobCancelled):
        side.take("endless", work)
    side.end()
    assert is_over.is_set()
