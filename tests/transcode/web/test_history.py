"""The history: filters, totals, pages, CSV, undo of what it shows, the trash."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from library.models import Recommendation
from mediaflow.base.models import Operation
from tests.transcode.web import rows
from transcode.models import Job, JobStatus, Rule, TrashState
from transcode.pages.history import HistoryForm, jobs_matching, read_page, read_totals

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

HTMX = {"HX-Request": "true"}


def matching(**values: str) -> set[int]:
    return set(jobs_matching(HistoryForm(values)).values_list("pk", flat=True))


def test_only_what_is_over_is_history(db: None) -> None:
    over = {rows.make_job(s).pk for s in ("completed", "skipped", "failed", "cancelled")}
    for status in ("queued", "running", "held", "retry_wait"):
        rows.make_job(status)
    assert matching() == over


def test_filters_narrow_by_state_preset_library_period_text_and_undone(db: None) -> None:
    plain = rows.make_job(JobStatus.COMPLETED, title="Plain")
    failed = rows.make_job(JobStatus.FAILED)
    other = rows.make_job(JobStatus.COMPLETED, preset_slug="mobile", library_name="Shows")
    old = rows.make_job(JobStatus.COMPLETED, finished_at=timezone.now() - timedelta(days=40))
    undone = rows.make_job(JobStatus.COMPLETED, undone_at=timezone.now())
    everything = {plain.pk, failed.pk, other.pk, old.pk, undone.pk}
    assert matching(state="failed") == {failed.pk}
    assert matching(preset="mobile") == {other.pk}
    assert matching(library="Shows") == {other.pk}
    assert matching(period="30") == everything - {old.pk}
    assert matching(undone="yes") == {undone.pk}
    assert matching(undone="no") == everything - {undone.pk}
    assert matching(state="completed", period="30", undone="no") == {plain.pk, other.pk}
    today = timezone.localdate()
    assert matching(since=today.isoformat()) == everything - {old.pk}
    assert matching(until=(today - timedelta(days=1)).isoformat()) == {old.pk}


def test_text_finds_a_film_by_path_or_by_folded_name(db: None) -> None:
    file = rows.make_file("Amélie", search_text="amelie")
    found = rows.make_job(JobStatus.COMPLETED, file=file, file_path="/films/x/Le Fabuleux.mkv")
    rows.make_job(JobStatus.COMPLETED)
    for text in ("AMÉLIE", "amelie", "fabuleux le", "x/Le"):
        assert matching(text=text) == {found.pk}, text
    assert matching(text="%") == set()


@pytest.mark.parametrize(
    "values",
    [{"state": "queued"}, {"preset": "none"}, {"period": "x"}, {"since": "soon"}, {"undone": "1"}],
)
def test_a_filter_that_cannot_be_is_a_form_error_and_hides_nothing(
    as_operator: Client, values: dict[str, str]
) -> None:
    job = rows.make_job(JobStatus.COMPLETED)
    response = as_operator.get(reverse("transcode:history"), values)
    assert response.status_code == 200
    assert b"banner-bad" in response.content
    assert f"job-{job.pk}".encode() in response.content


def test_totals_say_will_be_freed_until_the_trash_is_purged(db: None) -> None:
    rows.make_replaced(size_bytes=10 * rows.GB)
    rows.make_replaced(size_bytes=7 * rows.GB, trash=TrashState.PURGED, vmaf_mean=90.5)
    rows.make_replaced(trash=TrashState.RESTORED, undone_at=timezone.now())
    rows.make_job(JobStatus.FAILED)
    totals = read_totals(jobs_matching(HistoryForm({})))
    assert (totals.count, totals.done) == (4, 2)
    assert totals.will_be_freed_bytes == 10 * rows.GB
    assert totals.freed_bytes == 7 * rows.GB
    assert (totals.before_bytes, totals.after_bytes) == (20 * rows.GB, 8 * rows.GB)
    assert totals.vmaf == pytest.approx(93.0)


def test_totals_are_those_of_the_filter(db: None) -> None:
    rows.make_replaced()
    kept = rows.make_replaced(library_name="Shows", size_bytes=3 * rows.GB)
    totals = read_totals(Job.objects.filter(pk=kept.pk))
    assert totals.will_be_freed_bytes == 3 * rows.GB


def test_pages_join_without_gap_or_repeat_even_within_one_instant(db: None) -> None:
    now = timezone.now()
    for n in range(11):
        rows.make_job(JobStatus.COMPLETED, finished_at=now - timedelta(seconds=n // 4))
    jobs, seen, cursor = jobs_matching(HistoryForm({})), [], ""
    for _ in range(9):
        found = read_page(jobs, cursor, rows=3)
        seen += [row.id for row in found.rows]
        cursor = found.next_cursor
        if not cursor:
            break
    ordered = Job.objects.order_by("-finished_at", "-id").values_list("pk", flat=True)
    assert seen == list(ordered)


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "-1.20260101T000000.000000", "9" * 40])
def test_a_cursor_nobody_wrote_is_the_first_page(as_operator: Client, cursor: str) -> None:
    job = rows.make_job(JobStatus.COMPLETED)
    response = as_operator.get(reverse("transcode:history"), {"after": cursor})
    assert f"job-{job.pk}".encode() in response.content


def test_filtering_by_htmx_brings_only_the_list(as_operator: Client) -> None:
    rows.make_job(JobStatus.COMPLETED)
    response = as_operator.get(reverse("transcode:history"), headers=HTMX)
    assert b"<html" not in response.content
    assert b'id="history-list"' in response.content


def test_the_page_asks_as_often_for_many_jobs_as_for_few(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows.make_replaced()
    with django_assert_max_num_queries(40) as few:
        as_operator.get(reverse("transcode:history"))
    for _ in range(15):
        rows.make_replaced()
    with django_assert_max_num_queries(len(few)):
        as_operator.get(reverse("transcode:history"))


def read_csv(client: Client, **values: str) -> list[dict[str, str]]:
    response: Any = client.get(reverse("transcode:history_csv"), values)
    assert response.streaming
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_holds_what_the_filter_shows_with_predicted_and_actual(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.COMPLETED, predicted_bytes=5 * rows.GB, prediction_basis="rule")
    rows.make_job(JobStatus.FAILED)
    (line,) = read_csv(as_operator, state="completed")
    assert line["id"] == str(job.pk)
    assert line["saved_bytes"] == str(6 * rows.GB)
    assert line["predicted_bytes"] == str(5 * rows.GB)
    assert line["basis"] == "rule"
    assert line["state"] == "completed"


@pytest.mark.parametrize("path", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_name_is_never_a_formula_in_a_spreadsheet(as_operator: Client, path: str) -> None:
    rows.make_job(JobStatus.COMPLETED, file_path=path)
    (line,) = read_csv(as_operator)
    assert line["file"] == f"'{path}"


def test_undo_of_the_filter_counts_first_and_takes_exactly_that(as_operator: Client) -> None:
    mine = [rows.make_replaced(library_name="Shows") for _ in range(2)]
    rows.make_replaced()
    rows.make_replaced(library_name="Shows", trash=TrashState.PURGED)
    ask = as_operator.get(
        reverse("transcode:undo_filtered_ask"), {"library": "Shows"}
    ).content.decode()
    assert "Put 2 originals back?" in ask
    assert "20.0\N{NO-BREAK SPACE}GB" in ask
    assert not Operation.objects.exists()
    values = {"library": "Shows", "expected": "2"}
    response = as_operator.post(reverse("transcode:undo_filtered"), values)
    operation = Operation.objects.get(kind="undo")
    assert operation.args["job_ids"] == [job.pk for job in mine]
    assert response.headers["Location"].endswith(f"library=Shows&operation={operation.pk}")


def test_undo_of_a_list_that_changed_since_the_question_does_nothing(as_operator: Client) -> None:
    rows.make_replaced()
    rows.make_replaced()
    response = as_operator.post(reverse("transcode:undo_filtered"), {"expected": "1"})
    assert not Operation.objects.exists()
    said = " ".join(str(m) for m in get_messages(response.wsgi_request))
    assert "has changed" in said


def test_undo_when_nothing_is_kept_is_a_sentence(as_operator: Client) -> None:
    rows.make_replaced(trash=TrashState.PURGED)
    response = as_operator.get(reverse("transcode:undo_filtered_ask"), headers=HTMX)
    assert response.status_code == 409
    text = response.headers["HX-Trigger"]
    assert "None of these films can be put back" in text
    assert "The settings say for how many days originals are kept." in text


def test_a_viewer_undoes_nothing(as_viewer: Client) -> None:
    rows.make_replaced()
    assert as_viewer.get(reverse("transcode:undo_filtered_ask")).status_code == 403
    assert as_viewer.post(reverse("transcode:undo_filtered"), {"expected": "1"}).status_code == 403
    assert b"undo/ask" not in as_viewer.get(reverse("transcode:history")).content


def test_only_an_admin_purges_and_is_asked_first(as_admin: Client, as_operator: Client) -> None:
    rows.make_replaced()
    ask = reverse("transcode:trash_purge_ask")
    assert as_operator.get(ask).status_code == 403
    assert b"Delete 1 original for good?" in as_admin.get(ask).content
    assert not Operation.objects.exists()
    as_admin.post(reverse("transcode:trash_purge"))
    assert Operation.objects.filter(kind="purge_trash").exists()


def test_an_empty_trash_is_not_purged(as_admin: Client) -> None:
    response = as_admin.post(reverse("transcode:trash_purge"), headers=HTMX)
    assert response.status_code == 409
    assert not Operation.objects.exists()


def test_the_trash_says_when_the_first_original_goes_and_how_long_they_stay(
    as_operator: Client,
) -> None:
    rows.make_replaced()
    text = as_operator.get(reverse("transcode:history")).content.decode()
    assert "10.0\u00a0GB will be freed" in text
    assert re.search(r"Originals stay 14\sdays", text)


def make_caused_jobs() -> dict[str, int]:
    """One job by a rule, one by a recommendation, one by a person."""
    rule = Rule.objects.create(name="Old ones", preset=rows.balanced(), query="codec=vc1")
    by_rule = rows.make_job(JobStatus.COMPLETED, rule=rule, origin="rule: Old ones")
    job = rows.make_job(JobStatus.COMPLETED, origin="recommendation: Old or wasteful codecs")
    assert job.file is not None
    job.recommendation = Recommendation.objects.create(
        kind="codec", file=job.file, library=job.file.library, state="accepted"
    )
    job.save(update_fields=["recommendation"])
    return {
        "rule": by_rule.pk,
        "recommendation": job.pk,
        "person": rows.make_job(JobStatus.COMPLETED).pk,
        "rule_id": rule.pk,
    }


def test_a_row_names_the_rule_or_recommendation_and_leads_to_it(as_operator: Client) -> None:
    found = make_caused_jobs()
    text = as_operator.get(reverse("transcode:history")).content.decode()
    assert f'href="/rules/{found["rule_id"]}/">rule: Old ones</a>' in text
    assert ">recommendation: Old or wasteful codecs</a>" in text
    job_page = as_operator.get(
        reverse("transcode:job_detail", args=[found["rule"]])
    ).content.decode()
    assert f'href="/rules/{found["rule_id"]}/">rule: Old ones</a>' in job_page


def test_the_history_is_filtered_by_what_caused_a_job(as_operator: Client) -> None:
    found = make_caused_jobs()
    wanted = {
        "rule": "rule",
        f"rule:{found['rule_id']}": "rule",
        "recommendation": "recommendation",
        "recommendation:codec": "recommendation",
        "person": "person",
    }
    for cause, name in wanted.items():
        assert [line["id"] for line in read_csv(as_operator, cause=cause)] == [str(found[name])], (
            cause
        )
    assert read_csv(as_operator, cause="recommendation:storage") == []
    assert len(read_csv(as_operator)) == 3


def test_the_csv_names_rule_and_recommendation_apart(as_operator: Client) -> None:
    make_caused_jobs()
    (line,) = read_csv(as_operator, cause="recommendation")
    assert (line["recommendation"], line["rule"]) == ("codec", "")
    (line,) = read_csv(as_operator, cause="rule")
    assert (line["recommendation"], line["rule"]) == ("", "Old ones")


def test_a_rule_that_is_gone_is_still_named(as_operator: Client) -> None:
    found = make_caused_jobs()
    Rule.objects.filter(pk=found["rule_id"]).delete()
    text = as_operator.get(reverse("transcode:history")).content.decode()
    assert "rule: Old ones" in text
    assert f"/rules/{found['rule_id']}/" not in text
    assert [line["id"] for line in read_csv(as_operator, cause="rule")] == [str(found["rule"])]


def test_the_film_page_names_the_cause_of_its_jobs(as_operator: Client) -> None:
    found = make_caused_jobs()
    job = Job.objects.get(pk=found["rule"])
    text = as_operator.get(reverse("library:file_detail", args=[job.file_id])).content.decode()
    assert "rule: Old ones" in text
