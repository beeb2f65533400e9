"""The consumer's thread: looks by itself, looks at once when woken, outlives a database."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError

from transcode.after_swap import worker
from transcode.after_swap.worker import OutboxWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 20


class Rounds:
    """Stands for the work; `wait_for(n)` until it was begun n times."""

    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None
        self._changed = threading.Condition()

    def __call__(self, _is_stopping: Callable[[], bool]) -> int:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
        if self.error is not None:
            raise self.error
        return 0

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, PATIENCE_S)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    made = Rounds()
    monkeypatch.setattr(worker, "work_on_due", made)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    return made


@pytest.fixture
def outbox_worker(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxWorker]:
    monkeypatch.setattr(worker, "LOOK_S", 1000.0)
    made = OutboxWorker()
    yield made
    made.stop()


def test_a_bell_makes_it_look_at_once(outbox_worker: OutboxWorker, rounds: Rounds) -> None:
    outbox_worker.start()
    assert rounds.wait_for(1)
    outbox_worker.wake()
    assert rounds.wait_for(2)


def test_it_looks_by_itself(
    outbox_worker: OutboxWorker, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOOK_S", 0.01)
    outbox_worker.start()
    assert rounds.wait_for(3)


def test_a_database_that_is_away_is_waited_for(
    outbox_worker: OutboxWorker, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOOK_S", 0.01)
    rounds.error = OperationalError("locked")
    outbox_worker.start()
    assert rounds.wait_for(2)
    rounds.error = None
    assert rounds.wait_for(4)


def test_a_fault_that_nobody_foresaw_does_not_end_it(
    outbox_worker: OutboxWorker,
    rounds: Rounds,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(worker, "LOOK_S", 0.01)
    rounds.error = RuntimeError("a handler's bug")
    outbox_worker.start()
    assert rounds.wait_for(3)
    assert "a fault in the outbox" in caplog.text
    assert "a handler's bug" in caplog.text


def test_after_a_fault_a_bell_does_not_cut_the_pause_short(
    outbox_worker: OutboxWorker, rounds: Rounds
) -> None:
    rounds.error = RuntimeError("a handler's bug")
    outbox_worker.start()
    assert rounds.wait_for(1)
    outbox_worker.wake()
    time.sleep(0.2)
    assert rounds.count == 1


def test_started_twice_it_is_one_thread_and_it_ends(
    outbox_worker: OutboxWorker, rounds: Rounds
) -> None:
    outbox_worker.start()
    first = outbox_worker._thread
    outbox_worker.start()
    assert outbox_worker._thread is first
    assert first is not None
    outbox_worker.stop()
    first.join(PATIENCE_S)
    assert not first.is_alive()
