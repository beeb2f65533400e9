"""Everything the page of one job shows: plan, attempts, events, proof, its original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from library.folding import display_path
from transcode.models import (
    JobAttempt,
    JobStatus,
    JournalState,
    OutputMode,
    ProofRecord,
    Replacement,
    TrashState,
)
from transcode.pages.job_words import saved_bytes
from transcode.pages.stream_words import SideBySide, TrackRow, compare_streams, planned_tracks
from transcode.planning.model import Plan
from transcode.replacing.undoable import entry_in_trash, is_undo_stuck, is_undoable
from transcode.trash.sweep import purge_due_on

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from transcode.models import Job, JobEvent

RUNG_STATES: Final = {
    "passed": "",
    "sampled": "",
    "recorded": "",
    "not_applicable": "skip",
    "failed": "bad",
}
EVENT_KINDS: Final = {
    JobStatus.COMPLETED: "ok",
    JobStatus.FAILED: "bad",
}
EVENT_ICONS: Final = {
    JobStatus.QUEUED: "queue",
    JobStatus.RUNNING: "play",
    JobStatus.RETRY_WAIT: "clock",
    JobStatus.HELD: "pause",
    JobStatus.COMPLETED: "shield",
    JobStatus.SKIPPED: "skip",
    JobStatus.FAILED: "alert",
    JobStatus.CANCELLED: "x",
}
MOST_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung as components/_ladder.html prints it, with what the details table adds."""

    label: str
    value: str
    state: str
    note: str
    limit: str


@dataclass(frozen=True, slots=True)
class ProofView:
    """A proof record in words."""

    record: ProofRecord
    rungs: tuple[Rung, ...]
    passed_count: int
    sides: SideBySide


@dataclass(frozen=True, slots=True)
class OriginalView:
    """What became of the original: in the trash, freed, put back."""

    state: str  # kept, purged, restored, lost, both, beside, none, open
    size_bytes: int
    due_on: date | None
    kept_reason: str
    trash_path: str
    can_undo: bool
    journal: str
    detail: str
    is_undo_stuck: bool


@dataclass(frozen=True, slots=True)
class JobPage:
    plan: Plan | None
    tracks: tuple[TrackRow, ...]
    attempts: list[JobAttempt]
    timeline: list[dict[str, Any]]
    proof: ProofView | None
    original: OriginalView
    saved: int | None
    reruns: list[int]


def read_job_page(job: Job) -> JobPage:
    """Five statements, whatever the job went through."""
    plan = read_plan(job.plan)
    proof = job.proofs.order_by("-id").first()
    return JobPage(
        plan=plan,
        tracks=planned_tracks(plan) if plan else (),
        attempts=list(job.attempts.order_by("id")),
        timeline=timeline(job.events.order_by("-id")[:MOST_EVENTS]),
        proof=_proof_view(proof) if proof else None,
        original=read_original(job),
        saved=saved_bytes(job),
        reruns=list(job.reruns.order_by("id").values_list("pk", flat=True)[:5]),
    )


def read_plan(raw: object) -> Plan | None:
    """The stored plan; None when there is none, or a version of another time wrote it."""
    if not isinstance(raw, dict) or not raw:
        return None
    try:
        return Plan.from_json(raw)
    except (KeyError, TypeError, ValueError):
        return None


def timeline(events: Iterable[JobEvent]) -> list[dict[str, Any]]:
    """Newest first, as components/_timeline.html prints them."""
    return [
        {
            "title": JobStatus(event.to_status).label,
            "at": event.at,
            "kind": EVENT_KINDS.get(JobStatus(event.to_status), ""),
            "icon": EVENT_ICONS[JobStatus(event.to_status)],
            "sub": event.reason,
        }
        for event in events
    ]


def _proof_view(record: ProofRecord) -> ProofView:
    rungs = tuple(_rung(raw) for raw in record.rungs if isinstance(raw, dict))
    passed = sum(rung.state != "bad" for rung in rungs)
    sides = compare_streams(record.streams_before, record.streams_after)
    return ProofView(record, rungs, passed, sides)


def _rung(raw: dict[str, Any]) -> Rung:
    outcome = str(raw.get("outcome", ""))
    measured = str(raw.get("measured", ""))
    name = str(raw.get("name", ""))
    marks = {"sampled": " (sampled)", "recorded": " (recorded)"}
    return Rung(
        label=f"{name[:1].upper()}{name[1:]}{marks.get(outcome, '')}",
        value=measured,
        state=RUNG_STATES.get(outcome, ""),
        note=str(raw.get("text", "")),
        limit=str(raw.get("limit", "")),
    )


def read_original(job: Job) -> OriginalView:
    """One statement."""
    rows = Replacement.objects.filter(job=job).select_related("trash", "file")
    row = rows.first()
    if row is None:
        return OriginalView("none", 0, None, "", "", False, "", "", False)
    entry = getattr(row, "trash", None)
    state, due_on, path = "open", None, ""
    if row.mode != OutputMode.REPLACE:
        state = "beside"
    elif entry is not None:
        state, path = entry.state, display_path(bytes(entry.path_raw))
        if entry_in_trash(row):
            state, due_on = TrashState.KEPT, purge_due_on(entry)
    elif row.state == JournalState.PUBLISHED:
        state = "both"
    return OriginalView(
        state=state,
        size_bytes=entry.size_bytes if entry else job.source_bytes,
        due_on=due_on,
        kept_reason=entry.kept_reason if entry else "",
        trash_path=path,
        can_undo=is_undoable(job, row),
        journal=JournalState(row.state).label if row.state != JournalState.DONE else "",
        detail=row.detail,
        is_undo_stuck=is_undo_stuck(row),
    )


def failure_text(job: Job) -> dict[str, Any] | None:
    """components/_fail.html for a job that failed or is held; None for others."""
    if job.status not in {JobStatus.FAILED, JobStatus.HELD}:
        return None
    is_held = job.status == JobStatus.HELD
    return {
        "title": f"{'On hold' if is_held else 'Failed'}: {job.file_path}",
        "text": job.reason or "The reason was not recorded; the log has the details.",
        "unchanged": _unchanged(job),
        "next": (
            "Look at the reason, then let it go on or cancel it."
            if is_held
            else "Run it again, choose another preset, or leave the film as it is."
        ),
        "actions": [
            {
                "label": "Let it go on" if is_held else "Run again",
                "url": reverse("transcode:job_retry", args=[job.pk]),
                "is_post": True,
            }
        ],
    }


def _unchanged(job: Job) -> str:
    row = Replacement.objects.filter(job=job).values_list("state", flat=True).first()
    if row in {None, JournalState.ABANDONED, JournalState.COPYING, JournalState.STAGED}:
        return "The film itself was not changed."
    if row == JournalState.STUCK:
        return "MediaFlow deletes nothing of it and touches nothing until you decide."
    return "The original is kept in the trash."
