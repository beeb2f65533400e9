"""Places of an attempt on a disk that is odd or full: its work folder and its log."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.makers import make_file, make_job
from transcode.outcomes import JobWaits
from transcode.running.attempt_log import MAX_BYTES, AttemptLog
from transcode.running.work_folders import make_work_folder, sweep_work_folders

if TYPE_CHECKING:
    from library.models import Library

pytestmark = pytest.mark.django_db


def test_a_link_in_the_work_directory_is_not_followed(
    library_on_disk: Library, settings: Any, tmp_path: Path
) -> None:
    settings.WORK_DIR = tmp_path / "work"
    job = make_job(make_file(library_on_disk), "failed")
    (tmp_path / "work" / "jobs").mkdir(parents=True)
    (tmp_path / "work" / "jobs" / str(job.uuid)).symlink_to(library_on_disk.root)
    sweep_work_folders()
    assert (Path(library_on_disk.root) / "a.mkv").exists()


def test_a_work_folder_that_cannot_be_made_is_waited_for(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.WORK_DIR = tmp_path / "file"
    with pytest.raises(JobWaits, match="MEDIAFLOW_WORK_DIR"):
        make_work_folder(uuid.uuid4())
    assert sweep_work_folders() == 0


def test_the_log_of_an_attempt_is_bounded_and_its_loss_costs_nothing(
    settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    log = AttemptLog("a.log")
    log("two\nlines \udcff")
    for _ in range(12):
        log("x" * (MAX_BYTES // 10))
    log.close()
    log("after the end")
    text = log.path.read_text()
    assert [line[20:] for line in text.splitlines()[:2]] == ["two", "lines \\udcff"]
    assert text.count("the log ends here") == 1
    assert len(text) < MAX_BYTES + 1000
    (tmp_path / "logs" / "jobs" / "b.log").mkdir()
    AttemptLog("b.log")("lost")


def test_a_log_on_a_full_disk_costs_the_log_and_not_the_job(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "logs" / "jobs").mkdir(parents=True)
    (tmp_path / "logs" / "jobs" / "a.log").symlink_to("/dev/full")
    log = AttemptLog("a.log")
    log("lost")
    log("lost, too")
    log.close()
