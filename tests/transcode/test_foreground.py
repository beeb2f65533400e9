"""The queue in the foreground tells Plex, Sonarr and Radarr what it did, as the consumer would."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from library.models import ArrServer
from tests.transcode.makers import claim, make_jobs
from transcode.after_swap.outbox import is_soon_due
from transcode.console import foreground
from transcode.models import Job, JobAttempt, JobStatus, OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


class FakeWorker:
    """Ends one entry each time it is looked at."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def wake(self) -> None:
        self.calls.append("wake")

    def stop(self) -> None:
        self.calls.append("stop")

    def work(self, _seconds: float) -> None:
        self.calls.append("work")
        first = OutboxEntry.objects.filter(done_at=None).order_by("not_before").first()
        if first is not None:
            OutboxEntry.objects.filter(pk=first.pk).update(done_at=timezone.now())


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorker]:
    fake = FakeWorker()
    monkeypatch.setattr(foreground, "outbox_worker", fake)
    monkeypatch.setattr("transcode.console.foreground.time.sleep", fake.work)
    yield fake


class ClaimedBetween:
    """A consumer that claims the job right after the first statement that looks for it."""

    def __init__(self, job: Job) -> None:
        self.job, self.looks = job, 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "transcode_job" in sql:
            self.looks += 1
            if self.looks == 1:
                claim(self.job)
        return found


def test_a_job_that_is_claimed_during_a_look_is_still_going_on() -> None:
    (job,) = make_jobs(1)
    claimed = ClaimedBetween(job)
    with connection.execute_wrapper(claimed):
        assert foreground._going_on(Job.objects.filter(pk=job.pk), is_paused=False)
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING


@pytest.mark.parametrize(
    ("is_counted", "goes_on"), [(True, True), (False, False)], ids=["after a failure", "a disk"]
)
def test_a_retry_is_waited_for_where_it_comes_by_itself(is_counted: bool, goes_on: bool) -> None:
    (job,) = make_jobs(1)
    JobAttempt.objects.create(job=job, number=1, lease_token="a", is_counted=not is_counted)
    JobAttempt.objects.create(job=job, number=2, lease_token="b", is_counted=is_counted)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.RETRY_WAIT)
    jobs = Job.objects.filter(pk=job.pk)
    assert foreground._going_on(jobs, is_paused=False) is goes_on
    assert not foreground._going_on(jobs, is_paused=True)


def entry(*, in_s: float = 0) -> None:
    OutboxEntry.objects.create(kind="arr", not_before=timezone.now() + timedelta(seconds=in_s))


def test_what_is_due_is_waited_for_what_comes_later_is_left(worker: FakeWorker) -> None:
    ArrServer.objects.create(kind="radarr", name="Radarr", url="http://radarr:7878")
    with foreground.others_told():
        entry()
        entry(in_s=5)
        entry(in_s=600)
    assert worker.calls == ["start", "wake", "work", "work", "stop"]
    assert OutboxEntry.objects.filter(done_at=None).count() == 1
    assert not is_soon_due(within_s=15)


def test_nothing_is_loaded_where_nobody_is_to_be_told(worker: FakeWorker) -> None:
    ArrServer.objects.create(
        kind="radarr", name="Radarr", url="http://radarr:7878", is_enabled=False
    )
    with foreground.others_told():
        entry()
    assert worker.calls == []


def test_an_interrupted_command_waits_for_nothing(worker: FakeWorker) -> None:
    ArrServer.objects.create(kind="radarr", name="Radarr", url="http://radarr:7878")
    with pytest.raises(KeyboardInterrupt), foreground.others_told():
        entry()
        raise KeyboardInterrupt
    assert worker.calls == ["start", "stop"]


def test_an_entry_in_somebodys_hands_is_waited_for() -> None:
    OutboxEntry.objects.create(
        kind="arr", not_before=timezone.now() + timedelta(hours=1), lease_token="x" * 32
    )
    assert is_soon_due(within_s=1)
