"""What the queue page and the dock show besides the waiting list (waiting_list.py).

A constant number of indexed statements, however many jobs there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, F, Q, Sum
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from mediaflow.base.navigation import NavCount
from mediaflow.base.settings_store import get_settings
from transcode.models import Job, JobStatus
from transcode.pages.job_words import (
    badge_texts,
    encoder_text,
    film_name,
    is_swap_running,
    phase_marks,
    predicted_saving,
    saved_bytes,
    state_kind,
    state_word,
    target_codec,
)
from transcode.pages.live import live_parts
from transcode.pages.shown_progress import phase_word, shown_percent
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.utils.safestring import SafeString

    from transcode.pages.job_words import FilmName

MOST_RUNNING: Final = 60
MOST_DONE: Final = 6
DOCK_JOBS: Final = 3
NAV_COUNT_ID: Final = "nav-queue"
# A sum over the waiting rows reads them whole: beyond this the page says how many, not how large.
SUM_UP_TO: Final = 5_000
# Columns that lists never read: whole plans and snapshots.
HEAVY: Final = (
    "plan",
    "source_snapshot",
    "command",
    "kept_output_raw",
    "output_dir_raw",
    "vmaf_curve",
    "sample_frames",
)
FILE_FIELDS: Final = (
    *("id", "title", "year", "show_title", "season", "episode", "resolution", "video_codec"),
    *("hdr", "audio_label", "size_bytes", "duration_ms", "width", "height", "frame_rate_milli"),
    *("audio_codec", "audio_channels", "audio_languages", "mediaflow_tag"),
)
JOB_FIELDS: Final = (
    *("id", "file_path", "preset_slug", "preset_name", "status", "phase", "reason", "reason_code"),
    *("priority", "position", "is_paused", "not_before", "attempt", "max_attempts", "origin"),
    *("source_bytes", "output_bytes", "predicted_bytes", "predicted_bytes_low"),
    *("predicted_bytes_high", "prediction_basis", "cancel_requested_at", "undone_at"),
    *("file_id", "requested_by_id", "created_at", "finished_at", "vmaf_mean"),
)
ROW_FIELDS: Final = (
    *JOB_FIELDS,
    "preset_spec",
    *(f"file__{name}" for name in FILE_FIELDS),
    "requested_by__username",
)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many jobs are in each active state."""

    running: int
    queued: int
    retry_wait: int
    held: int

    @property
    def waiting(self) -> int:
        return self.queued + self.retry_wait


@dataclass(frozen=True, slots=True)
class RunningCard:
    """One running job, ready to print. None is unknown, never 0."""

    id: int
    url: str
    name: FilmName
    badges: tuple[str, ...]
    codec: str
    preset: str
    how: str
    phase: str
    doing: str  # "verifying", in the place of a per cent that is not known
    phases: SafeString  # components/_phases.html
    percent: float | None
    note: str
    eta_s: float | None
    fps: float | None
    speed: float | None
    bytes_so_far: int | None
    source_bytes: int
    predicted_bytes: int | None
    predicted_low: int | None
    predicted_high: int | None
    basis: str
    started_at: datetime | None
    who: str
    attempt: int
    is_stopping: bool
    is_swapping: bool
    cancel_url: str
    pause_url: str
    resume_url: str
    is_paused: bool


@dataclass(frozen=True, slots=True)
class DoneRow:
    url: str
    name: FilmName
    kind: str
    word: str
    text: str
    saved: int | None
    predicted: int | None


@dataclass(frozen=True, slots=True)
class DoneToday:
    count: int
    saved_bytes: int
    rows: tuple[DoneRow, ...]


def recent_counts() -> QueueCounts:
    """`read_counts` of within the last second: every page and every poll needs them."""
    return live_parts.figure("counts", read_counts)


def queue_count(counts: QueueCounts) -> NavCount:
    """The figure in the sidebar: what runs, else what waits. The dock keeps it fresh."""
    if counts.running:
        return NavCount(counts.running, is_running=True, live_id=NAV_COUNT_ID)
    return NavCount(counts.waiting + counts.held, live_id=NAV_COUNT_ID)


def read_counts() -> QueueCounts:
    """One covering read of the index by status: some milliseconds at 100,000 jobs."""
    found = dict(
        Job.objects.filter(status__in=ACTIVE)
        .order_by()
        .values_list("status")
        .annotate(n=Count("id"))
    )
    names = (JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.HELD)
    return QueueCounts(*(found.get(name, 0) for name in names))


def read_waiting_sums(counts: QueueCounts) -> tuple[int, int] | None:
    """(bytes now, bytes predicted to be saved) of everything that waits; None for long queues."""
    if counts.waiting > SUM_UP_TO:
        return None
    sums = Job.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.RETRY_WAIT]).aggregate(
        now=Sum("source_bytes"),
        saving=Sum(F("source_bytes") - F("predicted_bytes"), filter=Q(predicted_bytes__gt=0)),
    )
    return sums["now"] or 0, sums["saving"] or 0


def read_running(limit: int = MOST_RUNNING) -> list[RunningCard]:
    """The running jobs, oldest first."""
    jobs = Job.objects.filter(status=JobStatus.RUNNING).select_related("file", "requested_by")
    return [_card(job) for job in jobs.defer(*HEAVY).order_by("started_at", "id")[:limit]]


@lru_cache(maxsize=64)
def _phases_html(phase: str, status: str) -> SafeString:
    """There are a dozen of them; fifty cards draw one each, every second or two."""
    return render_to_string("components/_phases.html", {"phases": phase_marks(phase, status)})


def _card(job: Job) -> RunningCard:
    return RunningCard(
        id=job.pk,
        url=reverse("transcode:job_detail", args=[job.pk]),
        name=film_name(job.file, job.file_path),
        badges=badge_texts(job.file),
        codec=target_codec(job.encoder, job.preset_spec),
        preset=job.preset_name or job.preset_slug,
        how=encoder_text(job.encoder, job.crf),
        phase=job.phase,
        doing=phase_word(job.phase),
        phases=_phases_html(job.phase, job.status),
        percent=shown_percent(job.phase, job.progress_pct),
        note=job.progress_note,
        eta_s=live_parts.etas.shown(job.pk, job.phase, job.progress_pct, job.eta_s),
        fps=job.fps,
        speed=job.speed,
        bytes_so_far=job.bytes_so_far,
        source_bytes=job.source_bytes,
        predicted_bytes=job.predicted_bytes,
        predicted_low=job.predicted_bytes_low,
        predicted_high=job.predicted_bytes_high,
        basis=job.prediction_basis,
        started_at=job.started_at,
        who=who_asked(job),
        attempt=job.attempt,
        is_stopping=job.cancel_requested_at is not None,
        is_swapping=is_swap_running(job),
        cancel_url=reverse("transcode:job_cancel", args=[job.pk]),
        pause_url=reverse("transcode:job_pause", args=[job.pk]),
        resume_url=reverse("transcode:job_resume", args=[job.pk]),
        is_paused=job.is_paused,
    )


def who_asked(job: Job) -> str:
    """ "by hand, mara"."""
    name = job.requested_by.get_username() if job.requested_by else ""
    return ", ".join(part for part in (job.origin, name) if part)


def read_done_today(now: datetime | None = None) -> DoneToday:
    """Since midnight where the reader lives."""
    moment = timezone.localtime(now or timezone.now())
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    ended = Job.objects.filter(finished_at__gte=midnight, finished_at__lt=midnight + _DAY)
    sums = ended.filter(status=JobStatus.COMPLETED, undone_at=None).aggregate(
        count=Count("id"), saved=Sum(F("source_bytes") - F("output_bytes"))
    )
    rows = ended.select_related("file", "requested_by").only(*ROW_FIELDS)
    latest = rows.order_by("-finished_at", "-id")[:MOST_DONE]
    return DoneToday(sums["count"], sums["saved"] or 0, tuple(_done_row(job) for job in latest))


_DAY: Final = timedelta(days=1, hours=2)  # a day may have 25 hours


def _done_row(job: Job) -> DoneRow:
    saving = predicted_saving(job)
    return DoneRow(
        url=reverse("transcode:job_detail", args=[job.pk]),
        name=film_name(job.file, job.file_path),
        kind=state_kind(job),
        word=state_word(job).lower(),
        text=job.reason if job.status != JobStatus.COMPLETED else "",
        saved=saved_bytes(job) if state_kind(job) == "ok" else None,
        predicted=saving[0] if saving else None,
    )


@dataclass(frozen=True, slots=True)
class QueuePause:
    is_paused: bool
    reason: str


def read_pause() -> QueuePause:
    values = get_settings("queue_paused", "queue_paused_reason")
    return QueuePause(bool(values["queue_paused"]), str(values["queue_paused_reason"]))


def dock_jobs(cards: Sequence[RunningCard]) -> list[dict[str, Any]]:
    """The first three, as components/_dock.html prints them."""
    return [
        {
            "url": card.url,
            "title": card.name.title,
            "phase": card.phase,
            "percent": card.percent,
            "eta_s": card.eta_s,
            "poster_url": "",
        }
        for card in cards[:DOCK_JOBS]
    ]
