"""What people do with jobs: each verb does it, audits it, or says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from library.models import MediaFile
from mediaflow.base.models import AuditEvent, Operation, Setting
from mediaflow.base.restore_flag import PENDING_KEY
from mediaflow.base.settings_store import get_setting
from tests.transcode.makers import claim, make_file, make_job, make_jobs, make_library, make_preset
from transcode import services
from transcode.models import Job, JobStatus
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


def test_a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_stop(operator: User) -> None:
    waiting, running = make_jobs(2)
    claim(running)
    assert services.cancel_job(waiting.pk, actor=operator) == "cancelled"
    assert services.cancel_job(running.pk, actor=operator) == "asked"
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert running.status == JobStatus.RUNNING
    assert Job.objects.get(pk=waiting.pk).reason == "Cancelled by olga."
    assert AuditEvent.objects.filter(action="job.cancel", actor=operator).count() == 2


def test_several_are_cancelled_and_those_that_are_over_passed_by() -> None:
    jobs = make_jobs(3)
    Job.objects.filter(pk=jobs[0].pk).update(status=JobStatus.COMPLETED)
    assert services.cancel_jobs([job.pk for job in jobs], actor=None) == 2


def test_a_job_is_paused_and_resumed(operator: User) -> None:
    (job,) = make_jobs(1)
    services.pause_job(job.pk, actor=operator)
    assert Job.objects.get().is_paused
    services.resume_job(job.pk, actor=operator)
    assert not Job.objects.get().is_paused
    actions = AuditEvent.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["job.pause", "job.resume"]


@pytest.mark.parametrize("status", [JobStatus.HELD, JobStatus.RETRY_WAIT])
def test_again_lets_a_waiting_job_go_on_in_its_own_row(status: str) -> None:
    (job,) = make_jobs(1, status=status)
    assert services.retry_job(job.pk, actor=None) == job
    assert Job.objects.get().status == JobStatus.QUEUED


@pytest.mark.parametrize("status", ["failed", "skipped", "cancelled", "completed"])
def test_again_makes_a_new_row_of_a_job_that_is_over(status: str, operator: User) -> None:
    preset = make_preset(min_saving_pct=33)
    old = make_job(make_file(make_library()), status, preset=preset)
    new = services.retry_job(old.pk, actor=operator)
    assert new != old
    assert (new.rerun_of, new.status, new.requested_by) == (old, JobStatus.QUEUED, operator)
    assert new.preset_spec["min_saving_pct"] == 33  # the preset as it is now
    assert MediaFile.objects.get().state == "queued"
    old.refresh_from_db()
    assert old.status == status


def test_again_says_why_it_cannot() -> None:
    running, over = make_jobs(2)
    claim(running)
    with pytest.raises(services.QueueProblem, match="is running"):
        services.retry_job(running.pk, actor=None)
    Job.objects.filter(pk=over.pk).update(status=JobStatus.FAILED)
    services.retry_job(over.pk, actor=None)
    with pytest.raises(services.QueueProblem, match="already in the queue"):
        services.retry_job(over.pk, actor=None)
    MediaFile.objects.all().delete()
    with pytest.raises(services.QueueProblem, match="no longer in any library"):
        services.retry_job(over.pk, actor=None)
    with pytest.raises(services.QueueProblem, match="no such job"):
        services.retry_job(10**9, actor=None)


@pytest.mark.parametrize(
    "verb",
    [
        lambda pk: services.cancel_job(pk, actor=None),
        lambda pk: services.set_job_priority(pk, 1, actor=None),
        lambda pk: services.set_job_priority(pk, 10**9, actor=None),
        lambda pk: services.move_job(pk, actor=None),
    ],
    ids=["cancel", "priority", "huge priority", "move"],
)
def test_what_cannot_be_done_with_a_job_that_is_over_is_said(
    verb: Callable[[int], object],
) -> None:
    job = make_job(make_file(make_library()), "completed")
    with pytest.raises(services.QueueProblem):
        verb(job.pk)
    assert not AuditEvent.objects.exists()


def test_jobs_move_and_change_priority(operator: User) -> None:
    first, second = make_jobs(2)
    services.move_job(second.pk, before=first.pk, actor=operator)
    services.set_job_priority(first.pk, 7, actor=operator)
    order = Job.objects.order_by("-priority", "position").values_list("pk", flat=True)
    assert list(order) == [first.pk, second.pk]
    assert AuditEvent.objects.filter(action__in=["job.move", "job.priority"]).count() == 2


def test_the_queue_is_paused_with_a_reason_and_resumed(admin_user: User) -> None:
    make_jobs(1)
    services.pause_queue("The trash is full.", actor=admin_user)
    assert get_setting("queue_paused")
    services.resume_queue(actor=admin_user)
    assert not get_setting("queue_paused")
    assert AuditEvent.objects.filter(action__in=["queue.pause", "queue.resume"]).count() == 2
    assert Job.objects.filter(status__in=ACTIVE).count() == 1


def test_undoing_many_is_an_operation(operator: User) -> None:
    operation = services.undo_jobs([3, 4], actor=operator)
    assert Operation.objects.get() == operation
    assert operation.args == {"job_ids": [3, 4], "actor_id": operator.pk}
    assert operation.title == "Put 2 originals back"


def test_the_queue_does_not_go_on_after_a_restore_before_the_disks_were_compared(
    admin_user: User,
) -> None:
    Setting.objects.create(key=PENDING_KEY, value={})
    services.pause_queue("A backup was restored.", actor=admin_user)
    with pytest.raises(services.QueueProblem, match="doctor --library"):
        services.resume_queue(actor=admin_user)
    assert get_setting("queue_paused")
