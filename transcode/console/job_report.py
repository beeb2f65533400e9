"""Jobs as the command line prints them: the keys of docs/interface, and a line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count

from library.folding import display_path
from transcode.models import Job, JobStatus
from transcode.replacing.undoable import entry_in_trash

if TYPE_CHECKING:
    from collections.abc import Iterable

WRONG_END: Final = frozenset({JobStatus.FAILED, JobStatus.HELD, JobStatus.RETRY_WAIT})


def report_jobs(ids: Iterable[int] | None = None, *, state: str = "") -> list[dict[str, Any]]:
    """All jobs, or some, as JSON values in the order of their ids. A constant number of queries."""
    jobs = Job.objects.select_related("replacement__trash").annotate(chunk_count=Count("chunks"))
    if ids is not None:
        jobs = jobs.filter(pk__in=list(ids))
    if state:
        jobs = jobs.filter(status=state)
    return [_as_json(job) for job in jobs.order_by("pk")]


def _as_json(job: Any) -> dict[str, Any]:
    return {
        "id": job.pk,
        "file": job.file_path,
        "state": job.status,
        "phase": job.phase,
        "progress": job.progress_pct,
        "preset": job.preset_slug,
        "encoder": job.encoder,
        "crf": job.crf,
        "server": job.server_name,
        "source_bytes": job.source_bytes,
        "output_bytes": job.output_bytes,
        "predicted_bytes": job.predicted_bytes,
        "vmaf": job.vmaf_mean,
        "frames": job.frames,
        "chunks": job.chunk_count,
        "resumed_chunks": job.resumed_chunks,
        "seconds": job.seconds,
        "error": job.reason if job.status in WRONG_END else "",
        "reason": job.reason,
        "reason_code": job.reason_code,
        "output_path": job.output_path,
        "trash_path": _trash_path(job),
        "output_mode": job.output_mode,
        "undone": job.undone_at is not None,
    }


def _trash_path(job: Any) -> str:
    """Where the original is kept; "" when it is not in the trash (any more)."""
    entry = entry_in_trash(getattr(job, "replacement", None))
    return display_path(bytes(entry.path_raw)) if entry is not None else ""


def job_line(job: dict[str, Any]) -> str:
    """One job in one line."""
    text = f"{job['id']:>6}  {job['state']:<10}  {job['file']}"
    if job["state"] == JobStatus.COMPLETED and job["output_bytes"] is not None:
        text += f"  {size_text(job['source_bytes'])} → {size_text(job['output_bytes'])}"
    if job["state"] == JobStatus.RUNNING:
        progress = "" if job["progress"] is None else f" {job['progress']:.0f} %"
        text += f"  {job['phase']}{progress}"
    if job["undone"]:
        text += "  (undone)"
    return text + (f"\n{'':>20}{job['reason']}" if job["reason"] else "")


def size_text(size_bytes: int) -> str:
    """As people read it: 812 B, 4.2 MB, 1.3 GB (powers of 1000)."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"
