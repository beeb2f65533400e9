"""What is left of a job that has ended: its chunks, for a while, where a new job may use them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from mediaflow.base.settings_store import set_setting
from tests.transcode.makers import make_file, make_job, make_library
from transcode.models import Job, JobStatus
from transcode.running.work_folders import (
    keep_chunks_only,
    leaves_chunks,
    make_work_folder,
    sweep_work_folders,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(settings: Any, tmp_path: Path) -> Job:
    settings.WORK_DIR = tmp_path / "work"
    return make_job(make_file(make_library(root=bytes(tmp_path))))


def folder_with_chunks(job: Job) -> Path:
    folder = make_work_folder(job.uuid)
    (folder / "chunks").mkdir()
    for name in ("chunks/a.mkv", "chunks/a.json", "encoded.mkv", "cover.jpg"):
        (folder / name).write_text("x")
    (folder / "samples").mkdir()
    return folder


def end(job: Job, status: str, **values: Any) -> None:
    defaults = {"finished_at": timezone.now(), "lease_token": ""}
    Job.objects.filter(pk=job.pk).update(status=status, **(defaults | values))


@pytest.mark.parametrize(
    ("status", "code", "is_left"),
    [
        (JobStatus.CANCELLED, "cancelled", True),
        (JobStatus.FAILED, "encode_failed", True),
        (JobStatus.FAILED, "verify_frames", False),
        (JobStatus.FAILED, "source_changed", False),
        (JobStatus.SKIPPED, "not_worth_it", False),
        (JobStatus.COMPLETED, "", False),
    ],
)
def test_chunks_are_left_where_they_may_be_of_use(status: str, code: str, is_left: bool) -> None:
    assert leaves_chunks(status, code) == is_left


def test_only_the_chunks_are_kept(job: Job) -> None:
    folder = folder_with_chunks(job)
    assert keep_chunks_only(job.uuid)
    assert [path.name for path in folder.iterdir()] == ["chunks"]


def test_a_folder_without_a_finished_chunk_is_not_kept(job: Job) -> None:
    folder = make_work_folder(job.uuid)
    (folder / "encoded.mkv").write_text("x")
    assert not keep_chunks_only(job.uuid)
    assert (folder / "encoded.mkv").exists()


def test_the_sweep_leaves_chunks_for_some_days(job: Job) -> None:
    folder = folder_with_chunks(job)
    end(job, JobStatus.CANCELLED)
    assert sweep_work_folders() == 0
    assert [path.name for path in folder.iterdir()] == ["chunks"]
    end(job, JobStatus.CANCELLED, finished_at=timezone.now() - timedelta(days=8))
    assert sweep_work_folders() == 1
    assert not folder.exists()


def test_a_person_may_have_no_chunks_kept(job: Job) -> None:
    folder = folder_with_chunks(job)
    end(job, JobStatus.CANCELLED)
    set_setting("chunk_keep_days", 0, None)
    assert sweep_work_folders() == 1
    assert not folder.exists()


def test_chunks_go_when_the_film_is_done(job: Job) -> None:
    folder = folder_with_chunks(job)
    end(job, JobStatus.CANCELLED)
    assert job.file is not None
    again = make_job(job.file)
    assert sweep_work_folders() == 0
    end(again, JobStatus.COMPLETED)
    assert sweep_work_folders() == 1
    assert not folder.exists()
