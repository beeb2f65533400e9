"""The work folder of a job: `<work dir>/jobs/<uuid>/`. Kept for a resume, gone at the end."""

from __future__ import annotations

import shutil
import stat
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mediaflow.base.settings_store import get_setting
from transcode.models import Job, JobStatus
from transcode.outcomes import JobWaits
from transcode.states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_S: Final = 120.0
CHUNKS_FOLDER: Final = "chunks"  # of a job's folder: its finished chunks
# Says, in the chunks' folder, that cutting was tried and is not safe: not tried again.
UNSAFE_NAME: Final = "encode-whole.txt"


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


def leaves_chunks(status: str, reason_code: str) -> bool:
    """Whether a job that ended so leaves chunks of use: not those of a film that was refused."""
    if status == JobStatus.CANCELLED:
        return True
    return status == JobStatus.FAILED and not reason_code.startswith(("verify_", "source_"))


def keep_chunks_only(job_uuid: UUID) -> bool:
    """Remove all but the finished chunks. False: there are none, and nothing was removed."""
    folder = jobs_folder() / str(job_uuid)
    if not any((folder / CHUNKS_FOLDER).glob("*.json")):
        return False
    for path in folder.iterdir():
        if path.name == CHUNKS_FOLDER:
            continue
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    return True


def sweep_work_folders() -> int:
    """Remove folders of jobs that have ended and keep nothing of use there. Returns how many.

    Chunks are kept for some days, or until the film is done.
    """
    found = dict(_job_folders())
    if not found:
        return 0
    ended = Job.objects.filter(uuid__in=found, status__in=TERMINAL, kept_output_raw__isnull=True)
    kept_since = timezone.now() - timedelta(days=get_setting("chunk_keep_days"))
    done_later = Job.objects.filter(
        file=OuterRef("file"), status=JobStatus.COMPLETED, pk__gt=OuterRef("pk")
    )
    removed = 0
    for job in ended.annotate(is_done_later=Exists(done_later)):
        is_recent = job.finished_at is not None and job.finished_at > kept_since
        is_of_use = is_recent and not job.is_done_later
        if is_of_use and leaves_chunks(job.status, job.reason_code) and keep_chunks_only(job.uuid):
            continue
        _remove_tree(found[job.uuid])
        removed += 1
    return removed


def _job_folders() -> Iterator[tuple[UUID, Path]]:
    """Only folders named by a job: nothing else in the work directory is ours to remove."""
    try:
        names = sorted(path.name for path in jobs_folder().iterdir())
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
