"""The chunks of a job as components/_chunk_map.html shows them: a cell each, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from transcode.models import ChunkAttemptStatus, ChunkStatus, JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.models import Chunk, Job

# More cells than this cannot be told apart: neighbours share one.
MOST_CELLS = 240


@dataclass(frozen=True, slots=True)
class ChunkMap:
    cells: tuple[dict[str, Any], ...]
    done: int
    total: int
    caption: str
    label: str


def read_chunk_map(job: Job) -> ChunkMap | None:
    """One statement; None for a film that runs whole."""
    if job.chunks_total < 2:
        return None
    leased = Count("attempts", filter=Q(attempts__status=ChunkAttemptStatus.LEASED))
    rows = list(job.chunks.annotate(tries=Count("attempts"), leased=leased).order_by("index"))
    if len(rows) < 2:
        return None
    states = [_state(row, is_running=job.status == JobStatus.RUNNING) for row in rows]
    share = _share_of_running(job, rows, states)
    done = states.count("done")
    again = sum(row.tries > 1 for row in rows)
    caption = f"{again} encoded more than once" if again else ""
    cells = [
        {
            "weight": row.frames or 1,
            "state": state,
            "progress": share if state == "run" else None,
            "title": f"Chunk {row.index + 1}: {_words(row, state)}",
        }
        for row, state in zip(rows, states, strict=True)
    ]
    running = states.count("run")
    label = f"{done} of {len(rows)} chunks done, {running} being encoded"
    return ChunkMap(_joined(cells), done, len(rows), caption, label)


def _state(row: Any, *, is_running: bool) -> str:
    if row.status == ChunkStatus.DONE:
        return "done"
    if row.leased and is_running:
        return "run"
    return "retry" if row.tries else "wait"


def _words(row: Chunk, state: str) -> str:
    if state == "done" and row.seconds is not None:
        note = f", {row.encoder_note}" if row.encoder_note else ""
        return f"done in {row.seconds:.0f} s{note}"
    return {"done": "done", "run": "being encoded", "retry": "to be tried again"}.get(
        state, "waiting"
    )


def _share_of_running(job: Job, rows: Sequence[Chunk], states: Sequence[str]) -> float:
    """How far the running ones are together; each for itself is not stored."""
    frames = {"done": 0, "run": 0}
    for row, state in zip(rows, states, strict=True):
        if state in frames:
            frames[state] += row.frames or 0
    total = sum(row.frames or 0 for row in rows)
    if job.progress_pct is None or not frames["run"]:
        return 0.0
    beyond = job.progress_pct / 100 * total - frames["done"]
    return min(1.0, max(0.0, beyond / frames["run"]))


def _joined(cells: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """At most MOST_CELLS: of neighbours the least finished one speaks."""
    if len(cells) <= MOST_CELLS:
        return tuple(cells)
    order = ("retry", "run", "wait", "done")
    size = -(-len(cells) // MOST_CELLS)
    groups = [cells[n : n + size] for n in range(0, len(cells), size)]
    return tuple(
        {
            **min(group, key=lambda cell: order.index(cell["state"])),
            "weight": sum(cell["weight"] for cell in group),
        }
        for group in groups
    )
