"""The queue page: what it shows, how little it asks the database, when it answers 204."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.transcode.web import rows
from transcode import services
from transcode.models import Job, JobStatus
from transcode.pages.live import live_parts
from transcode.pages.waiting_list import WaitingCursor, read_cursor, read_waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from mediaflow.accounts.models import User

HTMX = {"HX-Request": "true"}


def text_of(client: Client, name: str = "queue", query: str = "") -> str:
    live_parts.clear()
    return client.get(reverse(f"transcode:{name}") + query).content.decode()


def test_a_running_job_shows_its_figures(as_operator: Client) -> None:
    rows.make_job(
        JobStatus.RUNNING,
        title="Hollow Meridian",
        progress_pct=64.0,
        fps=49.0,
        speed=2.04,
        eta_s=1740,
        bytes_so_far=26 * rows.GB,
        predicted_bytes=41 * rows.GB,
        progress_note="136,320 of 212,910 frames",
    )
    text = text_of(as_operator)
    for shown in ("Hollow Meridian", "64", "49.0", "2.0×", "29\u00a0min left", "26.0", "41.0"):
        assert shown in text, shown
    assert 'aria-current="step"' in text
    assert "136,320 of 212,910 frames" in text


@pytest.mark.parametrize(("bytes_so_far", "is_beyond"), [(40_000_000, False), (49_000_000, True)])
def test_a_film_beyond_its_prediction_does_not_promise_it_any_more(
    as_operator: Client, bytes_so_far: int, is_beyond: bool
) -> None:
    values: dict[str, Any] = {"predicted_bytes": 25_100_000, "predicted_bytes_low": 14_000_000}
    values |= {"predicted_bytes_high": 43_000_000, "bytes_so_far": bytes_so_far}
    job = rows.make_job(JobStatus.RUNNING, **values)
    for url in (reverse("transcode:queue"), reverse("transcode:job_detail", args=[job.pk])):
        shown = as_operator.get(url).content.decode()
        assert (
            "predicted 25.1 MB" in shown.replace("\u202f", " ").replace("\xa0", " ")
        ) is is_beyond


def test_unknown_progress_is_never_printed_as_zero(as_operator: Client) -> None:
    rows.make_job(JobStatus.RUNNING, progress_pct=None)
    text = text_of(as_operator, "queue_running")
    assert "<b>0" not in text
    assert "None" not in text
    assert "<progress max" in re.sub(r"\s+", " ", text)


def test_verifying_says_so_instead_of_zero_per_cent(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING, phase="verify", progress_pct=0.0, eta_s=None)
    live = as_operator.get(reverse("transcode:job_live", args=[job.pk]) + "?status=running")
    for text in (text_of(as_operator, "queue_running"), live.text):
        assert "verifying" in text
        assert "<b>0" not in text
        assert "<progress max" in re.sub(r"\s+", " ", text)


def test_the_remaining_time_comes_when_it_is_known(as_operator: Client) -> None:
    rows.make_job(JobStatus.RUNNING, progress_pct=3.0, eta_s=86_400)
    assert " left" not in text_of(as_operator, "queue_running")
    Job.objects.update(progress_pct=6.0)
    assert " left" in text_of(as_operator, "queue_running")


def test_the_dock_keeps_the_figure_of_the_sidebar_fresh(as_operator: Client) -> None:
    def figure(text: str) -> str:
        found = re.search(r'<span class="n[^>]*id="nav-queue"[^>]*>(?:<span[^>]*></span>)?', text)
        assert found is not None
        assert text.count('id="nav-queue"') == 1
        return found.group(0) + text[found.end() :].partition("<")[0]

    anywhere = reverse("transcode:history")
    assert "hidden" in figure(as_operator.get(anywhere).text)
    rows.make_job()
    rows.make_job(JobStatus.HELD)
    assert figure(text_of(as_operator, "dock")).endswith(' hx-swap-oob="true">2')
    assert figure(as_operator.get(anywhere).text).endswith('id="nav-queue">2')
    rows.make_job(JobStatus.RUNNING)
    assert figure(text_of(as_operator, "dock")).endswith("</span>1")
    assert "n-run" in figure(text_of(as_operator, "dock"))


def test_cancelling_ticked_jobs_is_marked_as_taking_away_and_says_what_it_does(
    as_operator: Client,
) -> None:
    rows.make_job()
    text = text_of(as_operator, "queue_waiting")
    assert re.search(r'class="btn btn-danger" data-bulk-verb', text)
    assert "They leave the queue; no film is touched. You are asked first." in text


def test_a_retry_says_when_and_why(as_operator: Client) -> None:
    rows.make_job(
        JobStatus.RETRY_WAIT,
        reason="The disk is full.",
        not_before=timezone.now() + timedelta(minutes=5),
        attempt=1,
    )
    text = text_of(as_operator)
    assert "again" in text
    assert "The disk is full." in text


def test_a_held_job_says_what_is_needed_and_can_be_let_go(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.HELD, reason="Look at it first.")
    text = text_of(as_operator)
    assert "Needs you" in text
    assert "Look at it first." in text
    assert reverse("transcode:job_retry", args=[job.pk]) in text


def test_a_viewer_sees_everything_and_may_press_nothing(as_viewer: Client) -> None:
    rows.make_job(JobStatus.RUNNING)
    rows.make_job(JobStatus.HELD)
    rows.make_job()
    text = text_of(as_viewer)
    main = text[text.index('<main id="main"') : text.index("</main>")]
    assert "queue/pause" not in main
    assert "job_cancel" not in main
    assert "data-grip" not in main
    assert main.count("<button") == 0


def test_the_waiting_list_is_in_the_order_of_the_queue(db: None) -> None:
    low = rows.make_job(priority=-1, position=1)
    second = rows.make_job(position=20)
    first = rows.make_job(JobStatus.RETRY_WAIT, position=10)
    urgent = rows.make_job(priority=5, position=99)
    found = [row.id for row in read_waiting().rows]
    assert found == [urgent.pk, first.pk, second.pk, low.pk]


def test_pages_of_the_waiting_list_join_without_gap_or_repeat(db: None) -> None:
    jobs = [rows.make_job(priority=n % 3, position=n // 2) for n in range(11)]
    Job.objects.filter(pk__in=[job.pk for job in jobs[:4]]).update(status=JobStatus.RETRY_WAIT)
    seen: list[int] = []
    cursor: WaitingCursor | None = None
    for _ in range(9):
        page = read_waiting(cursor, rows=3)
        seen += [row.id for row in page.rows]
        assert [row.place for row in page.rows] == list(
            range(len(seen) - len(page.rows) + 1, len(seen) + 1)
        )
        if not page.next_cursor:
            break
        cursor = read_cursor(page.next_cursor)
    ordered = Job.objects.order_by("-priority", "position", "id").values_list("pk", flat=True)
    assert seen == list(ordered)


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.-4", "9" * 100, "1.2.3.4.5", "a.b.c.d"])
def test_a_cursor_nobody_wrote_is_the_first_page(text: str) -> None:
    assert read_cursor(text) is None


def test_the_page_asks_as_often_for_many_jobs_as_for_few(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        rows.make_job(JobStatus.RUNNING)
        rows.make_job(JobStatus.HELD)
        rows.make_job()
        rows.make_job(JobStatus.COMPLETED)
    text_of(as_operator)
    live_parts.clear()
    with django_assert_max_num_queries(40) as few:
        as_operator.get(reverse("transcode:queue"))
    for _ in range(12):
        rows.make_job(JobStatus.RUNNING)
        rows.make_job(JobStatus.HELD)
        rows.make_job()
        rows.make_job(JobStatus.COMPLETED)
    live_parts.clear()
    with django_assert_max_num_queries(len(few)):
        as_operator.get(reverse("transcode:queue"))


FRAGMENTS = ("queue_running", "queue_waiting", "queue_side", "dock")


def version_in(text: str) -> str:
    found = re.search(r"[?&]v=([0-9a-f]{16})", text)
    assert found, text[:400]
    return found.group(1)


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_poll_of_what_did_not_change_is_empty(as_operator: Client, name: str) -> None:
    rows.make_job(JobStatus.RUNNING)
    rows.make_job()
    version = version_in(text_of(as_operator, name))
    live_parts.clear()
    again = as_operator.get(reverse(f"transcode:{name}"), {"v": version}, headers=HTMX)
    assert again.status_code == 204
    assert again.content == b""


@pytest.mark.parametrize("name", ["queue_running", "dock"])
def test_progress_is_a_new_version(as_operator: Client, name: str) -> None:
    job = rows.make_job(JobStatus.RUNNING, progress_pct=10.0)
    version = version_in(text_of(as_operator, name))
    Job.objects.filter(pk=job.pk).update(progress_pct=20.0, progress_seq=2)
    live_parts.clear()
    assert as_operator.get(reverse(f"transcode:{name}"), {"v": version}).status_code == 200


def test_moving_and_pausing_are_new_versions_of_the_waiting_list(as_operator: Client) -> None:
    first, second = rows.make_job(), rows.make_job()
    seen = {version_in(text_of(as_operator, "queue_waiting"))}
    services.move_job(second.pk, actor=None, before=first.pk)
    seen.add(version_in(text_of(as_operator, "queue_waiting")))
    services.pause_job(first.pk, actor=None)
    seen.add(version_in(text_of(as_operator, "queue_waiting")))
    assert len(seen) == 3


def test_a_poll_within_a_second_asks_for_nothing_but_the_reader(
    as_operator: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_parts, "_clock", lambda: 1.0)  # however slow this machine is
    rows.make_job(JobStatus.RUNNING)
    as_operator.get(reverse("transcode:queue_running"))
    with django_assert_max_num_queries(2):
        as_operator.get(reverse("transcode:queue_running"))


def test_every_reader_gets_a_token_of_their_own(
    client_for: Callable[[User], Client], operator: User, admin_user: User
) -> None:
    rows.make_job(JobStatus.RUNNING)
    tokens = set()
    for user in (operator, admin_user):
        text = client_for(user).get(reverse("transcode:queue_running")).content.decode()
        assert "csrf-token-of-the-reader" not in text
        tokens.update(re.findall(r'csrfmiddlewaretoken" value="(\w+)"', text))
    assert len(tokens) == 2


def test_the_poll_brings_the_line_under_the_heading_along_but_the_page_has_it_once(
    as_operator: Client,
) -> None:
    rows.make_job(JobStatus.RUNNING)
    assert text_of(as_operator).count('id="queue-summary"') == 1
    assert 'hx-swap-oob="true"' in text_of(as_operator, "queue_running")


def test_the_dock_is_hidden_and_slow_when_there_is_nothing(as_operator: Client) -> None:
    text = text_of(as_operator, "dock")
    assert "every 15s" in text
    assert "hidden" in text
    rows.make_job(JobStatus.RUNNING)
    assert "every 3s" in text_of(as_operator, "dock")


def test_done_today_counts_what_is_not_undone(as_operator: Client) -> None:
    rows.make_job(JobStatus.COMPLETED)
    rows.make_job(JobStatus.COMPLETED, undone_at=timezone.now())
    rows.make_job(JobStatus.COMPLETED, finished_at=timezone.now() - timedelta(days=3))
    text = text_of(as_operator, "queue_side")
    assert "1 done" in text
    assert "6.0\u00a0GB smaller" in text
