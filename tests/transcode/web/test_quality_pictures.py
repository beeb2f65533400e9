"""Before and after on the pages of jobs and films; the pictures themselves and who gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import DataError, connection, transaction
from django.urls import reverse

from tests.transcode.web import rows
from tests.transcode.web.test_job_page import plan_json
from transcode.models import Job, JobStatus
from transcode.pages.views.pictures import CACHE_CONTROL
from transcode.quality.pictures import frames_folder

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

HTMX = {"HX-Request": "true"}
JPEG = b"\xff\xd8\xff\xe0 not much of a picture"
PLAN = {
    "video": {"frame_rate": "24000/1001", "width": 1920, "height": 800, "color": {"hdr": "sdr"}},
    "duration_s": 7200.0,
    "is_vmaf_checked": True,
    "min_vmaf_mean": 88,
    "min_vmaf_p5": 75,
}
CURVE = [[float(s), 95.0 - (s == 60) * 8] for s in range(0, 7200, 60)]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


def frame_rows(*kinds: str, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "frame": 59288,
            "vmaf": 87.44,
            "before": f"{kind}-before.jpg",
            "after": f"{kind}-after.jpg",
        }
        | changes
        for kind in kinds
    ]


def job_with_pictures(*kinds: str, is_written: bool = True, **values: Any) -> Job:
    frames = frame_rows(*(kinds or ("worst", "median", "best")))
    defaults: dict[str, Any] = {"sample_frames": frames, "vmaf_curve": CURVE, "plan": PLAN}
    job = rows.make_job(JobStatus.COMPLETED, **(defaults | values))
    folder = frames_folder(job.uuid)
    folder.mkdir(parents=True)
    for row in frames if is_written else ():
        for side in ("before", "after"):
            (folder / row[side]).write_bytes(JPEG + row[side].encode())
    return job


def picture_url(job: Job, kind: str = "worst", side: str = "before") -> str:
    return reverse("transcode:job_picture", args=[job.pk, kind, side])


def body(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def job_url(job: Job) -> str:
    return reverse("transcode:job_detail", args=[job.pk])


def test_a_finished_job_shows_its_worst_picture_first_with_place_and_score(
    as_operator: Client,
) -> None:
    text = body(as_operator, job_url(job_with_pictures()))
    assert picture_url_in(text, "worst") and not picture_url_in(text, "best")
    assert "<b>41:12</b> · picture 59,288 · VMAF <b>87.4</b>" in text
    assert 'aria-current="true">Worst <span class="n">87.4</span>' in text
    assert 'width="1920" height="800"' in text
    assert 'type="range"' in text


def picture_url_in(text: str, kind: str) -> bool:
    return f"/picture/{kind}/before/?v=" in text and f"/picture/{kind}/after/?v=" in text


@pytest.mark.parametrize("kind", ["median", "best"])
def test_a_tab_is_an_address_and_a_fragment(as_operator: Client, kind: str) -> None:
    job = job_with_pictures()
    assert picture_url_in(body(as_operator, f"{job_url(job)}?picture={kind}"), kind)
    url = reverse("transcode:job_pictures", args=[job.pk]) + f"?picture={kind}"
    fragment = as_operator.get(url, headers=HTMX).content.decode()
    assert picture_url_in(fragment, kind)
    assert "<html" not in fragment
    assert "<html" in body(as_operator, url)


@pytest.mark.parametrize("wanted", ["", "nothing", "../../x", "<b>", "%00", "9" * 5000])
def test_an_unknown_tab_is_the_first(as_operator: Client, wanted: str) -> None:
    text = body(as_operator, f"{job_url(job_with_pictures())}?picture={wanted}")
    assert picture_url_in(text, "worst")


def test_the_film_page_shows_the_newest_result(as_operator: Client) -> None:
    job = job_with_pictures()
    assert job.file is not None
    text = body(as_operator, reverse("library:file_detail", args=[job.file.pk]) + "?picture=median")
    assert f"/queue/{job.pk}/picture/median/before/" in text
    assert 'id="vmaf-desc"' in text


def test_an_undone_result_is_not_shown_with_the_film(as_operator: Client) -> None:
    job = job_with_pictures()
    Job.objects.filter(pk=job.pk).update(undone_at=job.finished_at)
    assert job.file is not None
    text = body(as_operator, reverse("library:file_detail", args=[job.file.pk]))
    assert 'id="pictures"' not in text
    assert 'id="vmaf"' not in text


def test_the_chart_says_target_floors_and_the_worst_place(as_operator: Client) -> None:
    job = job_with_pictures(
        target_vmaf=95.0, target_metric="vmaf", predicted_vmaf=95.2, crf=24.5, vmaf_mean=94.8
    )
    text = body(as_operator, job_url(job))
    for shown in (
        "target 95",
        "lowest mean 88",
        "lowest 5 % 75",
        "worst 87.0 at 1:00",
        "VMAF 95 was asked for; samples promised 95.2 at CRF 24.5, 94.8 was measured",
    ):
        assert shown in text, shown
    assert " style=" not in text


def test_a_film_that_was_not_cut_says_why(as_operator: Client) -> None:
    job = rows.make_job(JobStatus.RUNNING, plan=plan_json(), whole_reason="Its times go back.")
    assert "encoded in one piece. Its times go back." in body(as_operator, job_url(job))


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_picture_is_served_to_keep_and_never_sniffed(as_operator: Client, side: str) -> None:
    job = job_with_pictures()
    response = as_operator.get(picture_url(job, "best", side))
    assert response.status_code == 200
    assert b"".join(response.streaming_content) == JPEG + f"best-{side}.jpg".encode()  # type: ignore[attr-defined]
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == CACHE_CONTROL
    assert "immutable" in CACHE_CONTROL and "private" in CACHE_CONTROL


def test_pictures_of_another_run_have_another_address(as_operator: Client) -> None:
    job = job_with_pictures()
    before = body(as_operator, job_url(job))
    Job.objects.filter(pk=job.pk).update(sample_frames=frame_rows("worst", frame=7))
    after = body(as_operator, job_url(job))
    start = f"/queue/{job.pk}/picture/worst/before/?v="
    assert before.split(start)[1][:8] != after.split(start)[1][:8]


def test_everybody_signed_in_sees_pictures_and_strangers_none(
    client: Client, as_viewer: Client
) -> None:
    job = job_with_pictures()
    assert client.get(picture_url(job)).status_code == 302
    assert client.get(reverse("transcode:job_pictures", args=[job.pk])).status_code == 302
    shown: Any = as_viewer.get(picture_url(job))
    assert shown.getvalue() == JPEG + b"worst-before.jpg"
    assert as_viewer.post(picture_url(job)).status_code == 405


@pytest.mark.parametrize(
    ("kind", "side"), [("worst", "between"), ("nothing", "before"), ("sample_frames", "before")]
)
def test_what_a_job_does_not_name_is_not_found(as_operator: Client, kind: str, side: str) -> None:
    assert as_operator.get(picture_url(job_with_pictures(), kind, side)).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "/etc/passwd",
        "..",
        "",
        "a/b.jpg",
        "secret.txt",
        "x.svg",
        ".hidden.jpg",
        "a\x00.jpg",
        "a.jpg\n",
        "link.jpg",
        "folder.jpg",
        5,
        None,
        ["a.jpg"],
    ],
)
def test_a_name_that_is_no_plain_picture_is_never_opened(
    as_operator: Client, data_dir: Path, name: object
) -> None:
    job = job_with_pictures("median")
    folder = frames_folder(job.uuid)
    (folder.parent / "secret.jpg").write_bytes(b"secret")
    (folder / "secret.txt").write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(folder.parent / "secret.jpg")
    (folder / "folder.jpg").mkdir()
    if connection.vendor == "postgresql" and name == "a\x00.jpg":  # its JSON holds no such text
        with pytest.raises(DataError), transaction.atomic():
            Job.objects.filter(pk=job.pk).update(sample_frames=frame_rows("median", before=name))
        return
    Job.objects.filter(pk=job.pk).update(sample_frames=frame_rows("median", before=name))
    assert as_operator.get(picture_url(job, "median")).status_code == 404
    assert "/picture/median/" not in body(as_operator, job_url(job))


@pytest.mark.parametrize("frames", ["x", 5, {"kind": "worst"}, [5], [{}], [{"kind": ["worst"]}]])
def test_pictures_of_another_version_do_not_break_the_page(
    as_operator: Client, frames: object
) -> None:
    job = job_with_pictures(plan={"video": 5})
    Job.objects.filter(pk=job.pk).update(sample_frames=frames, vmaf_curve={"a": 1})
    text = body(as_operator, job_url(job))
    assert 'id="pictures"' not in text
    assert as_operator.get(picture_url(job)).status_code == 404
    assert as_operator.get(reverse("transcode:job_pictures", args=[job.pk])).status_code == 404


def test_pictures_that_are_gone_are_said_to_be_gone(as_operator: Client) -> None:
    job = job_with_pictures(is_written=False)
    text = body(as_operator, job_url(job))
    assert "are gone from the data folder" in text
    assert "<img" not in text[text.index('id="pictures"') : text.index('id="vmaf"')]
    response = as_operator.get(picture_url(job))
    assert response.status_code == 404
    assert b"There is nothing here" in response.content


def test_a_pair_with_one_side_missing_is_left_out(as_operator: Client) -> None:
    job = job_with_pictures()
    (frames_folder(job.uuid) / "worst-after.jpg").unlink()
    text = body(as_operator, job_url(job))
    assert "/picture/worst/" not in text
    assert picture_url_in(text, "median")


def test_hdr_pictures_say_that_they_are_tone_mapped(as_operator: Client) -> None:
    video = PLAN["video"] | {"color": {"hdr": "hdr10"}}  # type: ignore[operator]
    assert "shown tone-mapped" in body(
        as_operator, job_url(job_with_pictures(plan=PLAN | {"video": video}))
    )
    assert "shown tone-mapped" not in body(as_operator, job_url(job_with_pictures()))


def test_a_job_that_is_not_there_has_no_pictures(as_operator: Client) -> None:
    for number in (999, 2**70):
        assert as_operator.get(f"/queue/{number}/pictures/").status_code == 404
        assert as_operator.get(f"/queue/{number}/picture/worst/before/").status_code == 404
