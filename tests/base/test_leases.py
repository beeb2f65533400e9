"""Leases end by the reaper's own monotonic clock, never by a wall clock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from django.db import OperationalError

from mediaflow.base.leases import (
    LEASE_S,
    BeatTimer,
    LeasedRows,
    ParentWatch,
    ProcessIdentity,
    Reaper,
    Sweeper,
    is_gone,
    new_token,
    own_identity,
)
from tests.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reaper(clock: Clock) -> Reaper:
    return Reaper(monotonic=clock, is_owner_gone=lambda _owner: False)


def row(counter: int, token: str = "t", owner: str = "o") -> tuple[int, str, str, int]:
    return (17, owner, token, counter)


def test_a_lease_whose_counter_stands_still_for_the_lease_time_has_ended(
    reaper: Reaper, clock: Clock
) -> None:
    assert reaper.observe([row(1)]) == []
    clock.now += LEASE_S / 2
    assert reaper.observe([row(1)]) == []
    clock.now += LEASE_S / 2
    assert reaper.observe([row(1)]) == [17]


def test_a_counter_that_moves_keeps_the_lease(reaper: Reaper, clock: Clock) -> None:
    for counter in range(20):
        assert reaper.observe([row(counter)]) == []
        clock.now += LEASE_S - 1


def test_one_long_pause_of_the_reaper_itself_ends_no_lease(reaper: Reaper, clock: Clock) -> None:
    reaper.observe([row(1)])
    clock.now += 10 * LEASE_S  # the reaper was stopped: one pass cannot tell
    assert reaper.observe([row(1)]) == []
    assert reaper.observe([row(2)]) == []  # and the holder beats again


def test_a_new_token_or_a_row_that_was_away_is_watched_anew(reaper: Reaper, clock: Clock) -> None:
    for _ in range(2):
        reaper.observe([row(1)])
        clock.now += LEASE_S
    assert reaper.observe([row(1, token="other")]) == []
    reaper.observe([])
    clock.now += LEASE_S
    assert reaper.observe([row(1, token="other")]) == []


@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0])
def test_a_jump_of_the_wall_clock_ends_no_lease(clock: Clock, jump_s: float) -> None:
    import time

    reaper = Reaper(monotonic=clock, is_owner_gone=lambda _owner: False)
    wall = time.time()
    for counter in range(5):
        with patch("time.time", lambda moved=wall + counter * jump_s: moved):
            assert reaper.observe([row(counter // 2)]) == []
        clock.now += 3


def test_an_owner_that_is_known_to_be_gone_loses_its_lease_at_once(clock: Clock) -> None:
    reaper = Reaper(monotonic=clock, is_owner_gone=lambda owner: owner == "dead")
    assert reaper.observe([row(1, owner="dead"), (18, "alive", "t", 1)]) == [17]


def test_the_own_process_is_not_gone() -> None:
    identity = ProcessIdentity.parse(own_identity())
    assert identity is not None
    assert identity.pid == os.getpid()
    assert not is_gone(own_identity())


def test_a_process_that_has_ended_is_gone_even_as_a_zombie() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from mediaflow.base.leases import own_identity; print(own_identity(), flush=True);"
            " input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin and child.stdout
    owner = child.stdout.readline().strip()
    assert not is_gone(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie: dead, not collected
    assert is_gone(owner)
    child.communicate()
    assert is_gone(owner)


@pytest.mark.parametrize(
    "change",
    [
        {"host": "another"},
        {"boot_id": "another"},
        {"boot_id": "unknown"},
        {"pid_namespace": "pid:[1]"},
        {"start_ticks": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_of_a_process_elsewhere_nothing_is_known(change: dict[str, Any]) -> None:
    identity = ProcessIdentity.parse(own_identity())
    assert identity is not None
    values = {name: getattr(identity, name) for name in identity.__slots__}
    values["pid"] = 2**22 + 1  # beyond what a kernel gives out
    assert is_gone(str(ProcessIdentity(**values)))
    assert not is_gone(str(ProcessIdentity(**(values | change))))


def test_a_recycled_process_number_is_not_the_old_process() -> None:
    identity = ProcessIdentity.parse(own_identity())
    assert identity is not None
    values = {name: getattr(identity, name) for name in identity.__slots__}
    assert is_gone(str(ProcessIdentity(**(values | {"start_ticks": identity.start_ticks - 1}))))


@pytest.mark.parametrize("text", ["", "host", "a/b/c/x/1", "a/b/c/1"])
def test_an_owner_that_makes_no_sense_is_not_called_gone(text: str) -> None:
    assert not is_gone(text)


def test_tokens_are_random() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32


def make_timer(clock: Clock, results: Iterator[Any]) -> BeatTimer:
    def beat() -> bool:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return bool(result)

    return BeatTimer(beat, errors=(OperationalError,), monotonic=clock)


def test_beats_come_every_15_seconds(clock: Clock) -> None:
    beats = iter([True, True])
    timer = make_timer(clock, beats)
    for _ in range(44):
        clock.now += 1
        timer.tick()
    assert next(beats, "all used") == "all used"
    assert not timer.is_lost


def test_a_row_that_is_not_ours_any_more_is_lost_at_once(clock: Clock) -> None:
    timer = make_timer(clock, iter([False]))
    clock.now += 15
    timer.tick()
    assert timer.is_lost


def test_while_the_database_is_away_work_goes_on_until_shortly_before_the_end(
    clock: Clock,
) -> None:
    timer = make_timer(clock, iter([OperationalError("locked")] * 100))
    lost_after = 0
    while not timer.is_lost:
        clock.now += 1
        lost_after += 1
        timer.tick()
    assert LEASE_S - 11 <= lost_after < LEASE_S - 8


def test_a_database_that_comes_back_in_time_keeps_the_lease(clock: Clock) -> None:
    timer = make_timer(clock, iter([OperationalError("locked")] * 10 + [True] * 10))
    for _ in range(120):
        clock.now += 1
        timer.tick()
    assert not timer.is_lost


def test_the_sweeper_takes_over_what_has_ended_and_names_it() -> None:
    taken: list[tuple[int, str]] = []

    def take_over(key: int, token: str) -> bool:
        taken.append((key, token))
        return key != 2  # somebody else was faster with 2

    rows = [(1, "dead", "t1", 0), (2, "dead", "t2", 0), (3, "alive", "t3", 0)]
    kind = LeasedRows("job", lambda: rows, take_over)
    sweeper = Sweeper([kind], lambda: Reaper(is_owner_gone=lambda owner: owner == "dead"))
    assert sweeper.sweep() == ["job 1"]
    assert taken == [(1, "t1"), (2, "t2")]


def test_the_end_of_the_parent_is_noticed() -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    ParentWatch(reading, ended.set).start()
    os.write(writing, b"not the end\n")
    assert not ended.is_set()
    os.close(writing)
    assert ended.wait(timeout=120)
    os.close(reading)


def test_a_pipe_that_cannot_be_read_counts_as_the_end() -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    ParentWatch(writing, ended.set).start()  # its writing end cannot be read
    assert ended.wait(timeout=120)
    os.close(reading)
    os.close(writing)


def test_without_a_pipe_nothing_is_watched() -> None:
    ended = threading.Event()
    ParentWatch(None, ended.set).start()
    assert not ended.is_set()
