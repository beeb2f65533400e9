"""The work folder of a job: `<work dir>/jobs/<uuid>/`. Kept for a resume, gone at the end."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings

from transcode.models import Job
from transcode.outcomes import JobWaits
from transcode.states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_S: Final = 120.0


def jobs_folder() -> Path:
    return Path(settings.WORK_DIR) / "jobs"


def make_work_folder(job_uuid: UUID) -> Path:
    """The job's own folder, 0700; may hold what an earlier attempt left. Raises JobWaits."""
    folder = jobs_folder() / str(job_uuid)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise JobWaits(
            "work_folder",
            f"The work folder {folder} cannot be made: {error.strerror}. Check MEDIAFLOW_WORK_DIR.",
            delay_s=_WAIT_S,
        ) from error
    return folder


def remove_work_folder(job_uuid: UUID) -> None:
    """Remove it with all that our own encoders wrote. It may be gone already."""
    _remove_tree(jobs_folder() / str(job_uuid))


def sweep_work_folders() -> int:
    """Remove folders of jobs that have ended and keep no output there. Returns how many."""
    found = dict(_job_folders())
    if not found:
        return 0
    ended = Job.objects.filter(uuid__in=found, status__in=TERMINAL, kept_output_raw__isnull=True)
    removed = 0
    for job_uuid in ended.values_list("uuid", flat=True):
        _remove_tree(found[job_uuid])
        removed += 1
    return removed


def _job_folders() -> Iterator[tuple[UUID, Path]]:
    """Only folders named by a job: nothing else in the work directory is ours to remove."""
    try:
        names = sorted(os.listdir(jobs_folder()))  # noqa: PTH208
    except OSError:
        return
    for name in names[:10_000]:
        try:
            yield UUID(name), jobs_folder() / name
        except ValueError:
            continue


def _remove_tree(folder: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(folder.lstat().st_mode)
    except OSError:
        return
    if is_folder:  # a link would lead out of the work directory
        shutil.rmtree(folder, ignore_errors=True)
