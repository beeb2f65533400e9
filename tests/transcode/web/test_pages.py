"""Every page of the queue for everybody: it answers, says what it should, and asks for a login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.transcode.web import rows
from transcode.models import JobStatus

if TYPE_CHECKING:
    from django.test import Client

PAGES = ("queue", "history", "preset_list")
FRAGMENTS = ("queue_running", "queue_waiting", "queue_side", "dock")
HTMX = {"HX-Request": "true"}
NASTY = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize("name", [*PAGES, *FRAGMENTS])
def test_pages_ask_strangers_for_a_login(client: Client, db: None, name: str) -> None:
    response = client.get(reverse(f"transcode:{name}"))
    assert response.status_code == 302
    assert "login" in response["Location"]


@pytest.mark.parametrize("name", [*PAGES, *FRAGMENTS])
def test_pages_answer_only_to_reading(as_viewer: Client, name: str) -> None:
    assert as_viewer.post(reverse(f"transcode:{name}")).status_code == 405


@pytest.mark.parametrize("name", FRAGMENTS)
def test_fragments_are_no_whole_pages(as_viewer: Client, name: str) -> None:
    rows.make_job(JobStatus.RUNNING)
    response = as_viewer.get(reverse(f"transcode:{name}"), headers=HTMX)
    assert response.status_code == 200
    assert b"<html" not in response.content


@pytest.mark.parametrize("status", JobStatus.values)
def test_a_job_in_any_state_shows_on_every_page(as_operator: Client, status: str) -> None:
    job = rows.make_job(status, title=NASTY, reason=NASTY, progress_note=NASTY)
    rows.add_attempt(job, reason=NASTY)
    job_url = reverse("transcode:job_detail", args=[job.pk])
    for url in [job_url, *(reverse(f"transcode:{name}") for name in (*PAGES, *FRAGMENTS))]:
        response = as_operator.get(url)
        assert response.status_code == 200, url
        assert b"<img src=x" not in response.content, url
    assert b"&lt;img src=x" in as_operator.get(job_url).content


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_an_empty_installation_say_what_to_do_next(as_viewer: Client, name: str) -> None:
    response = as_viewer.get(reverse(f"transcode:{name}"))
    assert response.status_code == 200
    if name != "preset_list":
        assert b"Go to the library" in response.content


def test_a_job_that_does_not_exist_is_not_found(as_viewer: Client) -> None:
    assert as_viewer.get(reverse("transcode:job_detail", args=[999])).status_code == 404
    assert as_viewer.get(f"/queue/{2**70}/").status_code == 404
