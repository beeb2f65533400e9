"""What people do with jobs from pages: with and without scripts, and who may not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.operations import run_operation_here
from mediaflow.base.settings_store import get_setting
from tests.transcode.web import rows
from transcode.models import Job, JobStatus
from transcode.pages.waiting_list import read_waiting

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

HTMX = {"HX-Request": "true"}
JOB_POSTS = (
    "job_pause",
    "job_stop",
    "job_resume",
    "job_cancel",
    "job_retry",
    "job_priority",
    "job_undo",
)
QUEUE_POSTS = ("queue_pause", "queue_resume", "job_move", "jobs_cancel", "enqueue_confirm")
ADMIN_POSTS = ("trash_purge", "preset_import", "preset_new")


def order() -> list[int]:
    return [row.id for row in read_waiting().rows]


def said(response: Any) -> str:
    """The message a plain form's answer leaves for the next page."""
    return " ".join(str(m) for m in get_messages(response.wsgi_request))


def toast(response: Any) -> dict[str, str]:
    found: dict[str, str] = json.loads(response.headers["HX-Trigger"])["mf:toast"]
    return found


def url(name: str, *args: object) -> str:
    return reverse(f"transcode:{name}", args=args)


@pytest.mark.parametrize("name", JOB_POSTS)
def test_a_viewer_changes_no_job(as_viewer: Client, name: str) -> None:
    job = rows.make_job()
    response = as_viewer.post(url(name, job.pk), {"priority": "5"})
    assert response.status_code == 403
    job.refresh_from_db()
    assert (job.status, job.priority, job.is_paused) == (JobStatus.QUEUED, 0, False)


@pytest.mark.parametrize("name", QUEUE_POSTS)
def test_a_viewer_changes_no_queue(as_viewer: Client, name: str) -> None:
    assert as_viewer.post(url(name)).status_code == 403


@pytest.mark.parametrize("name", ADMIN_POSTS)
def test_an_operator_does_not_do_what_admins_do(as_operator: Client, name: str) -> None:
    assert as_operator.post(url(name)).status_code == 403


@pytest.mark.parametrize("name", JOB_POSTS)
def test_a_look_changes_nothing(as_operator: Client, name: str) -> None:
    assert as_operator.get(url(name, rows.make_job().pk)).status_code == 405


@pytest.mark.parametrize("name", QUEUE_POSTS)
def test_a_look_at_the_queues_verbs_changes_nothing(as_operator: Client, name: str) -> None:
    assert as_operator.get(url(name)).status_code == 405


@pytest.mark.parametrize("name", JOB_POSTS)
def test_a_post_without_the_token_is_refused(operator: User, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.post(url(name, rows.make_job().pk)).status_code == 403


def test_dragging_puts_a_job_between_its_new_neighbours(as_operator: Client) -> None:
    a, b, c = rows.make_job(), rows.make_job(), rows.make_job()
    values = {"job": c.pk, "after": a.pk, "before": b.pk}
    response = as_operator.post(url("job_move"), values, headers=HTMX)
    assert response.status_code == 204
    assert order() == [a.pk, c.pk, b.pk]
    as_operator.post(url("job_move"), {"job": a.pk, "after": b.pk, "before": ""}, headers=HTMX)
    assert order() == [c.pk, b.pk, a.pk]


@pytest.mark.parametrize(
    ("to", "places"),
    [("top", "2013"), ("up", "0213"), ("down", "0132"), ("end", "0132")],
)
def test_a_form_moves_a_job_without_scripts(as_operator: Client, to: str, places: str) -> None:
    jobs = [rows.make_job() for _ in range(4)]
    response = as_operator.post(url("job_move"), {"job": jobs[2].pk, "to": to})
    assert response.status_code == 302
    assert order() == [jobs[int(n)].pk for n in places]


@pytest.mark.parametrize(("place", "to"), [(0, "top"), (0, "up"), (2, "down"), (2, "end")])
def test_a_job_at_the_end_of_the_way_stays(as_operator: Client, place: int, to: str) -> None:
    jobs = [rows.make_job() for _ in range(3)]
    response = as_operator.post(url("job_move"), {"job": jobs[place].pk, "to": to})
    assert said(response) == "It is there already."
    assert order() == [job.pk for job in jobs]


def test_moving_crosses_priorities(as_operator: Client) -> None:
    urgent, plain = rows.make_job(priority=5), rows.make_job()
    as_operator.post(url("job_move"), {"job": plain.pk, "to": "up"})
    assert order() == [plain.pk, urgent.pk]
    as_operator.post(url("job_move"), {"job": plain.pk, "to": "down"})
    assert order() == [urgent.pk, plain.pk]


@pytest.mark.parametrize("job", ["", "x", "-1", "9" * 30])
def test_moving_what_is_no_job_is_a_sentence(as_operator: Client, job: str) -> None:
    response = as_operator.post(url("job_move"), {"job": job, "to": "top"}, headers=HTMX)
    assert response.status_code == 409
    assert "no job" in toast(response)["text"]


@pytest.mark.parametrize("text", ["", "x", "101", "-101", "1.5", "99999999999"])
def test_a_priority_that_cannot_be_is_a_sentence(as_operator: Client, text: str) -> None:
    job = rows.make_job()
    response = as_operator.post(url("job_priority", job.pk), {"priority": text})
    assert "priority" in said(response)
    job.refresh_from_db()
    assert job.priority == 0


def test_priority_pause_and_resume_reach_the_job(as_operator: Client) -> None:
    job = rows.make_job()
    as_operator.post(url("job_priority", job.pk), {"priority": "-7"})
    as_operator.post(url("job_pause", job.pk))
    job.refresh_from_db()
    assert (job.priority, job.is_paused) == (-7, True)
    as_operator.post(url("job_resume", job.pk))
    job.refresh_from_db()
    assert not job.is_paused
    assert AuditEvent.objects.filter(action="job.pause", actor_name="olga").exists()


@pytest.mark.parametrize("name", ["job_pause", "job_resume", "job_cancel"])
def test_what_is_over_is_left_alone(as_operator: Client, name: str) -> None:
    job = rows.make_job(JobStatus.COMPLETED)
    response = as_operator.post(url(name, job.pk), headers=HTMX)
    assert response.status_code == 409
    assert toast(response)["level"] == "error"


def test_cancel_asks_first_then_says_what_was_not_touched(as_operator: Client) -> None:
    job = rows.make_job(title="Copper Weather")
    question = as_operator.get(url("job_cancel_ask", job.pk))
    assert b"Cancel Copper Weather?" in question.content
    assert b"not touched" in question.content
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED
    assert "not touched" in said(as_operator.post(url("job_cancel", job.pk)))
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


def test_the_question_is_a_fragment_for_the_modal(as_operator: Client) -> None:
    job = rows.make_job()
    assert b"<html" not in as_operator.get(url("job_cancel_ask", job.pk), headers=HTMX).content
    assert b"<html" in as_operator.get(url("job_cancel_ask", job.pk)).content


def test_a_running_job_is_asked_to_stop(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING)
    assert "few seconds" in said(as_operator.post(url("job_cancel", job.pk)))
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    assert job.cancel_requested_at is not None


def test_a_held_job_goes_on(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.HELD)
    as_operator.post(url("job_retry", job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED


def test_running_again_is_a_new_job_and_its_page_opens(as_operator: Client) -> None:
    old = rows.make_job(JobStatus.FAILED)
    response = as_operator.post(url("job_retry", old.pk), headers=HTMX)
    new = Job.objects.get(rerun_of=old)
    assert response.headers["HX-Redirect"] == url("job_detail", new.pk)


def test_the_queue_is_paused_with_a_reason_everybody_reads(as_operator: Client) -> None:
    as_operator.post(url("queue_pause"), {"reason": "Film night"})
    assert get_setting("queue_paused") is True
    assert b"Film night" in as_operator.get(url("queue")).content
    as_operator.post(url("queue_resume"))
    assert get_setting("queue_paused") is False


def test_a_reason_that_is_too_long_is_a_form_error(as_operator: Client) -> None:
    response = as_operator.post(url("queue_pause"), {"reason": "x" * 301})
    assert response.status_code == 422
    assert get_setting("queue_paused") is False


def test_ticked_jobs_are_cancelled_after_a_question_that_counts_them(as_operator: Client) -> None:
    jobs = [rows.make_job() for _ in range(3)]
    ids = {"ids": [jobs[0].pk, jobs[2].pk]}
    assert b"Cancel 2 jobs?" in as_operator.post(url("jobs_cancel_ask"), ids).content
    assert order() == [job.pk for job in jobs]
    as_operator.post(url("jobs_cancel"), ids)
    assert order() == [jobs[1].pk]


def test_cancelling_all_is_an_operation_that_leaves_running_and_held_ones(
    as_operator: Client,
) -> None:
    running, held = rows.make_job(JobStatus.RUNNING), rows.make_job(JobStatus.HELD)
    waiting = [rows.make_job() for _ in range(3)]
    assert b"Cancel 3 jobs?" in as_operator.get(url("jobs_cancel_ask"), {"select": "all"}).content
    response = as_operator.post(url("jobs_cancel"), {"select": "all"})
    operation = Operation.objects.get(kind="cancel_jobs")
    assert response.headers["Location"] == reverse("operation", args=[operation.pk])
    assert run_operation_here(operation).result == {"cancelled": 3}
    states = dict(Job.objects.values_list("pk", "status"))
    assert states[running.pk] == JobStatus.RUNNING
    assert states[held.pk] == JobStatus.HELD
    assert {states[job.pk] for job in waiting} == {JobStatus.CANCELLED}


@pytest.mark.parametrize("values", [{}, {"ids": "x"}, {"ids": ""}])
def test_cancelling_nothing_is_a_sentence(as_operator: Client, values: dict[str, str]) -> None:
    response = as_operator.post(url("jobs_cancel_ask"), values)
    assert response.status_code == 302
    assert said(response)


def test_the_menu_of_a_job_works_as_a_page(as_operator: Client) -> None:
    job = rows.make_job()
    whole = as_operator.get(url("job_actions", job.pk)).content.decode()
    assert "<html" in whole
    for action in ("job_priority", "job_pause", "job_cancel"):
        assert f'action="{url(action, job.pk)}"' in whole
    assert "<html" not in as_operator.get(url("job_actions", job.pk), headers=HTMX).content.decode()


def test_the_answer_goes_back_only_to_our_own_pages(as_operator: Client) -> None:
    job = rows.make_job()
    values = {"next": "https://evil.example/"}
    assert as_operator.post(url("job_pause", job.pk), values).headers["Location"] == url("queue")
    values = {"next": url("job_detail", job.pk)}
    back = as_operator.post(url("job_resume", job.pk), values).headers["Location"]
    assert back == url("job_detail", job.pk)
