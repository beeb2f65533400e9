"""Figures of the home page. A handful of queries, whatever the size of the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from library.listing.rows import shown_title
from library.models import Library
from mediaflow.analytics.savings import read_savings
from mediaflow.base.operation_fragment import operation_context
from mediaflow.base.operations import active_operations
from mediaflow.home.potential import Potential, read_potential
from transcode.models import Job, JobStatus
from transcode.pages.job_words import STATE_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mediaflow.accounts.models import User

RECENT_JOBS = 6
FINISHED = (JobStatus.COMPLETED, JobStatus.SKIPPED, JobStatus.FAILED)
RECENT_COLUMNS = (
    "file_path", "preset_name", "status", "reason", "source_bytes", "output_bytes", "vmaf_mean",
    "predicted_bytes", "finished_at", "undone_at", "file__title", "file__year", "file__path",
    "file__show_title", "file__season", "file__episode",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over everything. Bytes are "freed" only when the original has left the trash."""

    file_count: int
    total_bytes: int
    done_count: int
    freed_bytes: int
    will_be_freed_bytes: int
    running: int
    waiting: int
    held: int


@dataclass(frozen=True, slots=True)
class Recent:
    """A finished job. Savings None: nothing was saved, or nothing predicted."""

    job: Job
    title: str
    kind: str
    word: str
    saved_bytes: int | None
    predicted_bytes: int | None


@dataclass(frozen=True, slots=True)
class Home:
    """Everything the page shows."""

    libraries: Sequence[Library]
    totals: Totals
    operations: list[dict[str, Any]]
    recent: list[Recent]
    potential: Potential | None
    may_queue: bool
    may_add: bool

    @property
    def is_live(self) -> bool:
        """Something is going on, so the page asks again by itself."""
        return bool(self.operations or self.totals.running)

    @property
    def is_empty(self) -> bool:
        return not self.libraries


def read_home(user: User) -> Home:
    active = active_operations()
    libraries = list(Library.objects.all())
    return Home(
        libraries=libraries,
        totals=_totals(libraries),
        operations=[
            operation_context(row, may_cancel=user.is_operator) for row in active.order_by("id")[:5]
        ],
        recent=_recent(),
        potential=read_potential() if libraries else None,
        may_queue=user.is_operator,
        may_add=user.is_admin,
    )


def _recent() -> list[Recent]:
    jobs = (
        Job.objects.filter(status__in=FINISHED)
        .select_related("file")
        .only(*RECENT_COLUMNS)
        .order_by("-finished_at", "-id")[:RECENT_JOBS]
    )
    return [
        Recent(
            job=job,
            title=shown_title(job.file) if job.file else PurePosixPath(job.file_path).name,
            kind="gone" if job.undone_at else STATE_KINDS[job.status],
            word="Undone" if job.undone_at else job.get_status_display(),
            saved_bytes=_saved(job),
            predicted_bytes=_predicted(job),
        )
        for job in jobs
    ]


def _saved(job: Job) -> int | None:
    is_kept = job.status == JobStatus.COMPLETED and job.undone_at is None
    return job.source_bytes - job.output_bytes if is_kept and job.output_bytes else None


def _predicted(job: Job) -> int | None:
    return None if job.predicted_bytes is None else job.source_bytes - job.predicted_bytes


def _totals(libraries: Sequence[Library]) -> Totals:
    jobs = Job.objects.filter(undone_at=None).aggregate(
        done=Count("id", filter=Q(status=JobStatus.COMPLETED)),
        running=Count("id", filter=Q(status=JobStatus.RUNNING)),
        waiting=Count("id", filter=Q(status__in=[JobStatus.QUEUED, JobStatus.RETRY_WAIT])),
        held=Count("id", filter=Q(status=JobStatus.HELD)),
    )
    savings = read_savings()
    return Totals(
        file_count=sum(library.file_count for library in libraries),
        total_bytes=sum(library.total_bytes for library in libraries),
        done_count=jobs["done"],
        freed_bytes=savings.freed_bytes,
        will_be_freed_bytes=savings.trash_bytes,
        running=jobs["running"],
        waiting=jobs["waiting"],
        held=jobs["held"],
    )
