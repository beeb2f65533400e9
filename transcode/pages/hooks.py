"""What the queue adds to other pages: a film's jobs, the bulk bar's button, a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

from mediaflow.base.film_hooks import BulkAction, FilmPanel, TimelineEntry
from mediaflow.base.navigation import NavCount
from mediaflow.templatetags._text import size
from transcode.after_swap.outbox import given_up_count
from transcode.models import Job, JobStatus, Preset
from transcode.pages.causes import cause_of
from transcode.pages.job_words import phase_marks, saved_bytes, state_kind, state_word
from transcode.pages.queue_page import HEAVY, queue_count, recent_counts
from transcode.replacing.undoable import entry_in_trash, is_undoable
from transcode.states import ACTIVE
from transcode.trash.sweep import purge_due_on

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from mediaflow.accounts.models import User

MOST_JOBS = 10
DEFAULT_PRESET = "balanced"


def nav_counts(user: User) -> dict[str, NavCount]:
    """Running jobs with a pulse, else how many wait; what others could not be told."""
    counts = {"transcode:queue": queue_count(recent_counts())}
    if user.is_admin and (given_up := given_up_count()):
        counts["library:connection_list"] = NavCount(given_up)
    return counts


def bulk_action(user: User) -> BulkAction | None:
    """Queue the selection: shows a preview first."""
    if not user.is_operator:
        return None
    presets = Preset.objects.values_list("slug", "name")
    return BulkAction(
        label="Queue",
        url=reverse("transcode:enqueue_preview"),
        icon="queue",
        is_primary=True,
        presets=tuple(
            {"value": slug, "label": name, "is_default": slug == DEFAULT_PRESET}
            for slug, name in presets
        ),
        note="You see what would happen before anything does.",
    )


def film_panel(request: HttpRequest, file: Model) -> FilmPanel | None:
    """The film's jobs: what runs, what was done, what can be undone. One statement."""
    jobs = list(
        Job.objects.filter(file_id=file.pk)
        .select_related("replacement__trash", "requested_by")
        .defer(*HEAVY)
        .order_by("-id")[:MOST_JOBS]
    )
    if not jobs:
        return None
    may_undo = bool(getattr(request.user, "is_operator", False))
    active = next((job for job in jobs if job.status in ACTIVE), None)
    latest = next((job for job in jobs if job.status == JobStatus.COMPLETED), None)
    return FilmPanel(
        template="transcode/_film_panel.html" if active else "",
        context=_active_context(active) if active else {},
        place="main",
        timeline=tuple(_entry(job, may_undo=may_undo) for job in jobs),
        stats=tuple(_stats(latest)) if latest and latest.undone_at is None else (),
    )


def _active_context(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "word": state_word(job),
        "kind": state_kind(job),
        "phases": phase_marks(job.phase, job.status),
    }


def _entry(job: Job, *, may_undo: bool) -> TimelineEntry:
    row = getattr(job, "replacement", None)
    entry, can_undo = entry_in_trash(row), is_undoable(job, row)
    saved = saved_bytes(job)
    is_done = job.status == JobStatus.COMPLETED
    figure = f"{size(saved).text} smaller" if saved and is_done else ""
    cause = cause_of(job)
    parts = (f"job {job.pk}", figure or job.reason, cause.text if cause else "")
    sub = " · ".join(part for part in parts if part)
    return TimelineEntry(
        at=job.finished_at or job.started_at or job.created_at,
        title=f"{state_word(job)}, {job.preset_name or job.preset_slug}",
        kind={"ok": "ok", "bad": "bad"}.get(state_kind(job), ""),
        icon="shield" if state_kind(job) == "ok" else "",
        sub=sub,
        link=reverse("transcode:job_detail", args=[job.pk]),
        link_text="Details",
        undo_url=reverse("transcode:job_undo", args=[job.pk]) if can_undo and may_undo else "",
        undo_note=f"The original is kept until {purge_due_on(entry):%-d %b %Y}." if entry else "",
    )


def _stats(job: Job) -> list[dict[str, Any]]:
    """Figures for the top of the page, of the job whose result lies there now."""
    rows: list[dict[str, Any]] = []
    saved = saved_bytes(job)
    if saved is not None and job.source_bytes:
        is_kept = entry_in_trash(getattr(job, "replacement", None)) is not None
        rows.append(
            {
                "label": "Smaller by",
                "figure": size(saved).text,
                "note": f"{100 * saved / job.source_bytes:.0f} % smaller",
                "tone": "warn" if is_kept else "ok",
            }
        )
    if job.vmaf_mean is not None:
        rows.append(
            {"label": "VMAF", "figure": f"{job.vmaf_mean:.1f}", "note": job.vmaf_method, "tone": ""}
        )
    return rows
