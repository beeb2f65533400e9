"""The page of a job says what became of its film in Plex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from django.utils import timezone

from library.models import PlexServer, PlexSwap
from tests.transcode.after_swap.test_outbox import make_swap
from tests.transcode.web.rows import make_job
from transcode.models import JobStatus, OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from transcode.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Job:
    return make_job(JobStatus.COMPLETED)


@pytest.fixture
def shown(as_operator: Client, job: Job) -> Callable[[], str]:
    return lambda: as_operator.get(reverse("transcode:job_detail", args=[job.pk])).text


def add_swap(job: Job, step: str, **values: object) -> PlexSwap:
    row = make_swap(job)
    server = PlexServer.objects.create(machine_id="m", name="Attic", url="http://plex")
    return PlexSwap.objects.create(
        replacement_id=row.pk, server=server, section_key="1", rating_key_before="7",
        step=step, **values,
    )  # fmt: skip


def add_entry(swap: PlexSwap, job: Job, **values: object) -> None:
    payload = {"server": swap.server_id, "name": "Attic", "replacement": swap.replacement_id}
    OutboxEntry.objects.create(kind="plex", job=job, payload=payload, **values)


def test_where_nobody_has_to_know_nothing_is_said(job: Job, shown: Callable[[], str]) -> None:
    make_swap(job)
    assert "Other programs" not in shown()


def test_the_wait_between_both_names_is_shown(job: Job, shown: Callable[[], str]) -> None:
    add_swap(job, "noted")
    assert "Noted what Plex knows" in shown()


def test_a_step_on_the_way_is_shown_with_its_trouble(job: Job, shown: Callable[[], str]) -> None:
    add_entry(add_swap(job, "scanned"), job, attempts=1, error="Attic cannot be reached.")
    page = shown()
    assert "Plex looks at the folder" in page
    assert "Attic cannot be reached." in page


def test_what_was_put_back_and_what_was_lost_is_listed(job: Job, shown: Callable[[], str]) -> None:
    swap = add_swap(
        job, "done", rating_key_after="9", reapplied=["The label Kept"],
        lost=["The poster that was <chosen> by hand"],
    )  # fmt: skip
    add_entry(swap, job, done_at=timezone.now(), outcome="Attic made the item anew.")
    page = shown()
    assert "Attic made the item anew." in page
    assert "Put back:" in page
    assert "The label Kept" in page
    assert "The poster that was &lt;chosen&gt; by hand" in page
