"""Scheduled tasks run once for all consumers; pulses say who lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from mediaflow.base import wake
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.heartbeat import Pulse, has_live_process
from mediaflow.base.models import Heartbeat, PeriodicRun
from mediaflow.base.periodic import PeriodicTask, registered_tasks, run_due_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_a_task_runs_once_in_each_of_its_slots() -> None:
    ran: list[int] = []
    task = PeriodicTask("sweep", 60, lambda: ran.append(1))
    for seconds in (0, 1, 59):
        run_due_tasks([task], NOW + timedelta(seconds=seconds))
    assert len(ran) == 1
    run_due_tasks([task], NOW + timedelta(seconds=60))
    assert len(ran) == 2


@pytest.mark.django_db
def test_a_consumer_that_lost_the_election_does_not_run_the_task() -> None:
    ran: list[int] = []
    task = PeriodicTask("sweep", 60, lambda: ran.append(1))
    run_due_tasks([task], NOW)
    with patch("mediaflow.base.periodic.PeriodicRun.objects.filter") as look:
        look.return_value.exists.return_value = False  # looked before the other one inserted
        assert run_due_tasks([task], NOW) == 0
    assert len(ran) == 1


@pytest.mark.django_db
def test_a_task_that_fails_is_logged_and_the_others_run(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    ran: list[int] = []
    tasks = [PeriodicTask("a", 60, fail), PeriodicTask("b", 60, lambda: ran.append(1))]
    assert run_due_tasks(tasks, NOW) == 2
    assert ran == [1]
    assert "broken" in caplog.text


@pytest.mark.django_db
def test_old_elections_are_forgotten() -> None:
    task = PeriodicTask("sweep", 60, lambda: None)
    run_due_tasks([task], NOW)
    run_due_tasks([task], NOW + timedelta(days=4))
    assert PeriodicRun.objects.count() == 1


def test_every_registered_task_has_a_name_of_its_own() -> None:
    names = [task.name for task in registered_tasks()]
    assert len(set(names)) == len(names)
    assert {"trash", "work_folders", "undo"} <= set(names)


@pytest.mark.django_db
def test_a_pulse_says_that_its_process_lives_until_it_ends() -> None:
    assert not has_live_process("consumer")
    pulse = Pulse("consumer")
    pulse.beat(jobs=1)
    pulse.beat(jobs=2)
    row = Heartbeat.objects.get()
    assert (row.counter, row.detail["jobs"]) == (1, 2)
    assert has_live_process("consumer")
    pulse.end()
    assert not has_live_process("consumer")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"seen_at": timezone.now() - timedelta(minutes=5)},
        {"name": "web:host:1"},
    ],
)
def test_an_old_pulse_or_another_kind_does_not_count(change: dict[str, object]) -> None:
    Pulse("consumer").beat()
    Heartbeat.objects.update(**change)
    assert not has_live_process("consumer")


@pytest.mark.django_db
def test_the_pulse_of_a_dead_process_does_not_count_and_goes_in_time() -> None:
    Pulse("consumer").beat()
    with patch("mediaflow.base.heartbeat.is_gone", return_value=True):
        assert not has_live_process("consumer")
    old = timezone.now() - timedelta(days=2)
    Heartbeat.objects.update(name="consumer:old:1", seen_at=old)
    Pulse("consumer").beat()
    assert Heartbeat.objects.count() == 1


def test_a_bell_that_does_not_ring_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ConnectionError("no broker")

    with patch.object(wake, "_ringers", [broken]):
        wake.ring()
    assert "could not be woken" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("locked"), InterfaceError("gone")])
def test_a_busy_database_is_tried_again_with_jitter(error: Exception) -> None:
    answers: Iterator[Exception | str] = iter([error, error, "done"])
    pauses: list[float] = []

    def action() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with patch("mediaflow.base.db_retry.connection") as connection:
        connection.in_atomic_block = False
        assert retry_on_busy(action, sleep=pauses.append) == "done"
    assert len(pauses) == 2
    assert 0.05 <= pauses[0] <= 0.15


@pytest.mark.parametrize("in_atomic_block", [True, False])
def test_patience_has_an_end_and_a_transaction_is_never_repeated_in_part(
    in_atomic_block: bool,
) -> None:
    clock = iter([0.0, 1.0, 50.0])
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        raise OperationalError("locked")

    with patch("mediaflow.base.db_retry.connection") as connection:
        connection.in_atomic_block = in_atomic_block
        with pytest.raises(OperationalError):
            retry_on_busy(action, sleep=lambda _s: None, monotonic=lambda: next(clock))
    assert len(calls) == (1 if in_atomic_block else 2)
