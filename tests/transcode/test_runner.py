"""One attempt: how each end of a phase becomes one status change."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError
from django.utils import timezone

from library.models import Library
from mediaflow.base.models import Setting
from servers.models import Server
from tests.transcode.makers import claim, make_file, make_job
from transcode.models import (
    Job,
    JobAttempt,
    JobStatus,
    JournalState,
    OutputMode,
    ProofRecord,
    Replacement,
)
from transcode.outcomes import (
    JobCancelled,
    JobFailed,
    JobHandedBack,
    JobHeld,
    JobOutcome,
    JobSkipped,
    JobWaits,
    LeaseLost,
)
from transcode.queue import disk_space, job_queue
from transcode.replacing.snapshot import take_source_snapshot
from transcode.running import runner
from transcode.running.attempt_log import AttemptLog, attempt_log_path
from transcode.running.context import RunContext
from transcode.running.control import RunControl
from transcode.running.runner import Runner
from transcode.running.work_folders import make_work_folder, remove_work_folder, sweep_work_folders

pytestmark = pytest.mark.django_db


def run_with(running: tuple[Job, str], end: BaseException | None) -> Job:
    """Run the attempt; its first phase ends so (None: nothing is raised)."""
    job, token = running
    log = AttemptLog(JobAttempt.objects.get(lease_token=token).log_name)
    attempt = Runner(job.pk, token, RunControl(job.pk, token), log)
    with (
        patch.object(runner, "marker_matches", return_value=True),
        patch.object(Runner, "_prepare", side_effect=end),
        patch.object(Runner, "_encode", return_value=Path("unused")),
        patch.object(Runner, "_verify"),
        patch.object(Runner, "_publish", side_effect=lambda *_: _complete(job, token)),
    ):
        attempt.run()
    log.close()
    job.refresh_from_db()
    return job


def _complete(job: Job, token: str) -> None:
    job_queue.finish_job(job.pk, token=token, status=JobStatus.COMPLETED)


@pytest.mark.parametrize(
    ("outcome", "status", "is_counted", "keeps_folder"),
    [
        (None, "completed", True, False),
        (JobSkipped("not_worth_it", "Too little."), "skipped", True, False),
        (JobFailed("verify_frames", "Frames are lost."), "failed", True, False),
        (JobFailed("crash", "Perhaps.", is_retryable=True), "retry_wait", True, True),
        (JobHeld("tiny", "Look."), "held", True, True),
        (JobWaits("disk_full", "Full.", delay_s=30), "retry_wait", False, True),
        (JobCancelled("cancelled", "Cancelled."), "cancelled", True, False),
        (JobHandedBack("paused", "Paused."), "queued", False, True),
        (ZeroDivisionError("bug"), "retry_wait", True, True),
        (OperationalError("the connection is lost"), "retry_wait", False, True),
        (InterfaceError("connection already closed"), "retry_wait", False, True),
        (IntegrityError("twice"), "retry_wait", True, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_end_of_a_phase_is_one_status_change(
    running: tuple[Job, str],
    outcome: BaseException | None,
    status: str,
    is_counted: bool,
    keeps_folder: bool,
) -> None:
    job = run_with(running, outcome)
    assert job.status == status
    attempt = JobAttempt.objects.get()
    assert (attempt.outcome, attempt.is_counted) == (status, is_counted)
    assert "plan" in attempt.phase_seconds
    assert make_folder(job).exists() == keeps_folder
    if isinstance(outcome, JobOutcome):
        assert (job.reason_code, job.reason) == (outcome.reason_code, outcome.reason)


@pytest.mark.parametrize("code", ["source_changed", "verify_source_changed"])
def test_what_was_encoded_from_a_film_that_changed_goes(
    running: tuple[Job, str], code: str
) -> None:
    job = run_with(running, JobFailed(code, "Changed.", is_retryable=True))
    assert job.status == "retry_wait"
    assert not make_folder(job).exists()


def test_a_lost_job_removes_nothing_of_the_next_one(running: tuple[Job, str]) -> None:
    job, token = running
    Job.objects.update(lease_token="theirs")
    make_work_folder(job.uuid)
    run_with((job, token), JobFailed("source_changed", "Changed.", is_retryable=True))
    assert make_folder(job).exists()


def make_folder(job: Job) -> Path:

    return Path(settings.WORK_DIR) / "jobs" / str(job.uuid)


def test_a_bug_is_in_the_log_with_its_traceback(running: tuple[Job, str]) -> None:
    job = run_with(running, ZeroDivisionError("bug"))
    assert job.reason_code == "internal_error"
    text = attempt_log_path(JobAttempt.objects.get().log_name).read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError: bug" in text


def test_a_database_that_is_away_is_said_and_waited_for(running: tuple[Job, str]) -> None:
    job = run_with(running, OperationalError("the connection is lost"))
    assert (job.reason_code, job.attempt) == ("database_busy", 0)
    assert "the connection is lost" in job.reason and "by itself" in job.reason
    assert job.not_before is not None and job.not_before > timezone.now()


@pytest.mark.parametrize("step", ["settle_outcome", "record_outcome"])
def test_a_database_that_stays_away_ends_the_attempt_without_its_outcome(
    running: tuple[Job, str], step: str
) -> None:
    away = OperationalError("the connection is lost")
    with patch.object(runner, step, side_effect=away):
        job = run_with(running, away)
    # What the reaper finds: nothing was written, or no more than the end.
    assert job.status == ("running" if step == "settle_outcome" else "retry_wait")
    assert make_folder(job).exists()
    text = attempt_log_path(JobAttempt.objects.get().log_name).read_text()
    assert "the database is away" in text


def test_an_attempt_whose_lease_is_lost_writes_nothing(running: tuple[Job, str]) -> None:
    job, token = running
    Job.objects.update(lease_token="theirs")
    job = run_with((job, token), LeaseLost("lease_lost", "Lost."))
    assert (job.status, job.lease_token, job.reason) == ("running", "theirs", "")


def test_a_machine_that_is_switched_off_leaves_the_film_unread(running: tuple[Job, str]) -> None:
    Server.objects.update_or_create(name="This machine", defaults={"is_enabled": False})
    with patch.object(Runner, "_context", side_effect=AssertionError("it looked at the film")):
        job = run_with(running, None)
    assert (job.status, job.reason_code) == ("retry_wait", "server_disabled")
    assert not JobAttempt.objects.get().is_counted


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"is_enabled": False}, "held", "library_disabled"),
        ({"frozen_reason": "Too much is gone."}, "retry_wait", "library_frozen"),
    ],
)
def test_a_library_that_is_off_or_frozen_stops_its_jobs(
    running: tuple[Job, str], change: dict[str, Any], status: str, code: str
) -> None:
    Library.objects.update(**change)
    job = run_with(running, None)
    assert (job.status, job.reason_code) == (status, code)


@pytest.mark.parametrize(
    ("answer", "status"), [(False, "retry_wait"), (OSError(5, "I/O error"), "retry_wait")]
)
def test_a_mount_that_is_away_is_waited_for_without_a_try(
    running: tuple[Job, str], answer: Any, status: str
) -> None:
    job, token = running
    effect = {"side_effect": answer} if isinstance(answer, OSError) else {"return_value": answer}
    log = AttemptLog("x.log")
    with patch.object(runner, "marker_matches", **effect):
        Runner(job.pk, token, RunControl(job.pk, token), log).run()
    log.close()
    job.refresh_from_db()
    assert (job.status, job.reason_code, job.attempt) == (status, "mount_missing", 0)


def test_a_film_that_is_gone_is_a_failure_and_a_row_that_is_gone_a_skip(
    running: tuple[Job, str], library_on_disk: Library
) -> None:
    (Path(library_on_disk.root) / "a.mkv").unlink()
    assert run_with(running, None).reason_code == "source_missing"
    other = make_job(make_file(library_on_disk, "b.mkv"))
    token = claim(other).token
    Job.objects.filter(pk=other.pk).update(file=None)
    assert run_with((other, token), None).reason_code == "file_gone"


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.EACCES, "failed", "source_unreadable"),
        (errno.EIO, "retry_wait", "source_unreachable"),
        (errno.ESTALE, "retry_wait", "source_unreachable"),
    ],
)
def test_a_film_that_cannot_be_looked_at_fails_or_is_waited_for(
    running: tuple[Job, str], number: int, status: str, code: str
) -> None:
    error = OSError(number, os.strerror(number))
    with patch.object(runner, "take_source_snapshot", side_effect=error):
        job = run_with(running, None)
    assert (job.status, job.reason_code) == (status, code)
    assert os.strerror(number) in job.reason
    # A disk that is away costs no try.
    assert JobAttempt.objects.get().is_counted == (status == "failed")


def test_an_end_that_somebody_else_has_written_is_said_in_the_log(
    running: tuple[Job, str],
) -> None:
    job, token = running
    with patch.object(runner, "settle_outcome", return_value=False):
        run_with((job, token), JobFailed("crash", "Perhaps."))
    text = attempt_log_path(JobAttempt.objects.get().log_name).read_text()
    assert "the job is no longer ours; nothing was written" in text


@pytest.mark.parametrize("code", ["encode_failed", "verify_frames"])
def test_finished_chunks_outlive_a_failure_unless_the_film_was_refused(
    running: tuple[Job, str], code: str
) -> None:
    chunks = make_work_folder(running[0].uuid) / "chunks"
    chunks.mkdir()
    (chunks / "1.json").write_text("{}")
    (chunks.parent / "output.mkv").touch()
    job = run_with(running, JobFailed(code, "No."))
    assert job.status == "failed"
    assert chunks.exists() == (code == "encode_failed")
    assert not (chunks.parent / "output.mkv").exists()


@pytest.mark.parametrize(
    ("result", "is_queue_paused", "status"),
    [
        ("finished", True, "running"),  # recovery itself has written how it ended; here it did not
        ("abandoned", True, "queued"),
        ("abandoned", False, "completed"),
    ],
)
def test_an_open_journal_is_brought_to_its_end_before_anything_is_encoded(
    running: tuple[Job, str], result: str, is_queue_paused: bool, status: str
) -> None:
    job, _token = running
    film = os.fsencode(Path(Library.objects.get().root) / "a.mkv")
    journal = Replacement.objects.create(
        job=job,
        proof=ProofRecord.objects.create(job=job, is_passed=True),
        is_proof_passed=True,
        state=JournalState.STAGED,
        root_raw=os.path.dirname(film),
        original_raw=film,
        source_snapshot=take_source_snapshot(film).to_json(),
    )
    Setting.objects.create(key="queue_paused", value=is_queue_paused)
    asked: list[tuple[bytes, int]] = []

    def recover(context: RunContext, row: Replacement) -> str:
        asked.append((context.source, row.pk))
        return result

    # A library that is off does not keep a journal open.
    Library.objects.update(is_enabled=status == "completed")
    with patch("transcode.replacing.recovery.recover_job", recover):
        job = run_with(running, None)
    assert asked == [(film, journal.pk)]
    assert job.status == status


def test_a_preset_that_cannot_be_read_fails_the_job(running: tuple[Job, str]) -> None:
    Job.objects.update(preset_spec={"container": "vhs"})
    assert run_with(running, None).reason_code == "preset_invalid"


_Disk = namedtuple("_Disk", "f_bavail f_blocks f_frsize")


def reserve(running: tuple[Job, str], free: int, upper: int = 100, total: int = 10**6) -> None:
    job, token = running
    disk = _Disk(free, total, 1)
    with patch.object(os, "statvfs", return_value=disk):
        disk_space.reserve_space(
            job.pk,
            token,
            upper_bytes=upper,
            work_dir=Path("/tmp"),
            target_dir=bytes(Path(job.file.library.root)) if job.file else b"/",
        )


def test_space_is_reserved_for_work_and_target(running: tuple[Job, str]) -> None:
    reserve(running, free=100_000)
    job = Job.objects.get()
    assert (job.work_reserved_bytes, job.target_reserved_bytes) == (200, 100)
    assert job.work_fs == str(Path("/tmp").stat().st_dev)


@pytest.mark.parametrize(("free", "fits"), [(50_299, False), (50_300, True)])
def test_a_job_starts_only_if_work_target_and_reserve_fit(
    running: tuple[Job, str], free: int, fits: bool
) -> None:
    # One disk: twice the output to work in, once at the target, and 5 % of it stay free.
    try:
        reserve(running, free)
    except JobWaits as waits:
        assert not fits
        assert waits.reason_code == "disk_full"
        assert "starts when there is room" in waits.reason
    else:
        assert fits


def test_what_running_jobs_reserved_is_not_given_twice(
    running: tuple[Job, str], library_on_disk: Library
) -> None:
    reserve(running, free=50_599)
    other = make_job(make_file(library_on_disk, "b.mkv"))
    with pytest.raises(JobWaits, match="running jobs may take"):
        reserve((other, claim(other).token), free=50_599)
    _complete(*running)
    other.refresh_from_db()
    reserve((other, other.lease_token), free=50_599)


def test_a_lost_lease_reserves_nothing(running: tuple[Job, str]) -> None:
    with pytest.raises(LeaseLost):
        reserve((running[0], "stale"), free=100_000)


def test_a_target_that_cannot_be_reached_is_waited_for(running: tuple[Job, str]) -> None:
    job, token = running
    with pytest.raises(JobWaits, match="/no/such cannot be reached: No such file") as caught:
        disk_space.reserve_space(
            job.pk, token, upper_bytes=1, work_dir=Path("/tmp"), target_dir=b"/no/such"
        )
    assert caught.value.reason_code == "folder_unreachable"


def test_a_disk_that_does_not_say_how_full_it_is_is_waited_for(running: tuple[Job, str]) -> None:
    job, token = running
    with (
        patch.object(os, "statvfs", side_effect=OSError(errno.EIO, "Input/output error")),
        pytest.raises(JobWaits, match="cannot be reached: Input/output error") as caught,
    ):
        disk_space.reserve_space(
            job.pk, token, upper_bytes=1, work_dir=Path("/tmp"), target_dir=b"/tmp"
        )
    assert caught.value.reason_code == "folder_unreachable"


def test_work_folders_of_ended_jobs_are_swept_and_nothing_else(
    running: tuple[Job, str], library_on_disk: Library, settings: Any
) -> None:
    ended = make_job(make_file(library_on_disk, "b.mkv"), "failed")
    keeps = make_job(make_file(library_on_disk, "c.mkv"), "failed", kept_output_raw=b"/kept.mkv")
    for job in (running[0], ended, keeps):
        (make_work_folder(job.uuid) / "part").touch()
    jobs = Path(settings.WORK_DIR) / "jobs"
    (jobs / "not ours").mkdir()
    assert sweep_work_folders() == 1
    assert {path.name for path in jobs.iterdir()} == {
        str(running[0].uuid),
        str(keeps.uuid),
        "not ours",
    }
    remove_work_folder(ended.uuid)  # gone already


def target(job: Job, mode: str) -> bytes:
    job.output_mode, job.output_dir_raw = mode, b"/out"
    context = object.__new__(RunContext)
    context.source = b"/films/a.mkv"
    return runner._target_folder(job, context)


def test_the_new_film_goes_where_the_job_says(running: tuple[Job, str]) -> None:
    job, _token = running
    assert target(job, OutputMode.REPLACE) == b"/films"
    assert target(job, OutputMode.BESIDE) == b"/films"
    assert target(job, OutputMode.FOLDER) == b"/out"
