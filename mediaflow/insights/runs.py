"""The analyses so far, newest first, and what each found that the one before had not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from library.analysis.kinds import KINDS
from library.models import AnalysisRun

if TYPE_CHECKING:
    from datetime import datetime

MOST_RUNS: Final = 50


@dataclass(frozen=True, slots=True)
class RunChange:
    title: str
    open: int
    new: int
    gone: int
    savings_bytes: int


@dataclass(frozen=True, slots=True)
class RunRow:
    at: datetime
    library: str
    trigger: str
    items: int
    seconds: float | None
    open: int
    new: int
    gone: int
    savings_bytes: int
    changes: tuple[RunChange, ...]


def read_runs() -> list[RunRow]:
    """One statement."""
    runs = AnalysisRun.objects.filter(finished_at__isnull=False).select_related("library")
    return [_row(run) for run in runs.order_by("-id")[:MOST_RUNS]]


def _row(run: AnalysisRun) -> RunRow:
    changes = tuple(
        RunChange(
            title=KINDS[slug].title,
            open=int(found.get("open", 0)),
            new=int(found.get("new", 0)),
            gone=int(found.get("gone", 0)),
            savings_bytes=int(found.get("savings_bytes", 0)),
        )
        for slug, found in run.by_kind.items()
        if slug in KINDS
    )
    return RunRow(
        at=run.finished_at or run.started_at,
        library=run.library.name if run.library else "All libraries",
        trigger=run.trigger,
        items=run.item_count,
        seconds=run.seconds,
        open=sum(change.open for change in changes),
        new=sum(change.new for change in changes),
        gone=sum(change.gone for change in changes),
        savings_bytes=sum(change.savings_bytes for change in changes),
        changes=changes,
    )
