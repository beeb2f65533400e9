"""The page of one job: plan, proof, log, failure, original, undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.urls import reverse

from library.media_info import AudioStream, MediaInfo, VideoStream
from mediaflow.base.models import Operation
from tests.transcode.web import rows
from transcode.models import Job, JobStatus, TrashState
from transcode.planning.model import Action, Plan, PlannedStream, StreamKind
from transcode.running.attempt_log import attempt_log_path

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

HTMX = {"HX-Request": "true"}


def plan_json(**values: Any) -> dict[str, Any]:
    streams = (
        PlannedStream(StreamKind.VIDEO, 0, Action.ENCODE, 0, "h264", "hevc", "libx265"),
        PlannedStream(StreamKind.AUDIO, 1, Action.COPY, 1, "truehd", "truehd", channels=8),
        PlannedStream(
            StreamKind.AUDIO, 2, Action.DROP, None, "ac3", reason="Only English is wanted."
        ),
    )
    defaults: dict[str, Any] = {
        "container": "mkv",
        "extension": ".mkv",
        "streams": streams,
        "video": None,
        "input_options": (),
        "output_options": (),
        "duration_s": 60.0,
        "chapters": 3,
        "source_fingerprint": "f",
        "ffmpeg_version": "9.0.2",
        "min_saving_pct": 10,
        "is_vmaf_checked": True,
        "min_vmaf_mean": 88,
        "min_vmaf_p5": 75,
        "losses": ("closed captions",),
        "notes": ("The timecode track is not taken over.",),
    }
    return Plan(**(defaults | values)).to_json()


def page_of(client: Client, job: Job, query: str = "") -> str:
    response = client.get(reverse("transcode:job_detail", args=[job.pk]) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_plan_says_what_becomes_of_each_stream_and_what_is_lost(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING, plan=plan_json(), command="ffmpeg -i file:x out.mkv")
    text = page_of(as_operator, job)
    for shown in (
        "Re-encoded",
        "to HEVC",
        "Kept",
        "TrueHD 7.1",
        "Left out",
        "Only English is wanted.",
        "closed captions",
        "The timecode track is not taken over.",
        "ffmpeg -i file:x out.mkv",
        'data-copy="ffmpeg -i file:x out.mkv"',
    ):
        assert shown in text, shown


@pytest.mark.parametrize("plan", [{"container": "mkv"}, [1], "x", {"streams": 3}])
def test_a_plan_of_another_version_does_not_break_the_page(
    as_operator: Client, plan: object
) -> None:
    page_of(as_operator, rows.make_job(JobStatus.RUNNING, plan=plan))


def test_the_proof_shows_every_rung_with_measured_and_limit(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.FAILED)
    rungs = [
        {
            "number": 3,
            "name": "duration",
            "outcome": "passed",
            "measured": "0.01 s",
            "limit": "0.1 s",
            "text": "t3",
        },
        {
            "number": 4,
            "name": "frames",
            "outcome": "failed",
            "measured": "575",
            "limit": "600",
            "text": "t4",
        },
        {
            "number": 6,
            "name": "decode",
            "outcome": "sampled",
            "measured": "0 errors",
            "limit": "0",
            "text": "t6",
        },
        {
            "number": 9,
            "name": "colour",
            "outcome": "not_applicable",
            "measured": "",
            "limit": "",
            "text": "SDR",
        },
    ]
    rows.add_proof(job, is_passed=False, rungs=rungs)
    text = page_of(as_operator, job)
    for shown in (
        "Duration",
        "0.01 s",
        "0.1 s",
        "575",
        "600",
        "Decode (sampled)",
        "t4",
        "did not pass",
    ):
        assert shown in text, shown
    assert 'class="is-bad"' in text


def test_before_and_after_stand_side_by_side(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.COMPLETED)
    proof = rows.add_proof(job)
    sound = AudioStream(1, "ac3", channels=6, language="eng")
    common: dict[str, Any] = {
        "format_name": "matroska",
        "size_bytes": 1,
        "start_s": 0.0,
        "bit_rate_kbps": 1,
    }
    before = MediaInfo(
        "avi", duration_s=60.0, video=(VideoStream(0, "mpeg4"),), audio=(sound,), **common
    )
    after = MediaInfo(
        "mkv", duration_s=60.0, video=(VideoStream(0, "hevc"),), audio=(sound,), **common
    )
    proof.streams_before, proof.streams_after = before.to_json(), after.to_json()
    proof.save()
    text = page_of(as_operator, job)
    assert "MPEG-4" in text
    assert "<b>HEVC" in text  # what changed is bold
    assert "AC-3 5.1, eng" in text
    assert "<b>AC-3" not in text


def test_a_failure_says_what_which_file_what_was_not_changed_and_what_next(
    as_operator: Client,
) -> None:
    job = rows.make_job(JobStatus.FAILED, reason="575 of 600 frames came out.")
    text = page_of(as_operator, job)
    assert f"Failed: {job.file_path}" in text
    assert "575 of 600 frames came out." in text
    assert "The film itself was not changed." in text
    assert "Run it again" in text
    assert reverse("transcode:job_retry", args=[job.pk]) in text


def test_an_original_in_the_trash_will_be_freed_and_can_be_put_back(as_operator: Client) -> None:
    job = rows.make_replaced()
    text = page_of(as_operator, job)
    assert "will be freed" in text
    assert "freed." not in text
    assert reverse("transcode:job_undo_ask", args=[job.pk]) in text


def test_a_purged_original_is_freed_and_cannot_be_put_back(as_operator: Client) -> None:
    job = rows.make_replaced(trash=TrashState.PURGED)
    text = page_of(as_operator, job)
    assert "freed." in text
    assert "will be freed" not in text
    undo = reverse("transcode:job_undo", args=[job.pk])
    assert undo not in text
    assert as_operator.post(undo, headers=HTMX).status_code == 409
    assert not Operation.objects.exists()


def test_undo_asks_first_then_starts_an_operation_and_shows_it(as_operator: Client) -> None:
    job = rows.make_replaced(title="Glass Orchard")
    question = as_operator.get(reverse("transcode:job_undo_ask", args=[job.pk]), headers=HTMX)
    assert b"Put the original of Glass Orchard back?" in question.content
    assert not Operation.objects.exists()
    response = as_operator.post(reverse("transcode:job_undo", args=[job.pk]))
    operation = Operation.objects.get(kind="undo")
    assert operation.args["job_ids"] == [job.pk]
    assert response.headers["Location"].endswith(f"?operation={operation.pk}")
    assert reverse("operation", args=[operation.pk]) in page_of(
        as_operator, job, f"?operation={operation.pk}"
    )


def test_a_viewer_finds_no_button_that_changes_anything(as_viewer: Client) -> None:
    for job in (
        rows.make_replaced(),
        rows.make_job(JobStatus.RUNNING),
        rows.make_job(JobStatus.HELD),
    ):
        text = page_of(as_viewer, job)
        for verb in ("undo", "cancel", "pause", "actions"):
            assert f"/queue/{job.pk}/{verb}" not in text


def write_log(name: str, text: str) -> Path:
    path = attempt_log_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_log_shows_its_end_and_can_be_downloaded_whole(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.FAILED)
    attempt = rows.add_attempt(job, log_name="a-1.log")
    text = "first line\n" + "".join(f"line {n} <b>\n" for n in range(9_000))
    path = write_log("a-1.log", text)
    shown = as_operator.get(reverse("transcode:job_log", args=[job.pk, attempt.pk]), headers=HTMX)
    body = shown.content.decode()
    assert "<html" not in body
    assert "line 8999 &lt;b&gt;" in body
    assert "first line" not in body
    whole: Any = as_operator.get(reverse("transcode:job_log_download", args=[job.pk, attempt.pk]))
    assert b"".join(whole.streaming_content) == text.encode()
    assert "attachment" in whole.headers["Content-Disposition"]
    path.unlink()


def test_the_log_has_a_page_of_its_own_without_scripts(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.FAILED)
    attempt = rows.add_attempt(job, log_name="gone-1.log")
    response = as_operator.get(reverse("transcode:job_log", args=[job.pk, attempt.pk]))
    assert b"<html" in response.content
    assert b"gone, or was never written" in response.content
    download = reverse("transcode:job_log_download", args=[job.pk, attempt.pk])
    assert as_operator.get(download).status_code == 404


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", "."])
def test_a_log_name_never_leaves_its_folder(as_operator: Client, name: str) -> None:
    job = rows.make_job(JobStatus.FAILED)
    attempt = rows.add_attempt(job, log_name=name)
    response = as_operator.get(reverse("transcode:job_log", args=[job.pk, attempt.pk]))
    assert b"root:" not in response.content
    download = reverse("transcode:job_log_download", args=[job.pk, attempt.pk])
    assert as_operator.get(download).status_code == 404


def test_a_log_belongs_to_its_own_job(as_operator: Client) -> None:
    job, other = rows.make_job(JobStatus.FAILED), rows.make_job(JobStatus.FAILED)
    attempt = rows.add_attempt(other, log_name="b-1.log")
    assert (
        as_operator.get(reverse("transcode:job_log", args=[job.pk, attempt.pk])).status_code == 404
    )


def test_the_live_part_is_silent_until_something_moves(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING)
    url = reverse("transcode:job_live", args=[job.pk])
    first = as_operator.get(url, {"status": "running"}, headers=HTMX)
    version = first.context["version"]
    assert (
        as_operator.get(url, {"status": "running", "v": version}, headers=HTMX).status_code == 204
    )
    Job.objects.filter(pk=job.pk).update(progress_seq=9, progress_pct=77.0)
    moved = as_operator.get(url, {"status": "running", "v": version}, headers=HTMX)
    assert b"77" in moved.content
    assert b"<html" not in moved.content


def test_a_new_state_asks_for_the_whole_page(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.HELD, lease_token="")
    url = reverse("transcode:job_live", args=[job.pk])
    response = as_operator.get(url, {"status": "running"}, headers=HTMX)
    assert response.headers["HX-Refresh"] == "true"


def test_the_page_of_a_job_that_is_over_polls_nothing(as_operator: Client) -> None:
    text = page_of(as_operator, rows.make_job(JobStatus.COMPLETED))
    main = text[text.index('<main id="main"') : text.index("</main>")]
    assert "hx-trigger" not in main


def test_the_page_asks_a_bounded_number_of_times(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    job = rows.make_replaced()
    for _ in range(20):
        rows.add_attempt(job, reason="again")
        job.events.create(from_status="running", to_status="queued")
    with django_assert_max_num_queries(30):
        page_of(as_operator, job)


def test_logs_lie_in_the_data_folder(db: None) -> None:
    assert Path(settings.DATA_DIR) in attempt_log_path("x.log").parents
