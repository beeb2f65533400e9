"""Moving jobs within the queue."""

from __future__ import annotations

import random

import pytest

from tests.transcode.makers import make_jobs
from transcode.models import Job, JobStatus
from transcode.queue.order import POSITION_GAP, move_job, set_paused, set_priority

pytestmark = pytest.mark.django_db


def order() -> list[int]:
    queued = Job.objects.filter(status=JobStatus.QUEUED)
    return list(queued.order_by("-priority", "position", "id").values_list("pk", flat=True))


def test_a_job_is_put_before_or_after_another() -> None:
    a, b, c, d = (job.pk for job in make_jobs(4))
    assert move_job(d, before=b)
    assert order() == [a, d, b, c]
    assert move_job(a, after=c)
    assert order() == [d, b, c, a]
    assert move_job(c)
    assert order() == [c, d, b, a]


def test_hundreds_of_moves_into_the_same_gap_keep_the_order() -> None:
    jobs = [job.pk for job in make_jobs(6)]
    expected = list(jobs)
    chance = random.Random(7)
    for _ in range(120):
        moved, target = chance.sample(jobs, 2)
        expected.remove(moved)
        if chance.random() < 0.5:
            assert move_job(moved, before=target)
            expected.insert(expected.index(target), moved)
        else:
            assert move_job(moved, after=target)
            expected.insert(expected.index(target) + 1, moved)
        assert order() == expected


def test_a_used_up_gap_is_made_again() -> None:
    first, second, third = (job.pk for job in make_jobs(3))
    Job.objects.filter(pk=first).update(position=10)
    Job.objects.filter(pk=second).update(position=11)
    assert move_job(third, before=second)
    assert order() == [first, third, second]
    assert Job.objects.get(pk=second).position == 11 + POSITION_GAP


def test_jobs_with_one_position_are_told_apart_by_id() -> None:
    a, b, c = (job.pk for job in make_jobs(3))
    Job.objects.update(position=5)
    assert move_job(c, before=b)
    assert order() == [a, c, b]
    assert move_job(c, after=b)
    assert order() == [a, b, c]


def test_a_moved_job_takes_the_priority_of_its_new_place() -> None:
    a, b, c = (job.pk for job in make_jobs(3))
    assert set_priority(a, 10)
    assert move_job(c, after=a)
    assert order() == [a, c, b]
    assert Job.objects.get(pk=c).priority == 10


@pytest.mark.parametrize("status", ["running", "completed", "cancelled"])
def test_a_job_that_does_not_wait_cannot_be_moved_or_moved_to(status: str) -> None:
    a, b = make_jobs(2)
    token = "t" if status == "running" else ""
    Job.objects.filter(pk=a.pk).update(status=status, lease_token=token)
    assert not move_job(a.pk, before=b.pk)
    assert not move_job(b.pk, before=a.pk)
    assert not set_priority(a.pk, 3)


def test_the_only_job_is_already_at_the_front() -> None:
    (job,) = make_jobs(1)
    assert move_job(job.pk)


@pytest.mark.parametrize("priority", [101, -101, 10**12])
def test_a_priority_out_of_bounds_is_refused(priority: int) -> None:
    (job,) = make_jobs(1)
    with pytest.raises(ValueError, match="from -100 to 100"):
        set_priority(job.pk, priority)


def test_a_job_is_paused_and_resumed() -> None:
    (job,) = make_jobs(1)
    assert set_paused(job.pk, True)
    assert Job.objects.get().is_paused
    assert set_paused(job.pk, False)
    assert not Job.objects.get().is_paused
