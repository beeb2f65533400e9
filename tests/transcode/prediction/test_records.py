"""A prediction is written with the plan, closed once with the finished job, and left open else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.transcode.encode.films import X265, film, plan_for
from tests.transcode.prediction.facts import GB, facts
from tests.transcode.web import rows
from transcode.models import JobStatus, Prediction
from transcode.prediction.estimate import estimate_size, facts_of_info
from transcode.prediction.records import (
    close_finished,
    record_outcome,
    record_plan,
    record_prediction,
)
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from transcode.models import Job

SPEC = PresetSpec()
ESTIMATE = replace(
    estimate_size(facts(), SPEC), bytes=2 * GB, low=GB, high=3 * GB, plain_bytes=2 * GB
)


def planned(job: Job) -> Prediction:
    record_prediction(job.pk, facts(), SPEC, ESTIMATE)
    return Prediction.objects.get(job=job)


def finish(job: Job, output_bytes: int | None, status: str = JobStatus.COMPLETED) -> None:
    type(job).objects.filter(pk=job.pk).update(
        status=status, output_bytes=output_bytes, lease_token=""
    )


@pytest.fixture
def job(db: None) -> Job:
    return rows.make_job(JobStatus.RUNNING)


def test_what_was_said_is_kept_with_what_makes_films_alike(job: Job) -> None:
    row = planned(job)
    assert (row.basis, row.predicted_bytes, row.low_bytes, row.high_bytes) == (
        "rule",
        2 * GB,
        GB,
        3 * GB,
    )
    assert (row.encoder, row.source_codec, row.resolution_class, row.quality_key) == (
        "x265",
        "h264",
        1080,
        "crf22",
    )
    assert row.rule_bytes == estimate_size(facts(), SPEC).bytes
    assert row.pixels == 3600 * 24 * 1920 * 1080
    assert row.ended_at is None


def test_a_finished_job_closes_its_prediction_once(job: Job) -> None:
    planned(job)
    finish(job, round(2.5 * GB))
    rows.add_attempt(job, phase_seconds={"encode": 120.5, "verify": 7})
    assert record_outcome(job.pk)
    row = Prediction.objects.get(job=job)
    assert row.actual_bytes == round(2.5 * GB)
    assert row.error_pct == pytest.approx(25.0)
    assert row.is_in_range is True
    assert row.actual_seconds == 120.5
    assert row.ended_at is not None
    finish(job, GB // 2)
    assert not record_outcome(job.pk)
    assert close_finished() == 0
    row.refresh_from_db()
    assert row.actual_bytes == round(2.5 * GB)


def test_a_result_outside_the_range_is_told(job: Job) -> None:
    planned(job)
    finish(job, round(3.5 * GB))
    record_outcome(job.pk)
    assert Prediction.objects.get(job=job).is_in_range is False


def test_pieces_of_an_earlier_attempt_teach_no_speed(job: Job) -> None:
    planned(job)
    finish(job, 2 * GB)
    type(job).objects.filter(pk=job.pk).update(resumed_chunks=3)
    rows.add_attempt(job, phase_seconds={"encode": 12.0})
    record_outcome(job.pk)
    assert Prediction.objects.get(job=job).actual_seconds is None


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.SKIPPED, JobStatus.CANCELLED])
def test_a_job_that_came_to_nothing_leaves_it_open(job: Job, status: str) -> None:
    planned(job)
    finish(job, 2 * GB, status)
    assert not record_outcome(job.pk)
    assert close_finished() == 0
    assert Prediction.objects.get(job=job).actual_bytes is None


def test_a_job_that_is_planned_anew_is_predicted_anew(job: Job) -> None:
    first = planned(job)
    record_prediction(job.pk, facts(), SPEC, replace(ESTIMATE, bytes=GB, basis="sampled"))
    row = Prediction.objects.get(job=job)
    assert (row.pk, row.basis, row.predicted_bytes) == (first.pk, "sampled", GB)


def test_a_closed_prediction_is_never_rewritten(job: Job) -> None:
    planned(job)
    finish(job, 2 * GB)
    record_outcome(job.pk)
    record_prediction(job.pk, facts(), SPEC, replace(ESTIMATE, bytes=7))
    assert Prediction.objects.get(job=job).predicted_bytes == 2 * GB


def test_what_a_crash_left_open_is_closed_later(job: Job) -> None:
    planned(job)
    finish(job, 2 * GB)
    assert close_finished() == 1
    assert Prediction.objects.get(job=job).error_pct == pytest.approx(0.0)


def test_a_copy_is_not_predicted(job: Job) -> None:
    spec = PresetSpec(video=VideoRule(encoder="copy", crf=None))
    record_prediction(job.pk, facts(), spec, estimate_size(facts(), spec))
    assert not Prediction.objects.exists()
    assert not record_outcome(job.pk)


def test_a_plan_names_the_encoder_that_really_works(job: Job) -> None:
    info = film(duration_s=100.0, size_bytes=GB)
    plan = plan_for(info, X265)
    assert plan.video is not None
    other = replace(plan, video=replace(plan.video, encoder="hevc_nvenc"))
    record_plan(job.pk, other, info, X265, estimate_size(facts_of_info(info), X265))
    assert Prediction.objects.get(job=job).encoder == "hevc_nvenc"
