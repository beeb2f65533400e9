"""One run of the analysers: films copied, each analyser asked, its finds compared and written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from library.analysis.analysers import duplicates
from library.analysis.facts import Savings, Scope, fill_facts, scope_of
from library.analysis.findings import Look, last_finding
from library.analysis.kinds import ANALYSERS, KINDS
from library.analysis.members import keep_members
from library.analysis.merge import Changes, Merge
from library.analysis.scratch import scratch_tables
from library.analysis.sums import read_tallies, recount, tally
from library.models import AnalysisRun, RecommendationState
from mediaflow.base.settings_store import DEFINITIONS, get_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.analysis.kind import AnalysisKind
    from library.models import Library

# Older runs are forgotten; what they found is not.
KEPT_RUNS: Final = 500


def no_report(done: int, total: int, current: str) -> None:
    """For callers that show nothing."""


def no_checkpoint() -> None:
    """For callers that are never stopped."""


def run_analysis(
    library: Library | None = None,
    *,
    trigger: str = "by hand",
    report: Callable[[int, int, str], None] = no_report,
    checkpoint: Callable[[], None] = no_checkpoint,
) -> AnalysisRun:
    """Analyse one library or all, in this process. What `checkpoint` raises ends it between two
    steps; another run does the rest."""
    begun = time.monotonic()
    run = AnalysisRun.objects.create(library=library, trigger=trigger)
    scope, everywhere = scope_of(library), scope_of(None)
    steps = len(KINDS) + 2
    settings = insight_settings()
    by_kind: dict[str, Changes] = {}
    with scratch_tables():
        report(0, steps, "Reading the library")
        items = fill_facts(scope, settings, run.started_at)
        look = Look(scope, settings, run.started_at, Savings())
        for number, kind in enumerate(KINDS.values(), start=1):
            checkpoint()
            report(number, steps, kind.title)
            is_everywhere = kind is duplicates.KIND
            speaks_of = everywhere if is_everywhere else scope
            by_kind[kind.slug] = _analyse(kind, look, speaks_of, run, checkpoint)
            if is_everywhere:
                keep_members(checkpoint)
        report(steps - 1, steps, "Adding up")
        recount()
    return _finish(run, items, by_kind, time.monotonic() - begun)


def insight_settings() -> dict[str, Any]:
    """Those of the group "insights"."""
    return get_settings(*(key for key, d in DEFINITIONS.items() if d.group == "insights"))


def _analyse(
    kind: AnalysisKind,
    look: Look,
    scope: Scope,
    run: AnalysisRun,
    checkpoint: Callable[[], None],
) -> Changes:
    """A kind that is switched off finds nothing: what was open of it ends."""
    before = last_finding()
    if look.settings[f"insights_{kind.slug}"]:
        ANALYSERS[kind.slug](look)
    findings = (before + 1, last_finding())
    return Merge(kind, run, scope.libraries, findings, look.now, checkpoint).apply()


def _summary(run: AnalysisRun, slug: str, changes: Changes) -> dict[str, int]:
    """What is open now, of the run's library or of all, and what the run has changed."""
    rows = read_tallies(run.library_id)
    now = tally(r for r in rows if r.kind == slug and r.state == RecommendationState.OPEN)
    return {
        "open": now.count,
        "new": changes.new,
        "gone": changes.gone,
        "savings_bytes": now.savings_bytes,
    }


def _finish(
    run: AnalysisRun, items: int, by_kind: dict[str, Changes], seconds: float
) -> AnalysisRun:
    run.item_count = items
    run.by_kind = {slug: _summary(run, slug, changes) for slug, changes in by_kind.items()}
    run.seconds = round(seconds, 3)
    run.finished_at = timezone.now()
    run.save(update_fields=["item_count", "by_kind", "seconds", "finished_at"])
    oldest = AnalysisRun.objects.order_by("-id").values_list("pk", flat=True)[KEPT_RUNS:][:1]
    for pk in oldest:
        AnalysisRun.objects.filter(pk__lte=pk).delete()
    return run
