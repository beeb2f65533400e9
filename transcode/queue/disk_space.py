"""Free space before a job starts: work takes twice the output, the target one and a reserve.

What running jobs may still take is subtracted, per file system (trust.md, "Free space").
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import Sum

from library.folding import display_path
from mediaflow.base.settings_store import get_setting
from transcode.models import Job, JobStatus
from transcode.outcomes import JobWaits, LeaseLost
from transcode.queue import job_queue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S: Final = 120.0
# On a small disk the configured reserve could never be met: at most this share of the disk.
MAX_RESERVE_SHARE: Final = 0.05
_LOCK_NUMBER: Final = 0x4D46_5350  # any number; only this module takes it


def reserve_space(
    job_id: int, token: str, *, upper_bytes: int, work_dir: Path, target_dir: bytes
) -> None:
    """Reserve for one running job. Raises JobWaits (full, or not reached), LeaseLost."""
    with transaction.atomic():
        _serialise()
        work_fs = _check(job_id, os.fsencode(work_dir), 2 * upper_bytes, 0, "work folder")
        target_fs = _check(
            job_id,
            target_dir,
            upper_bytes + (2 * upper_bytes if _fs(target_dir) == work_fs else 0),
            get_setting("reserve_bytes"),
            "film's folder",
        )
        values = {
            "work_fs": work_fs,
            "work_reserved_bytes": 2 * upper_bytes,
            "target_fs": target_fs,
            "target_reserved_bytes": upper_bytes,
        }
        if not job_queue.write_running(job_id, token, values):
            raise LeaseLost("lease_lost", "Another process has taken this job over.")


def _serialise() -> None:
    """Two jobs must not both see the same free bytes. SQLite's IMMEDIATE does it by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_NUMBER])


def _fs(folder: bytes) -> str:
    with _waited_for(folder):
        return str(os.stat(folder).st_dev)  # noqa: PTH116  # bytes


@contextmanager
def _waited_for(folder: bytes) -> Iterator[None]:
    """A disk that does not answer may come back."""
    try:
        yield
    except OSError as error:
        raise JobWaits(
            "folder_unreachable",
            f"The folder {display_path(folder)} cannot be reached: {error.strerror}.",
        ) from error


def _check(job_id: int, folder: bytes, needed: int, reserve: int, name: str) -> str:
    file_system = _fs(folder)
    with _waited_for(folder):
        stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    reserve = min(reserve, int(stat.f_blocks * stat.f_frsize * MAX_RESERVE_SHARE))
    taken = _reserved_by_others(job_id, file_system)
    if free - taken - reserve < needed:
        raise JobWaits(
            "disk_full",
            f"The disk of the {name} has {_mib(free)} MB free"
            + (f", of which running jobs may take {_mib(taken)} MB" if taken else "")
            + f"; this film may need {_mib(needed)} MB"
            + (f" and {_mib(reserve)} MB stay free" if reserve else "")
            + ". It starts when there is room.",
            delay_s=WAIT_S,
        )
    return file_system


def _reserved_by_others(job_id: int, file_system: str) -> int:
    running = Job.objects.filter(status=JobStatus.RUNNING).exclude(pk=job_id)
    work = running.filter(work_fs=file_system).aggregate(n=Sum("work_reserved_bytes"))["n"] or 0
    target = (
        running.filter(target_fs=file_system).aggregate(n=Sum("target_reserved_bytes"))["n"] or 0
    )
    return int(work) + int(target)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:,.0f}"
