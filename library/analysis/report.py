"""What a run says at its end, for the command line and the operation's page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from library.analysis.kinds import KINDS
from library.analysis.sums import ALL_KINDS, read_tallies, tally
from library.models import AnalysisRun, RecommendationState

if TYPE_CHECKING:
    from library.analysis.sums import Tally


@dataclass(frozen=True, slots=True)
class TypeReport:
    """One kind: what is open now, and what changed since the run before."""

    type: str
    title: str
    open: int
    new: int
    gone: int
    savings_bytes: int


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    items: int
    recommendations: int  # open ones
    estimated_savings_bytes: int  # each film once, with what saves most
    seconds: float
    by_type: tuple[TypeReport, ...]

    def to_json(self) -> dict[str, Any]:
        by_type = {entry.type: asdict(entry) for entry in self.by_type}
        return {**asdict(self), "by_type": by_type}


def report_of(run_id: int) -> AnalysisReport:
    """Raises AnalysisRun.DoesNotExist."""
    run = AnalysisRun.objects.get(pk=run_id)
    by_type = tuple(
        TypeReport(slug, kind.title, **run.by_kind[slug])
        for slug, kind in KINDS.items()
        if slug in run.by_kind
    )
    return AnalysisReport(
        items=run.item_count,
        recommendations=sum(entry.open for entry in by_type),
        estimated_savings_bytes=_saved(run.library_id).savings_bytes,
        seconds=run.seconds or 0.0,
        by_type=by_type,
    )


def _saved(library_id: int | None) -> Tally:
    rows = read_tallies(library_id)
    return tally(r for r in rows if r.kind == ALL_KINDS and r.state == RecommendationState.OPEN)
