"""Which jobs pages offer to undo: one rule, asked for many rows or for one."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.transcode.web import rows
from transcode.console.job_report import report_jobs
from transcode.models import (
    Job,
    JobStatus,
    JournalState,
    OutputMode,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.pages import hooks
from transcode.pages.history import HistoryForm, jobs_matching, read_totals
from transcode.pages.job_page import read_original
from transcode.replacing.undoable import is_undoable, undoable_jobs
from transcode.states import ACTIVE
from transcode.trash.sweep import trash_summary

if TYPE_CHECKING:
    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
IN_THE_TRASH = {TrashState.KEPT, TrashState.PURGING}


def _make(job: Job, status: str, journal: str, trash: str | None, stuck_from: str = "") -> Job:
    """The row in this state, as it would be read from the database."""
    token = "token" if status == JobStatus.RUNNING else ""
    Job.objects.filter(pk=job.pk).update(status=status, lease_token=token)
    Replacement.objects.update(state=journal, stuck_from=stuck_from)
    if trash is not None:
        TrashEntry.objects.update(state=trash)
    return Job.objects.select_related("replacement__trash").get(pk=job.pk)


def _is_offered(job: Job) -> bool:
    """By both forms of the rule, which must agree."""
    found = Job.objects.select_related("replacement__trash").get(pk=job.pk)
    of_many, of_one = undoable_jobs().filter(pk=job.pk), is_undoable(found, found.replacement)
    assert of_many.exists() is of_one, (found.status, found.replacement.state)
    return of_one


def test_of_all_states_only_these_can_be_undone() -> None:
    job = rows.make_replaced()
    offered = set()
    for status, journal, trash in product(JobStatus.values, JournalState.values, TrashState.values):
        _make(job, status, journal, trash)
        if _is_offered(job):
            offered.add((status, journal, trash))
    settled = {(JobStatus.COMPLETED, JournalState.DONE, trash) for trash in IN_THE_TRASH}
    both_names = product(ACTIVE, [JournalState.PUBLISHED], TrashState.values)
    assert offered == settled | set(both_names)


@pytest.mark.parametrize("stuck_from", ["undoing", "swapping"])
def test_an_undo_that_got_stuck_can_be_asked_for_again(
    as_operator: Client, stuck_from: str
) -> None:
    job = rows.make_replaced()
    _make(job, JobStatus.COMPLETED, JournalState.STUCK, TrashState.KEPT, stuck_from)
    Replacement.objects.update(detail="something came between")
    is_undo = stuck_from == "undoing"
    assert _is_offered(job) is is_undo
    text = as_operator.get(reverse("transcode:job_detail", args=[job.pk])).content.decode()
    words = "Putting it back stopped: something came between. Look at the files"
    assert (words in text) is is_undo
    assert (reverse("transcode:job_undo_ask", args=[job.pk]) in text) is is_undo


def test_what_was_undone_or_lies_beside_the_original_is_not_offered() -> None:
    undone = rows.make_replaced(undone_at=timezone.now())
    beside = rows.make_replaced()
    Replacement.objects.filter(job=beside).update(mode=OutputMode.BESIDE)
    nothing = rows.make_job(JobStatus.COMPLETED)
    assert not _is_offered(undone)
    assert not _is_offered(beside)
    assert not undoable_jobs().filter(pk=nothing.pk).exists()
    assert not is_undoable(nothing, None)


def test_while_both_names_exist_the_jobs_page_offers_to_undo(as_operator: Client) -> None:
    job = rows.make_replaced()
    TrashEntry.objects.all().delete()
    _make(job, JobStatus.RUNNING, JournalState.PUBLISHED, None)
    text = as_operator.get(reverse("transcode:job_detail", args=[job.pk])).content.decode()
    assert "The original and the new file are both there" in text
    ask = reverse("transcode:job_undo_ask", args=[job.pk])
    assert ask in text
    assert "The original keeps its name" in as_operator.get(ask).content.decode()
    assert as_operator.post(reverse("transcode:job_undo", args=[job.pk])).status_code == 302


def test_an_original_whose_purge_was_cut_short_still_lies_in_the_trash(
    as_operator: Client, operator: User, rf: Any
) -> None:
    """Everywhere alike: it takes room, it is counted, it can be put back."""
    job = rows.make_replaced(trash=TrashState.PURGING, size_bytes=7)
    assert (trash_summary().kept_count, trash_summary().kept_bytes) == (1, 7)
    assert read_totals(jobs_matching(HistoryForm({}))).will_be_freed_bytes == 7
    assert _is_offered(job)
    assert report_jobs([job.pk])[0]["trash_path"] == "/films/Films/.mediaflow/trash/a.mkv"
    due_on = (timezone.now() - timedelta(days=1) + timedelta(days=14)).date()
    original = read_original(Job.objects.get())
    assert (original.state, original.due_on, original.can_undo) == ("kept", due_on, True)
    text = as_operator.get(reverse("transcode:job_detail", args=[job.pk])).content.decode()
    assert "Until then it can be put back." in text
    request = rf.get("/")
    request.user = operator
    panel = hooks.film_panel(request, job.file or pytest.fail("no film"))
    assert panel is not None
    assert panel.timeline[0].undo_url
