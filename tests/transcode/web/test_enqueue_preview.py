"""Queueing from pages: what would happen, counted right, then exactly that."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

import mediaflow.urls  # noqa: F401 - all pages are loaded before a test patches a limit
from library.listing import exact_count, selection
from library.models import FileState, MediaFile
from mediaflow.base.hooks import hooked
from mediaflow.base.lazy import LoadedOnCall
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.transcode.web import rows
from transcode import services
from transcode.models import Job, JobStatus, OutputMode
from transcode.pages import enqueue_preview
from transcode.pages import hooks as page_hooks
from transcode.pages.live import live_parts

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from mediaflow.accounts.models import User

HTMX = {"HX-Request": "true"}
PREVIEW = "transcode:enqueue_preview"
CONFIRM = "transcode:enqueue_confirm"


def said(response: Any) -> str:
    return " ".join(str(m) for m in get_messages(response.wsgi_request))


def preview_of(client: Client, **values: Any) -> Any:
    response = client.post(reverse(PREVIEW), values)
    assert response.status_code == 200, said(response)
    return response.context["preview"]


def test_the_preview_counts_what_is_queued_and_groups_what_is_not(as_operator: Client) -> None:
    good = [rows.make_file() for _ in range(3)]
    missing = [rows.make_file(availability="missing") for _ in range(2)]
    busy = rows.make_job().file
    assert busy is not None
    preview = preview_of(
        as_operator, ids=[f.pk for f in (*good, *missing, busy)], preset="balanced"
    )
    assert (preview.selected, preview.count, preview.size_bytes) == (6, 3, 30 * rows.GB)
    assert [(g.code, g.count) for g in preview.skipped] == [("missing", 2), ("already_queued", 1)]
    assert preview.saving.low < preview.saving.expected < preview.saving.high
    assert preview.saving.basis == "rule"
    assert not Job.objects.exclude(file=busy).exists()


def test_all_that_match_is_the_whole_filter(as_operator: Client) -> None:
    for _ in range(3):
        rows.make_file(video_codec="vc1")
    rows.make_file(video_codec="hevc")
    preview = preview_of(as_operator, select="all", q="codec=vc1")
    assert preview.selected == 3


def test_another_preset_is_shown_by_htmx_and_by_a_plain_form(as_operator: Client) -> None:
    ids = [rows.make_file().pk, rows.make_file().pk]
    values = {"ids": ids, "preset": "storage-saver"}
    fragment = as_operator.post(reverse(PREVIEW), values, headers=HTMX)
    assert b"<html" not in fragment.content
    assert fragment.context["preview"].preset.slug == "storage-saver"
    whole = as_operator.post(reverse(PREVIEW), values)
    assert b"<html" in whole.content
    assert f'formaction="{reverse(PREVIEW)}"' in whole.content.decode()


def test_one_film_shows_why_it_would_be_refused(as_operator: Client) -> None:
    film = rows.make_file("Nowhere")
    response = as_operator.post(reverse(PREVIEW), {"ids": film.pk})
    assert b"It would be refused before encoding." in response.content
    assert response.context["preview"].single.file == film


def test_an_ignored_film_is_queued_only_when_it_is_named_alone(as_operator: Client) -> None:
    ignored, plain = rows.make_file(state=FileState.IGNORED), rows.make_file()
    assert preview_of(as_operator, ids=[ignored.pk]).count == 1
    assert preview_of(as_operator, ids=[ignored.pk, plain.pk]).count == 1


def test_confirming_queues_exactly_what_the_preview_said(as_operator: Client) -> None:
    good = [rows.make_file() for _ in range(2)]
    bad = rows.make_file(availability="missing")
    values = {"ids": [f.pk for f in (*good, bad)], "preset": "balanced", "priority": "10"}
    response = as_operator.post(reverse(CONFIRM), values)
    assert response.headers["Location"] == reverse("transcode:queue")
    assert said(response) == "2 films are queued, 1 left out."
    jobs = Job.objects.all()
    assert {job.file_id for job in jobs} == {f.pk for f in good}
    assert {(job.priority, job.output_mode) for job in jobs} == {(10, OutputMode.REPLACE)}
    assert {job.requested_by.username for job in jobs if job.requested_by} == {"olga"}


def test_by_htmx_the_queue_opens(as_operator: Client) -> None:
    values = {"ids": rows.make_file().pk, "preset": "balanced", "mode": "beside"}
    response = as_operator.post(reverse(CONFIRM), values, headers=HTMX)
    assert response.headers["HX-Redirect"] == reverse("transcode:queue")
    assert Job.objects.get().output_mode == OutputMode.BESIDE


def test_a_second_click_queues_nothing_twice(as_operator: Client) -> None:
    values = {"ids": rows.make_file().pk, "preset": "balanced"}
    as_operator.post(reverse(CONFIRM), values)
    response = as_operator.post(reverse(CONFIRM), values)
    assert said(response).endswith("It is already in the queue.")
    assert Job.objects.count() == 1


def test_many_films_are_queued_by_an_operation(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "DIRECT_LIMIT", 2)
    for _ in range(3):
        rows.make_file()
    response = as_operator.post(reverse(CONFIRM), {"select": "all", "q": "", "preset": "balanced"})
    operation = Operation.objects.get(kind="enqueue")
    assert response.headers["Location"] == reverse("operation", args=[operation.pk])
    assert not Job.objects.exists()


def test_the_first_films_are_named_with_size_saving_and_reason(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueue_preview, "SHOWN_FILMS", 2)
    good = [rows.make_file(f"Good {letter}") for letter in "ABC"]
    bad = [rows.make_file(f"Bad {letter}", availability="missing") for letter in "ABCD"]
    response = as_operator.post(reverse(PREVIEW), {"ids": [f.pk for f in (*good, *bad)]})
    preview = response.context["preview"]
    assert [film.name.title for film in preview.films] == ["Good A", "Good B"]
    assert all(film.saving and film.size_bytes == 10 * rows.GB for film in preview.films)
    assert [film.name.title for film in preview.left_out] == ["Bad A", "Bad B"]
    text = response.content.decode()
    assert "… and 1 more" in text
    assert "… and 2 more" in text
    assert text.count("It is missing; scan its folder again.") == 3  # two films and their group


def count_beyond_limit(page: Client, **values: str) -> tuple[Operation, str]:
    """Open the preview of all that match; the count that it began, and what the page says."""
    response = page.post(reverse(PREVIEW), {"select": "all", "q": "", **values})
    return response.context["counting"].operation, response.content.decode()


def test_very_many_films_are_counted_exactly_before_the_button_comes(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "EXACT_UP_TO", 3)
    monkeypatch.setattr(exact_count, "WINDOW_IDS", 2)
    for _ in range(4):
        rows.make_file()
    rows.make_file(availability="missing")
    operation, early = count_beyond_limit(as_operator, preset="balanced")
    assert "Counting…" in early
    assert "Queue 4" not in early
    again = as_operator.get(
        f"{reverse(PREVIEW)}?select=all&q=&preset=balanced&counted={operation.pk}"
    )
    assert again.context["counting"].operation == operation
    url = re.search(r'hx-get="([^"]*poll=1)"', again.content.decode())
    assert url is not None
    address = unescape(url.group(1))
    assert 'id="preview"' not in as_operator.get(address, headers=HTMX).content.decode()
    run_operation_here(operation)
    answer = as_operator.get(address, headers=HTMX)
    assert answer.headers["HX-Retarget"] == "#preview"
    preview = answer.context["preview"]
    assert (preview.selected, preview.count, preview.size_bytes) == (5, 4, 40 * rows.GB)
    assert [(g.code, g.count) for g in preview.skipped] == [("missing", 1)]
    text = answer.content.decode()
    assert "Queue 4\u00a0films" in text
    assert f'name="counted" value="{operation.pk}"' in text


def test_very_many_films_are_queued_only_as_they_were_counted(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "EXACT_UP_TO", 3)
    for _ in range(4):
        rows.make_file()
    values = {"select": "all", "q": "", "preset": "balanced"}
    response = as_operator.post(reverse(CONFIRM), values)
    assert response.headers["Location"].startswith(f"{reverse(PREVIEW)}?select=all")
    assert not Operation.objects.filter(kind="enqueue").exists()
    counted, _text = count_beyond_limit(as_operator, preset="balanced")
    run_operation_here(counted)
    other = {**values, "preset": "storage-saver", "counted": str(counted.pk)}
    assert "select=all" in as_operator.post(reverse(CONFIRM), other).headers["Location"]
    assert not Operation.objects.filter(kind="enqueue").exists()
    as_operator.post(reverse(CONFIRM), {**values, "counted": str(counted.pk)})
    assert Operation.objects.filter(kind="enqueue").count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"ids": ""},
        {"ids": "x"},
        {"ids": "-1"},
        {"ids": "1", "mode": "folder"},
        {"ids": "1", "priority": "x"},
        {"select": "all", "q": "nonsense=1"},
        {"select": "all", "q": "size_min=-5"},
    ],
)
@pytest.mark.parametrize("name", [PREVIEW, CONFIRM])
def test_what_cannot_be_queued_is_a_sentence(
    as_operator: Client, name: str, values: dict[str, str]
) -> None:
    response = as_operator.post(reverse(name), {"preset": "balanced", **values})
    assert response.status_code == 302
    assert said(response)
    assert not Job.objects.exists()


def test_an_unknown_preset_queues_nothing(as_operator: Client) -> None:
    response = as_operator.post(reverse(CONFIRM), {"ids": rows.make_file().pk, "preset": "none"})
    assert "choose a preset" in said(response)
    assert not Job.objects.exists()


def test_a_priority_out_of_bounds_queues_nothing(as_operator: Client) -> None:
    values = {"ids": rows.make_file().pk, "preset": "balanced", "priority": "500"}
    assert "priority" in said(as_operator.post(reverse(CONFIRM), values))
    assert not Job.objects.exists()


def test_a_viewer_queues_nothing(as_viewer: Client, viewer: User) -> None:
    client, film = as_viewer, rows.make_file()
    for name in (PREVIEW, CONFIRM):
        assert client.post(reverse(name), {"ids": film.pk}).status_code == 403
    assert page_hooks.bulk_action(viewer) is None


def test_the_preview_asks_as_often_for_many_films_as_for_few(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ids = [rows.make_file().pk for _ in range(2)]
    with django_assert_max_num_queries(40) as few:
        preview_of(as_operator, ids=ids)
    ids += [rows.make_file().pk for _ in range(20)]
    with django_assert_max_num_queries(len(few)):
        preview_of(as_operator, ids=ids)


def test_titles_are_text(as_operator: Client) -> None:
    film = rows.make_file("<script>alert(1)</script>")
    response = as_operator.post(reverse(PREVIEW), {"ids": film.pk})
    assert b"<script>alert" not in response.content


def test_the_pages_hooks_are_registered_and_name_what_they_do(operator: User) -> None:
    assert LoadedOnCall("transcode.pages.hooks.nav_counts") in hooked("nav_counts")
    action = page_hooks.bulk_action(operator)
    assert action is not None
    assert action.url == reverse(PREVIEW)
    assert [p["value"] for p in action.presets if p["is_default"]] == ["balanced"]


def test_the_sidebar_counts_what_runs_else_what_waits(operator: User) -> None:
    rows.make_job()
    rows.make_job()
    waiting = page_hooks.nav_counts(operator)["transcode:queue"]
    assert (waiting.count, waiting.is_running) == (2, False)
    rows.make_job(JobStatus.RUNNING)
    live_parts.clear()
    running = page_hooks.nav_counts(operator)["transcode:queue"]
    assert (running.count, running.is_running) == (1, True)


def test_the_film_page_gets_its_jobs_and_undo(rf: Any, operator: User, viewer: User) -> None:
    job = rows.make_replaced()
    assert job.file is not None
    request = rf.get("/")
    request.user = operator
    panel = page_hooks.film_panel(request, job.file)
    assert panel is not None
    assert panel.timeline[0].undo_url == reverse("transcode:job_undo", args=[job.pk])
    assert panel.stats[0]["label"] == "Smaller by"
    request.user = viewer
    seen = page_hooks.film_panel(request, job.file)
    assert seen is not None
    assert seen.timeline[0].undo_url == ""
    assert page_hooks.film_panel(request, rows.make_file()) is None


def test_a_film_in_the_queue_shows_its_job(rf: Any, operator: User) -> None:
    job = rows.make_job(JobStatus.RUNNING)
    request = rf.get("/")
    request.user = operator
    panel = page_hooks.film_panel(request, MediaFile.objects.get(jobs=job))
    assert panel is not None
    assert panel.template == "transcode/_film_panel.html"
