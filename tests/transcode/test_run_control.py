"""What comes to an attempt from outside: orders, pauses, hours, a lost lease, its own timer."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from threading import Event, Semaphore, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from transcode.models import (
    Job,
    JobPhase,
)
from transcode.outcomes import (
    JobCancelled,
    JobFailed,
    JobHandedBack,
    LeaseLost,
)
from transcode.queue import job_queue
from transcode.running.context import PhaseProgress
from transcode.running.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture
def control(running: tuple[Job, str]) -> Iterator[RunControl]:
    job, token = running
    control = RunControl(job.pk, token)
    yield control
    control.stop()  # nothing of this process stays frozen


def test_orders_are_seen_at_the_next_tick(control: RunControl) -> None:
    control.tick()
    control.checkpoint()
    Job.objects.update(cancel_requested_at=timezone.now())
    control.tick()
    with pytest.raises(JobCancelled):
        control.checkpoint()


def test_a_pause_counts_only_once_recovery_is_over(control: RunControl) -> None:
    Job.objects.update(is_paused=True)
    control.tick()
    control.checkpoint()
    control.follow_pause()
    control.tick()
    waiting = Thread(target=control.checkpoint)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()  # it stands still
    Job.objects.update(is_paused=False)
    control.tick()
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_paused_job_can_be_cancelled_and_handed_back(control: RunControl) -> None:
    control.follow_pause()
    Job.objects.update(is_paused=True)
    control.tick()
    control.request_hand_back("Stopped.")
    with pytest.raises(JobHandedBack, match="Stopped"):
        control.checkpoint()
    Job.objects.update(cancel_requested_at=timezone.now())
    control.tick()
    with pytest.raises(JobCancelled):
        control.checkpoint()


def test_every_slot_in_use_is_beaten_with_the_job_also_while_it_is_paused(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten: list[int] = []
    slots = [
        SimpleNamespace(server_name="", index=n, beat=partial(beaten.append, n)) for n in (0, 1)
    ]
    monkeypatch.setattr(control, "_timer", SimpleNamespace(tick=control._beat, is_lost=False))
    control.follow_pause()
    Job.objects.update(is_paused=True)
    with control.held_slots.holding(slots[0]):
        with control.held_slots.holding(slots[1]):
            control.tick()
        control.tick()
    control.tick()
    assert beaten == [0, 1, 0]


def test_a_stop_that_keeps_the_chunks_hands_back(control: RunControl) -> None:
    control.follow_pause()
    Job.objects.update(is_paused=True, keeps_chunks=True)
    control.tick()
    with pytest.raises(JobHandedBack, match="paused"):
        control.checkpoint()


def at_hour(hour: int) -> datetime:
    return datetime(2026, 11, 3, hour, tzinfo=ZoneInfo(settings.TIME_ZONE))


@pytest.fixture
def day_job(running: tuple[Job, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A running job whose preset encodes by day and hands back in the evening."""
    monkeypatch.setattr("transcode.running.control.HOURS_LOOK_S", 0.0)
    hours = "08:00-18:00"
    Job.objects.update(hours=hours, preset_spec={"hours": [hours], "at_hours_end": "hand_back"})


@pytest.mark.usefixtures("day_job")
def test_the_end_of_its_hours_hands_a_job_back_when_the_preset_says_so(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.running.control.timezone.now", lambda: at_hour(12))
    control.follow_pause()
    control.tick()
    control.checkpoint()
    monkeypatch.setattr("transcode.running.control.timezone.now", lambda: at_hour(22))
    control.tick()
    with pytest.raises(JobHandedBack, match="outside_hours"):
        control.checkpoint()


@pytest.mark.usefixtures("day_job")
def test_a_job_begun_by_hand_outside_its_hours_is_left_alone(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.running.control.timezone.now", lambda: at_hour(22))
    control.follow_pause()
    control.tick()
    control.checkpoint()


def test_a_fault_beside_the_phases_ends_the_attempt_while_it_goes_on_beating(
    control: RunControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("transcode.running.control.TICK_S", 0.01)
    rounds = Semaphore(0)

    def tick() -> None:
        rounds.release()
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(control, "tick", tick)
    control.start()
    for _ in range(3):
        assert rounds.acquire(timeout=20)
    with pytest.raises(JobFailed, match="ZeroDivisionError: a bug") as raised:
        control.checkpoint()
    assert raised.value.is_retryable  # and counted
    control.stop()
    assert caplog.text.count("a fault beside its phases") == 1


@pytest.mark.parametrize("was_paused", [False, True])
def test_a_fault_beside_the_phases_ends_a_pause(
    control: RunControl, monkeypatch: pytest.MonkeyPatch, was_paused: bool
) -> None:
    control.follow_pause()
    Job.objects.update(is_paused=was_paused)
    control.tick()
    monkeypatch.setattr(control, "_read_orders", Mock(side_effect=KeyError("hours")))
    control._tick_safely()
    with pytest.raises(JobFailed, match="internal_error"):
        control.checkpoint()


def test_a_shutdown_hands_back(control: RunControl) -> None:
    control.request_hand_back("Stopped.")
    control.request_hand_back("Again.")
    with pytest.raises(JobHandedBack, match="Stopped"):
        control.checkpoint()


@pytest.mark.parametrize("lose", [{"lease_token": "theirs"}, {"status": "queued"}])
def test_a_lease_that_is_gone_stops_everything(control: RunControl, lose: dict[str, str]) -> None:
    Job.objects.update(**({"lease_token": ""} | lose))
    control.tick()
    with pytest.raises(LeaseLost):
        control.checkpoint()
    with pytest.raises(LeaseLost):
        control.enter(JobPhase.ENCODE)


def test_a_lease_lost_between_the_look_and_the_write_stops_the_phases(
    control: RunControl,
) -> None:
    control.report(PhaseProgress(pct=10.0))
    with patch.object(job_queue, "write_running", return_value=False):
        control.tick()
    with pytest.raises(LeaseLost):
        control.checkpoint()


def test_orders_are_looked_for_until_the_attempt_is_over(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticked, is_ticked = [0], Event()

    def tick() -> None:
        ticked[0] += 1
        if ticked[0] == 2:
            is_ticked.set()

    monkeypatch.setattr("transcode.running.control.TICK_S", 0.01)
    monkeypatch.setattr(control, "tick", tick)
    control.start()
    assert is_ticked.wait(60)
    control.stop()
    assert not control._thread.is_alive()


def test_a_shutdown_reaches_a_job_that_stands_still(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two ticks: the signal comes while the phases wait for the pause to end."""
    monkeypatch.setattr("transcode.running.control.TICK_S", 0.01)
    control.follow_pause()
    Job.objects.update(is_paused=True)
    control.tick()
    stopped = Event()

    def wait() -> None:
        try:
            control.checkpoint()
        except JobHandedBack:
            stopped.set()

    waiting = Thread(target=wait)
    waiting.start()
    control.request_hand_back("Stopped.")
    waiting.join(60)
    assert stopped.is_set()


def test_progress_is_written_once_and_only_when_it_changed(
    control: RunControl, django_assert_num_queries: Any
) -> None:
    control.report(PhaseProgress(pct=10.0, fps=3.0))
    control.report(PhaseProgress(pct=20.0, fps=4.0, note="x" * 500))
    control.tick()
    job = Job.objects.get()
    assert (job.progress_pct, job.fps, len(job.progress_note), job.progress_seq) == (20, 4, 200, 1)
    with django_assert_num_queries(1):  # the look for orders
        control.tick()


def test_a_busy_database_costs_one_tick(control: RunControl) -> None:
    control.report(PhaseProgress(pct=10.0))
    with (
        patch.object(job_queue, "write_running", side_effect=OperationalError("locked")),
        patch("transcode.running.control.connection.close"),  # the test's own transaction lives on
    ):
        control.tick()
    control.checkpoint()
    control.tick()
    assert Job.objects.get().progress_pct == 10


def test_a_phase_begins_with_fresh_progress(control: RunControl) -> None:
    Job.objects.update(progress_pct=99.0, fps=1.0)
    control.enter(JobPhase.VERIFY)
    job = Job.objects.get()
    assert (job.phase, job.progress_pct, job.fps) == ("verify", None, None)
