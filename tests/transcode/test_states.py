"""The full product of states: what the table allows happens, everything else cannot."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from mediaflow.base.transitions import IllegalTransition, change_status
from tests.transcode.makers import make_file, make_job, make_library
from transcode.models import Job, JobEvent, JobStatus
from transcode.states import ACTIVE, JOB_TABLE, TERMINAL

# Written out once more, so that a change of the table is a change of this test.
ALLOWED = {
    ("queued", "running"),
    ("queued", "held"),
    ("queued", "cancelled"),
    ("running", "completed"),
    ("running", "skipped"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "queued"),
    ("running", "retry_wait"),
    ("running", "held"),
    ("retry_wait", "queued"),
    ("retry_wait", "held"),
    ("retry_wait", "cancelled"),
    ("held", "queued"),
    ("held", "cancelled"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "after"), list(product(JobStatus.values, JobStatus.values)), ids="-".join
)
def test_each_step_is_either_in_the_table_or_impossible(before: str, after: str) -> None:
    job = make_job(make_file(make_library()), before)
    token = job.lease_token
    updates = {"lease_token": "fresh"} if after == "running" else {}

    def step() -> bool:
        return change_status(
            JOB_TABLE, job.pk, from_status=before, to_status=after, token=token, updates=updates
        )

    if (before, after) in ALLOWED:
        assert step()
        job.refresh_from_db()
        assert job.status == after
        event = JobEvent.objects.get(subject=job)
        assert (event.from_status, event.to_status) == (before, after)
    else:
        with pytest.raises(IllegalTransition):
            step()
        job.refresh_from_db()
        assert job.status == before
        assert not JobEvent.objects.exists()


def test_every_state_is_either_active_or_terminal() -> None:
    assert set(JobStatus.values) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
    assert not any(JOB_TABLE.allowed.get(status) for status in TERMINAL)


@pytest.mark.django_db
def test_a_step_from_a_status_that_somebody_else_changed_does_nothing() -> None:
    job = make_job(make_file(make_library()))
    Job.objects.filter(pk=job.pk).update(status=JobStatus.CANCELLED)
    assert not change_status(
        JOB_TABLE, job.pk, from_status="queued", to_status="held", reason="late"
    )
    assert not JobEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "other"])
def test_a_step_with_another_token_does_nothing(token: str) -> None:
    job = make_job(make_file(make_library()), "running", lease_token="mine")
    assert not change_status(
        JOB_TABLE, job.pk, from_status="running", to_status="completed", token=token
    )
    job.refresh_from_db()
    assert (job.status, job.lease_token) == ("running", "mine")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"status": "finished"},
        {"phase": "dream"},
        {"status": "running"},
        {"status": "queued", "lease_token": "left over"},
    ],
    ids=["unknown status", "unknown phase", "running without lease", "lease without running"],
)
def test_the_database_refuses_what_the_code_must_never_write(values: dict[str, str]) -> None:
    job = make_job(make_file(make_library()))
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**values)


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_the_database_refuses_a_second_active_job_of_a_film(status: str) -> None:
    file = make_file(make_library())
    make_job(file, status)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_job(file)
