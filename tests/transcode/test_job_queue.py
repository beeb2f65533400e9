"""Claims, ends, retries, crashes: every step is conditional and writes all that belongs to it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.utils import timezone

from library.models import FileState, MediaFile
from mediaflow.base.models import Setting
from mediaflow.base.settings_store import set_setting
from tests.transcode.makers import claim, make_file, make_job, make_jobs, make_library
from transcode.models import (
    Job,
    JobAttempt,
    JobEvent,
    JobStatus,
    JournalState,
    OutputMode,
    Replacement,
)
from transcode.queue import job_queue
from transcode.states import OPEN_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "host/boot/ns/7/99"
pytestmark = pytest.mark.django_db


def state_of(job: Job) -> str:
    return MediaFile.objects.get(jobs=job).state


def open_journal(job: Job, state: str = JournalState.COPYING) -> Replacement:
    from transcode.models import ProofRecord

    proof = ProofRecord.objects.create(job=job, is_passed=True)
    return Replacement.objects.create(
        job=job,
        file=job.file,
        state=state,
        proof=proof,
        is_proof_passed=True,
        root_raw=b"/films",
        original_raw=b"/films/a.mkv",
        final_raw=b"/films/a.mkv",
        part_raw=b"/films/.mf-1.part",
    )


def test_jobs_are_claimed_by_priority_then_position_then_id() -> None:
    first, second, third = make_jobs(3)
    Job.objects.filter(pk=third.pk).update(priority=5)
    Job.objects.filter(pk__in=[first.pk, second.pk]).update(position=7)
    taken = [job_queue.claim_next(OWNER) for _ in range(3)]
    assert [c.job_id for c in taken if c] == [third.pk, first.pk, second.pk]
    assert job_queue.claim_next(OWNER) is None


def test_a_claim_writes_lease_attempt_event_and_the_films_state() -> None:
    (job,) = make_jobs(1)
    taken = job_queue.claim_next(OWNER)
    assert taken is not None
    job.refresh_from_db()
    assert (job.status, job.lease_owner, job.lease_token, job.attempt) == (
        "running",
        OWNER,
        taken.token,
        1,
    )
    attempt = JobAttempt.objects.get(pk=taken.attempt_id)
    assert (attempt.number, attempt.lease_token, attempt.lease_owner) == (1, taken.token, OWNER)
    assert attempt.log_name == f"{job.uuid}-1.log"
    assert JobEvent.objects.get(subject=job).to_status == "running"
    assert state_of(job) == FileState.PROCESSING


def test_claim_returns_none_when_another_worker_won_between_look_and_update() -> None:
    (job,) = make_jobs(1)
    look = job_queue._next_id
    calls: list[int] = []

    def look_and_lose(*args: object) -> int | None:
        found = look(*args)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 2:  # the look inside the transaction
            job_queue._claim(job.pk, "host/other")
        return found

    with patch.object(job_queue, "_next_id", look_and_lose):
        assert job_queue.claim_next(OWNER) is None
    job.refresh_from_db()
    assert job.lease_owner == "host/other"
    assert JobAttempt.objects.count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {"is_paused": True},
        {"not_before": timezone.now() + timedelta(hours=1)},
        {"status": JobStatus.HELD},
        {"status": JobStatus.RETRY_WAIT, "not_before": timezone.now() + timedelta(hours=1)},
        {"status": JobStatus.CANCELLED},
    ],
    ids=["paused", "not yet", "held", "waits to retry", "cancelled"],
)
def test_a_job_that_must_not_run_is_not_claimed(values: dict[str, object]) -> None:
    (job,) = make_jobs(1)
    Job.objects.filter(pk=job.pk).update(**values)
    assert job_queue.claim_next(OWNER) is None


def test_a_due_retry_is_claimed() -> None:
    (job,) = make_jobs(1, status=JobStatus.RETRY_WAIT, not_before=timezone.now())
    taken = job_queue.claim_next(OWNER)
    assert taken is not None
    steps = [(e.from_status, e.to_status) for e in JobEvent.objects.filter(subject=job)]
    assert steps == [("retry_wait", "queued"), ("queued", "running")]


def test_claims_can_be_narrowed_to_some_jobs() -> None:
    _first, second = make_jobs(2)
    taken = job_queue.claim_next(OWNER, among=[second.pk])
    assert taken is not None
    assert taken.job_id == second.pk
    assert job_queue.claim_next(OWNER, among=[second.pk]) is None


@pytest.mark.parametrize(
    ("hours", "is_had"),
    [("01:00-02:00", False), ("00:00-24:00", True), ("what an older version allowed", True)],
)
def test_outside_the_hours_of_the_queue_only_jobs_that_are_named_are_claimed(
    hours: str, is_had: bool
) -> None:
    """Hours that cannot be read close nothing: a queue that stands still for ever helps nobody."""
    (job,) = make_jobs(1)
    set_setting("queue_hours", "00:00-24:00", None)
    Setting.objects.filter(key="queue_hours").update(value=hours)
    noon = timezone.localtime().replace(hour=12)
    with patch("django.utils.timezone.now", return_value=noon):
        taken = job_queue.claim_next(OWNER)
        assert (taken is not None) is is_had
        if not is_had:
            assert job_queue.claim_next(OWNER, among=[job.pk]) is not None


def test_hours_of_a_job_that_cannot_be_read_close_nothing() -> None:
    (job,) = make_jobs(1, hours="whenever")
    taken = job_queue.claim_next(OWNER)
    assert taken is not None
    assert taken.job_id == job.pk


def test_a_paused_queue_gives_no_job() -> None:
    make_jobs(1)
    set_setting("queue_paused", True, None)
    assert job_queue.claim_next(OWNER) is None


@pytest.mark.parametrize("state", sorted(OPEN_JOURNAL))
def test_an_open_journal_comes_first_even_when_queue_and_job_are_paused(state: str) -> None:
    _first, second = make_jobs(2)
    Job.objects.filter(pk=second.pk).update(is_paused=True, priority=-50)
    open_journal(second, state)
    set_setting("queue_paused", True, None)
    taken = job_queue.claim_next(OWNER)
    assert taken is not None
    assert taken.job_id == second.pk
    assert job_queue.claim_next(OWNER) is None


def test_only_the_holder_of_the_token_can_beat_adopt_write_and_finish() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    assert not job_queue.beat(job.pk, "stale")
    assert not job_queue.adopt(job.pk, token="stale", owner="x")
    assert not job_queue.write_running(job.pk, "stale", {"fps": 1.0})
    assert not job_queue.finish_job(job.pk, token="stale", status=JobStatus.COMPLETED)
    assert job_queue.beat(job.pk, taken.token)
    assert job_queue.adopt(job.pk, token=taken.token, owner="runner")
    job.refresh_from_db()
    assert (job.status, job.heartbeat, job.lease_owner, job.fps) == ("running", 2, "runner", None)


@pytest.mark.parametrize(
    ("status", "mode", "state"),
    [
        (JobStatus.COMPLETED, OutputMode.REPLACE, FileState.COMPLETED),
        (JobStatus.COMPLETED, OutputMode.BESIDE, FileState.NEW),
        (JobStatus.COMPLETED, OutputMode.FOLDER, FileState.NEW),
        (JobStatus.SKIPPED, OutputMode.REPLACE, FileState.NEW),
        (JobStatus.FAILED, OutputMode.REPLACE, FileState.FAILED),
        (JobStatus.CANCELLED, OutputMode.REPLACE, FileState.NEW),
    ],
)
def test_the_end_of_a_job_is_written_everywhere(status: str, mode: str, state: str) -> None:
    (job,) = make_jobs(1, output_mode=mode, work_reserved_bytes=5, target_reserved_bytes=6)
    taken = claim(job)
    assert job_queue.finish_job(
        job.pk, token=taken.token, status=status, reason_code="why", reason="Because."
    )
    job.refresh_from_db()
    assert (job.status, job.lease_token, job.reason_code) == (status, "", "why")
    assert (job.work_reserved_bytes, job.target_reserved_bytes) == (0, 0)
    assert job.finished_at is not None
    assert job.seconds is not None
    attempt = JobAttempt.objects.get()
    assert (attempt.outcome, attempt.reason, attempt.is_counted) == (status, "Because.", True)
    assert state_of(job) == state


def test_a_job_can_only_be_finished_with_a_status_that_ends_it() -> None:
    (job,) = make_jobs(1)
    with pytest.raises(ValueError, match="does not end"):
        job_queue.finish_job(job.pk, token=claim(job).token, status=JobStatus.QUEUED)


def test_the_end_of_a_job_does_not_touch_a_film_that_a_person_set_aside() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    MediaFile.objects.update(state=FileState.IGNORED)
    job_queue.finish_job(job.pk, token=taken.token, status=JobStatus.FAILED)
    assert state_of(job) == FileState.IGNORED


def test_a_second_finish_changes_nothing() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    assert job_queue.finish_job(job.pk, token=taken.token, status=JobStatus.COMPLETED)
    assert not job_queue.finish_job(job.pk, token=taken.token, status=JobStatus.FAILED)
    job.refresh_from_db()
    assert job.status == JobStatus.COMPLETED


def test_retries_wait_1_and_5_minutes_and_the_third_failure_is_the_last() -> None:
    (job,) = make_jobs(1)
    waits = []
    for _ in range(2):
        taken = claim(job)
        now = timezone.now()
        assert job_queue.retry_later(job.pk, token=taken.token, reason_code="x", reason="X.")
        job.refresh_from_db()
        assert job.status == JobStatus.RETRY_WAIT
        assert job.not_before is not None
        waits.append(round((job.not_before - now).total_seconds() / 60))
        assert state_of(job) == FileState.QUEUED
        job_queue.promote_due(job.not_before)
    assert waits == [1, 5]
    taken = claim(job)
    job_queue.retry_later(job.pk, token=taken.token, reason_code="x", reason="X.")
    job.refresh_from_db()
    assert (job.status, job.attempt) == (JobStatus.FAILED, 3)
    assert state_of(job) == FileState.FAILED


def test_a_failure_of_a_runner_that_lost_its_job_is_not_written() -> None:
    (job,) = make_jobs(1)
    old = claim(job)
    job_queue.take_over(job.pk, old.token)
    assert not job_queue.retry_later(job.pk, token=old.token, reason_code="x", reason="X.")
    job.refresh_from_db()
    assert (job.status, job.reason_code == "x") == (JobStatus.QUEUED, False)


def test_with_more_tries_the_third_wait_is_15_minutes() -> None:
    (job,) = make_jobs(1, max_attempts=9, attempt=2)
    now = timezone.now()
    job_queue.retry_later(job.pk, token=claim(job).token, reason_code="x", reason="X.")
    job.refresh_from_db()
    assert job.not_before is not None
    assert round((job.not_before - now).total_seconds() / 60) == 15


def _wait(job_id: int, token: str) -> bool:
    return job_queue.wait_for_disk(
        job_id, token=token, reason_code="mount_missing", reason="No mount.", delay_s=60
    )


def _hand_back(job_id: int, token: str) -> bool:
    return job_queue.hand_back(job_id, token=token, reason_code="handed_back", reason="Stop.")


@pytest.mark.parametrize(
    ("leave", "status"),
    [(_wait, JobStatus.RETRY_WAIT), (_hand_back, JobStatus.QUEUED)],
    ids=["waits for a mount", "handed back"],
)
def test_waiting_for_a_mount_and_handing_back_count_no_try(
    leave: Callable[[int, str], bool], status: str
) -> None:
    (job,) = make_jobs(1)
    for number in (1, 2, 3, 4):
        taken = claim(job)
        assert leave(job.pk, taken.token)
        job.refresh_from_db()
        assert (job.status, job.attempt) == (status, 0)
        attempt = JobAttempt.objects.get(pk=taken.attempt_id)
        assert (attempt.number, attempt.is_counted) == (number, False)
        job_queue.promote_due(timezone.now() + timedelta(days=1))


def test_a_job_whose_runner_died_goes_back_and_keeps_its_tries() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    assert not job_queue.take_over(job.pk, "stale")
    assert job_queue.take_over(job.pk, taken.token)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.not_before) == (JobStatus.QUEUED, 0, None)
    assert state_of(job) == FileState.QUEUED


def _crash(job: Job, times: int) -> None:
    for _ in range(times):
        Job.objects.filter(pk=job.pk).update(not_before=None)
        assert job_queue.take_over(job.pk, claim(job).token)
    job.refresh_from_db()


def test_a_job_that_kills_its_runner_again_and_again_fails_in_the_end() -> None:
    (job,) = make_jobs(1)
    _crash(job, job_queue.CRASH_CAP - 1)
    assert job.status == JobStatus.QUEUED
    assert job.not_before is not None  # and it was slowed down before that
    _crash(job, 1)
    assert (job.status, job.reason_code) == (JobStatus.FAILED, "runner_lost")


def test_a_job_with_an_open_journal_is_held_instead_of_failed() -> None:
    (job,) = make_jobs(1)
    open_journal(job, JournalState.SWAPPING)
    _crash(job, job_queue.CRASH_CAP)
    assert (job.status, job.reason_code) == (JobStatus.HELD, "runner_lost")


def test_an_attempt_that_ended_otherwise_starts_the_count_of_crashes_anew() -> None:
    (job,) = make_jobs(1)
    _crash(job, job_queue.CRASH_CAP - 1)
    Job.objects.filter(pk=job.pk).update(not_before=None)
    _hand_back(job.pk, claim(job).token)
    _crash(job, 1)
    assert job.status == JobStatus.QUEUED


def test_a_cancelled_job_whose_runner_died_is_cancelled() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    assert job_queue.ask_to_cancel(job.pk)
    assert job_queue.take_over(job.pk, taken.token)
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.HELD])
def test_a_waiting_job_is_cancelled_at_once(status: str) -> None:
    (job,) = make_jobs(1, status=status)
    assert job_queue.cancel_waiting(job.pk, reason="Cancelled by ada.")
    job.refresh_from_db()
    assert (job.status, job.reason) == (JobStatus.CANCELLED, "Cancelled by ada.")
    assert state_of(job) == FileState.NEW


@pytest.mark.parametrize("status", ["running", "completed", "failed", "skipped", "cancelled"])
def test_a_job_that_does_not_wait_is_not_cancelled_at_once(status: str) -> None:
    job = make_job(make_file(make_library()), status)
    assert not job_queue.cancel_waiting(job.pk, reason="Cancelled.")
    assert job_queue.ask_to_cancel(job.pk) == (status == "running")


def test_a_waiting_job_with_an_open_journal_is_brought_to_its_end_before_a_cancel() -> None:
    (job,) = make_jobs(1)
    open_journal(job, JournalState.SWAPPING)
    assert not job_queue.cancel_waiting(job.pk, reason="Cancelled.")
    assert job_queue.ask_to_cancel(job.pk)
    assert job_queue.claim_next(OWNER) is not None


@pytest.mark.parametrize("status", [JobStatus.HELD, JobStatus.RETRY_WAIT])
def test_a_person_lets_a_job_go_on(status: str) -> None:
    (job,) = make_jobs(1, status=status, not_before=timezone.now() + timedelta(hours=1))
    assert job_queue.release(job.pk)
    assert job_queue.claim_next(OWNER) is not None


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RETRY_WAIT])
def test_a_waiting_job_can_be_held(status: str) -> None:
    (job,) = make_jobs(1, status=status)
    assert job_queue.hold(job.pk, reason_code="why", reason="Because.")
    assert not job_queue.hold(job.pk, reason_code="why", reason="Because.")
    assert job_queue.claim_next(OWNER) is None


def test_a_job_whose_film_left_the_library_still_ends() -> None:
    (job,) = make_jobs(1)
    taken = claim(job)
    MediaFile.objects.all().delete()
    assert job_queue.finish_job(job.pk, token=taken.token, status=JobStatus.SKIPPED)
