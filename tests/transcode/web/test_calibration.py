"""The calibration page, and the estimates on a film's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from mediaflow.base.models import Operation, OperationStatus
from tests.transcode.prediction.facts import GB, past
from tests.transcode.web import rows
from transcode.models import JobStatus
from transcode.pages.calibration import make_page
from transcode.prediction.calibration import read_calibration
from transcode.prediction.estimate_operation import estimates_of, lock_key, start_estimate

if TYPE_CHECKING:
    from typing import Any

    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from library.models import MediaFile

URL = "/history/calibration/"


def test_without_a_finished_job_it_says_what_to_do(as_operator: Client) -> None:
    past(actual_bytes=None, ended_at=None, error_pct=None, is_in_range=None)
    text = as_operator.get(URL).content.decode()
    assert "Nothing to compare yet" in text
    assert "Where a prediction comes from" in text
    assert '<svg class="plot' not in text


def test_coverage_error_and_lean_are_counted_by_source(db: None) -> None:
    for ratio in (0.9, 1.0, 1.1, 2.5):
        past(ratio)
    past(1.02, basis="sampled", predicted_vmaf=95.0, actual_vmaf=94.4)
    found = read_calibration()
    assert found.total is not None
    assert (found.total.jobs, found.total.in_range) == (5, 4)
    by_basis = {score.basis: score for score in found.by_basis}
    assert by_basis["rule"].coverage_pct == 75.0
    assert by_basis["rule"].median_error_pct == pytest.approx(10.0)
    assert by_basis["rule"].bias_pct == pytest.approx(5.0)
    assert by_basis["sampled"].vmaf_error == pytest.approx(0.6)
    assert by_basis["rule"].vmaf_error is None


def test_the_worst_come_first_whether_too_large_or_too_small(db: None) -> None:
    mild, large, small = past(1.1), past(1.7), past(0.4)
    worst = [outcome.job_id for outcome in read_calibration().worst]
    assert worst == [small.job_id, large.job_id, mild.job_id]


def test_each_job_is_a_dot_with_its_range_and_a_name(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.COMPLETED, file_path="/films/<i>Ray.mkv")
    past(1.2, job=job)
    past(0.9)
    response = as_operator.get(URL)
    text = response.content.decode()
    assert text.count("<title>") == 2 + text.count("<title>Calibration")
    assert "predicted 25 %, came out at 30 % of the original, in its range" in text
    assert "&lt;i&gt;Ray.mkv" in text
    assert "<i>Ray" not in text
    assert " style=" not in text
    assert reverse("transcode:job_detail", args=[job.pk]) in text


def test_many_jobs_are_one_statement_and_draw_no_thicket(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(61):
        past()
    with django_assert_num_queries(1):
        shown = make_page()
    assert shown.chart is not None
    assert not shown.chart.has_ranges
    assert "hold what they promise" not in shown.verdict  # all of 61 inside: too wide
    assert "wider than they need" in shown.verdict


def test_ranges_that_do_not_hold_are_said(db: None) -> None:
    for number in range(20):
        past(1.0 if number % 2 else 3.0)
    assert "too narrow" in make_page().verdict


def test_the_history_leads_there(as_operator: Client) -> None:
    assert URL in as_operator.get(reverse("transcode:history")).content.decode()


# On a film's page


@pytest.fixture
def file(db: None) -> MediaFile:
    return rows.make_file("Blade Rider")


def film_page(page: Client, file: MediaFile) -> str:
    return page.get(reverse("library:file_detail", args=[file.pk])).content.decode()


def sampled(file: MediaFile, **values: Any) -> Operation:
    """A finished operation about this film as it is now."""
    preset = rows.balanced()
    estimate = {
        "bytes": 3 * GB,
        "low": round(2.9 * GB),
        "high": round(3.1 * GB),
        "vmaf": 95.3,
        "p5": 92.0,
        "seconds": 4000.0,
        "crf": 23.5,
        "encoder": "libx265",
        "text": "Sampled: 12 samples of it.",
        "is_worth_it": True,
        "reason": "About 70 % smaller (69 to 71 %).",
    }
    defaults: dict[str, Any] = {
        "kind": "estimate",
        "title": "Estimate",
        "status": OperationStatus.COMPLETED,
        "lock_key": lock_key(file.pk, preset.slug),
        "args": {
            "file_id": file.pk,
            "preset": preset.slug,
            "spec": preset.spec,
            "size_bytes": file.size_bytes,
            "mtime_ns": file.mtime_ns,
        },
        "result": {"estimate": estimate},
    }
    return Operation.objects.create(**(defaults | values))


def test_every_preset_says_what_it_would_make_of_the_film(
    as_operator: Client, file: MediaFile
) -> None:
    text = film_page(as_operator, file)
    assert 'id="estimate"' in text
    for name in ("Balanced", "Storage saver", "Remux"):
        assert name in text
    assert "Rule of thumb for H.264 films" in text
    assert URL in text


def test_samples_of_this_very_film_take_the_place_of_the_rule(
    as_operator: Client, file: MediaFile
) -> None:
    sampled(file)
    text = film_page(as_operator, file)
    assert "Sampled: 12 samples of it." in text
    assert "95.3" in text


@pytest.mark.parametrize("changed", ["film", "preset"])
def test_samples_of_another_version_are_forgotten(file: MediaFile, changed: str) -> None:
    row = sampled(file)
    if changed == "film":
        row.args["mtime_ns"] = file.mtime_ns + 1
    else:
        row.args["spec"] = {**row.args["spec"], "min_saving_pct": 1}
    row.save(update_fields=["args"])
    assert estimates_of(file, [rows.balanced()]).kept == {}


def test_a_refusal_and_a_failure_are_said(as_operator: Client, file: MediaFile) -> None:
    sampled(file, result={"refusal": "It is a 3D film."})
    assert "It is a 3D film." in film_page(as_operator, file)
    sampled(file, status=OperationStatus.FAILED, result={}, message="A sample broke.")
    assert "A sample broke." in film_page(as_operator, file)


def test_the_button_starts_one_operation_for_film_and_preset(
    as_operator: Client, file: MediaFile
) -> None:
    for _ in range(2):
        url = reverse("transcode:estimate_film", args=[file.pk])
        response = as_operator.post(url, {"preset": "balanced"})
        assert response.status_code == 302
        assert response.headers["Location"].startswith(
            reverse("library:file_detail", args=[file.pk])
        )
    row = Operation.objects.get(kind="estimate")
    assert row.args["file_id"] == file.pk
    assert "Estimate Blade Rider with Balanced" in film_page(as_operator, file)


def test_an_unknown_preset_or_film_starts_nothing(as_operator: Client, file: MediaFile) -> None:
    url = reverse("transcode:estimate_film", args=[file.pk])
    assert as_operator.post(url, {"preset": "no-such"}).status_code == 404
    other = reverse("transcode:estimate_film", args=[file.pk + 999])
    assert as_operator.post(other, {"preset": "balanced"}).status_code == 404
    assert as_operator.get(url).status_code == 405
    assert not Operation.objects.exists()


def test_a_viewer_sees_estimates_and_may_start_none(as_viewer: Client, file: MediaFile) -> None:
    text = film_page(as_viewer, file)
    assert 'id="estimate"' in text
    assert "by samples" not in text
    url = reverse("transcode:estimate_film", args=[file.pk])
    assert as_viewer.post(url, {"preset": "balanced"}).status_code == 403


def test_an_estimate_that_runs_is_not_started_twice(file: MediaFile) -> None:
    first = start_estimate(file, rows.balanced())
    assert start_estimate(file, rows.balanced()).pk == first.pk


def test_after_the_job_the_prediction_stands_beside_the_result(as_operator: Client) -> None:
    done = rows.make_file("Done", mediaflow_tag="x;balanced", state="completed")
    job = rows.make_job(JobStatus.COMPLETED, file=done)
    past(1.25, job=job, predicted_vmaf=95.1, actual_vmaf=94.9)
    text = film_page(as_operator, done)
    assert "Predicted and actual" in text
    assert "+25.0" in text
    assert "inside the range" in text


def test_an_undone_job_is_no_outcome(as_operator: Client) -> None:
    done = rows.make_file("Done", mediaflow_tag="x;balanced")
    job = rows.make_job(JobStatus.COMPLETED, file=done)
    past(job=job)
    type(job).objects.filter(pk=job.pk).update(undone_at=job.finished_at)
    assert "Predicted and actual" not in film_page(as_operator, done)
