"""The dispatcher, with children that are stand-ins for runners."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import pytest
from django.db import OperationalError

from mediaflow.base.children import Child, force_end, say_goodbye
from mediaflow.base.models import Heartbeat
from mediaflow.base.operations import register_operation, start_operation
from tests.transcode.makers import make_jobs
from tests.transcode.test_job_queue import open_journal
from transcode.models import Job, JobStatus, JournalState
from transcode.queue import dispatch
from transcode.queue.dispatch import Dispatcher, DispatchOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.django_db

# Wait for the end of the pipe, as runners do; "stubborn" ones stay.
_GOOD = "import os, sys; fd = int(sys.argv[-1])\nwhile os.read(fd, 9): pass"
_STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
_ENDS = "pass"


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction ends with its connection."""
    monkeypatch.setattr(dispatch, "close_old_connections", lambda: None)


@pytest.fixture
def starts() -> Iterator[list[list[str]]]:
    """Replaces the commands of children by `starts.code`; keeps what was asked for."""
    asked: list[list[str]] = []
    living: list[Child] = []

    def start(args: Sequence[str], **_options: Any) -> Child:
        import os

        asked.append(list(args))
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", _CODE[0], str(reading)],
            pass_fds=(reading,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reading)
        living.append(Child(process, writing))
        return living[-1]

    _CODE[0] = _GOOD
    with patch.object(dispatch, "start_command", start):
        yield asked
    for child in living:
        child.say_goodbye()
        if not child.has_ended:
            child.process.kill()
            child.process.wait()


_CODE = [_GOOD]


def jobs_started(starts: list[list[str]]) -> list[int]:
    return [int(args[1]) for args in starts if args[0] == "run_job" and args[1] != "--spare"]


def test_it_starts_as_many_runners_as_the_limit_says(starts: list[list[str]]) -> None:
    jobs = make_jobs(3)
    dispatcher = Dispatcher(DispatchOptions(limit=lambda: 2))
    dispatcher.step()
    dispatcher.step()
    assert jobs_started(starts) == [jobs[0].pk, jobs[1].pk]
    token = Job.objects.get(pk=jobs[0].pk).lease_token
    assert starts[0] == ["run_job", str(jobs[0].pk), "--token", token]


def test_runners_of_another_dispatcher_on_this_machine_count(starts: list[list[str]]) -> None:
    make_jobs(2)
    Dispatcher(DispatchOptions(limit=lambda: 1)).step()
    Dispatcher(DispatchOptions(limit=lambda: 1)).step()
    assert len(jobs_started(starts)) == 1


def test_the_job_of_a_child_that_ended_without_a_word_goes_back(starts: list[list[str]]) -> None:
    (job,) = make_jobs(1)
    _CODE[0] = _ENDS
    dispatcher = Dispatcher()
    dispatcher.step()
    dispatcher._jobs[0].child.process.wait()
    with patch.object(dispatcher, "_start_jobs"):
        dispatcher.step()
    job.refresh_from_db()
    assert (job.status, job.reason_code) == (JobStatus.QUEUED, "runner_lost")
    assert dispatcher.is_idle


def test_only_the_named_jobs_are_run(starts: list[list[str]]) -> None:
    _first, second = make_jobs(2)
    Dispatcher(DispatchOptions(limit=lambda: 5, only_jobs=[second.pk])).step()
    assert jobs_started(starts) == [second.pk]


def test_operations_have_a_limit_of_their_own(starts: list[list[str]]) -> None:
    register_operation("dispatch-test", lambda _context: None)
    for _ in range(3):
        start_operation(kind="dispatch-test", title="x")
    dispatcher = Dispatcher()
    dispatcher.step()
    assert [args[0] for args in starts] == ["run_operation"] * dispatch.OPERATION_LIMIT
    Dispatcher(DispatchOptions(has_operations=False)).step()
    assert len(starts) == dispatch.OPERATION_LIMIT


def test_a_consumer_has_a_pulse_and_a_runner_in_waiting(starts: list[list[str]]) -> None:
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    with patch.object(dispatcher, "_start_periodic"):
        dispatcher.step()
        assert starts == [["run_job", "--spare"]]
        assert Heartbeat.objects.filter(name__startswith="consumer:").exists()
        (job,) = make_jobs(1)
        dispatcher.step()
    assert len(starts) == 1  # the waiting one took the job
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    dispatcher._say_goodbye()
    assert not Heartbeat.objects.exists()


def test_a_runner_that_waited_before_the_dispatcher_takes_its_first_job(
    starts: list[list[str]],
) -> None:
    make_jobs(2)
    dispatcher = Dispatcher(DispatchOptions(limit=lambda: 2, spare=dispatch.start_spare()))
    dispatcher.step()
    spare, other = starts
    assert spare == ["run_job", "--spare"]
    assert other[:2] != spare  # the second job got a runner of its own
    assert len(dispatcher._jobs) == 2


def test_a_dead_runner_in_waiting_is_replaced_and_costs_no_job(starts: list[list[str]]) -> None:
    _CODE[0] = _ENDS
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    with patch.object(dispatcher, "_start_periodic"):
        dispatcher.step()
        assert dispatcher._spare
        dispatcher._spare.process.wait()
        (job,) = make_jobs(1)
        dispatcher.step()
    assert jobs_started(starts) == [job.pk]


def test_a_runner_in_waiting_that_died_is_made_anew_after_a_while(
    starts: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once: one that dies while it starts would be started without end."""
    _CODE[0] = _ENDS
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    with patch.object(dispatcher, "_start_periodic"):
        dispatcher.step()
        assert dispatcher._spare
        dispatcher._spare.process.wait()
        for _ in range(3):
            dispatcher.step()
        assert starts == [["run_job", "--spare"]]
        later = time.monotonic() + 11 * dispatch.SPARE_DELAY_S
        monkeypatch.setattr(time, "monotonic", lambda: later)
        dispatcher.step()
    assert starts == [["run_job", "--spare"]] * 2


def test_a_runner_in_waiting_that_cannot_be_started_is_tried_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = Mock(side_effect=OSError("no more processes"))
    monkeypatch.setattr(dispatch, "start_command", start)
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    with patch.object(dispatcher, "_start_periodic"):
        for _ in range(3):
            dispatcher.step()
        assert start.call_count == 1
        later = time.monotonic() + dispatch.SPARE_RETRY_S + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        dispatcher.step()
    assert start.call_count == 2


def test_a_child_that_cannot_be_taken_over_keeps_no_place(
    starts: list[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    _CODE[0] = _ENDS
    jobs = make_jobs(2)
    dispatcher = Dispatcher(DispatchOptions(limit=lambda: 2))
    dispatcher.step()
    for running in dispatcher._jobs:
        running.child.process.wait()
    with patch.object(dispatcher._jobs[0], "take_over", side_effect=ValueError("odd")):
        dispatcher._bury()
    assert dispatcher._jobs == []
    assert f"taking over {jobs[0].pk}" in caplog.text
    assert Job.objects.get(pk=jobs[1].pk).status == "queued"


def test_periodic_tasks_that_hang_are_not_started_a_second_time() -> None:
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    goes_on, runs = threading.Event(), []

    def hang() -> None:
        runs.append(1)
        goes_on.wait(10)

    with patch.object(dispatch, "_run_periodic", hang):
        for _ in range(3):
            dispatcher._start_periodic()
        goes_on.set()
        assert dispatcher._periodic
        dispatcher._periodic.join(10)
        dispatcher._start_periodic()
        dispatcher._periodic.join(10)
    assert len(runs) == 2


def test_periodic_tasks_wait_for_a_database_that_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        patch.object(dispatch, "run_due_tasks", side_effect=OperationalError("gone")),
        patch("transcode.queue.dispatch.connection.close") as closed,
    ):
        dispatch._run_periodic()
    assert "periodic tasks: the database is not there" in caplog.text
    assert closed.called


def test_a_database_that_is_away_at_the_end_keeps_no_child_waiting(
    starts: list[list[str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_jobs(1)
    dispatcher = Dispatcher()
    dispatcher.step()
    monkeypatch.setattr(
        Dispatcher, "_swapping_children", Mock(side_effect=OperationalError("gone"))
    )
    dispatcher._say_goodbye()
    assert "the next start takes over" in caplog.text
    child = dispatcher._jobs[0].child
    assert child.has_ended, "it saw the end of its pipe"


@pytest.fixture
def stubborn(starts: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> tuple[Dispatcher, Job]:
    """A job whose runner does not end by itself."""
    monkeypatch.setattr(dispatch, "GOODBYE_S", 0.2)
    (job,) = make_jobs(1)
    _CODE[0] = _STUBBORN
    dispatcher = Dispatcher()
    dispatcher.step()
    return dispatcher, job


def test_at_the_end_stubborn_children_are_killed_and_their_jobs_go_back(
    stubborn: tuple[Dispatcher, Job],
) -> None:
    dispatcher, job = stubborn
    child = dispatcher._jobs[0].child
    dispatcher._say_goodbye()
    assert child.has_ended
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED


def test_at_the_end_a_runner_that_swaps_is_left_to_finish(
    stubborn: tuple[Dispatcher, Job],
) -> None:
    dispatcher, job = stubborn
    open_journal(job, JournalState.SWAPPING)
    dispatcher._say_goodbye()
    assert not dispatcher._jobs[0].child.has_ended
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING


def test_a_database_that_is_away_is_waited_for(
    starts: list[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher = Dispatcher()
    with (
        patch.object(dispatcher, "_bury", side_effect=OperationalError("gone")),
        patch.object(dispatcher, "_start_jobs") as start_jobs,
        patch("transcode.queue.dispatch.connection.close"),
    ):
        dispatcher.step()
    assert "the database is not there" in caplog.text
    assert not start_jobs.called


def test_a_program_that_cannot_be_started_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher()
    with patch.object(dispatcher, "_start_jobs", side_effect=OSError("no more processes")):
        dispatcher.step()
    assert "trying again" in caplog.text


def test_a_fault_in_one_part_is_logged_and_holds_up_no_other(
    starts: list[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = make_jobs(1)
    dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
    no_thread = RuntimeError("can't start new thread")
    with (
        patch.object(dispatcher._sweeper, "sweep", side_effect=ZeroDivisionError("a room's bug")),
        patch.object(dispatcher, "_start_periodic", side_effect=no_thread),
    ):
        dispatcher.step()
    assert jobs_started(starts) == [job.pk]
    assert "a room's bug" in caplog.text
    assert "can't start new thread" in caplog.text


def test_the_loop_outlives_a_fault_and_no_bell_makes_it_hurry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher, pauses = Dispatcher(), list[float]()
    rounds = Mock(side_effect=RuntimeError("a bug"))

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        dispatcher.wake()
        if len(pauses) == 3:
            dispatcher._stopping.set()

    monkeypatch.setattr(dispatcher._stopping, "wait", pause)
    with (
        patch.object(dispatcher, "_bury", rounds),
        patch.object(dispatcher, "_say_goodbye"),
        patch("transcode.queue.dispatch.connection.close"),
    ):
        dispatcher.run()
    assert pauses == [dispatch.FAULT_PAUSE_S] * 3
    assert rounds.call_count == 3


def test_good_children_end_with_their_pipe(starts: list[list[str]]) -> None:
    child = vars(dispatch)["start_command"](["x"])  # the stand-in of the fixture
    assert child.send("17 token")
    say_goodbye([child], patience_s=20)
    assert child.process.returncode == 0
    assert not child.send("too late")
    force_end([child])
