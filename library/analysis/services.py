"""Starting an analysis, and the films that recommendations are about."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.utils import timezone

from library.analysis.analysers import batch, codec
from library.models import (
    AnalysisRun,
    Library,
    MediaFile,
    Recommendation,
    RecommendationMember,
    RecommendationState,
)
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import OperationProblem, start_operation
from mediaflow.base.settings_store import get_setting, get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

ANALYZE: Final = "analyze"
BY_HAND, BY_SCHEDULE, BY_SCAN = "by hand", "schedule", "scan"
_CHANGES: Final = ("added", "changed", "moved", "missing")  # of a scan's summary
SCHEDULES: Final = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}


def start_analysis(
    library: Library | None = None,
    actor: AbstractBaseUser | None = None,
    trigger: str = BY_HAND,
) -> Operation:
    """Queue an analysis of one library or all; the one that waits or runs when there is one.

    `trigger`: "by hand", "schedule", "sync" or "scan".
    """
    if actor is not None:
        record_audit("analysis.start", actor=actor, subject=library.name if library else "")
    return start_operation(
        kind=ANALYZE,
        title=f"Analyse {library.name}" if library else "Analyse all libraries",
        args={"library": library.pk if library else None, "trigger": trigger},
        lock_key=f"analyze:{library.pk if library else 'all'}",
        unit="steps",
        actor=actor,
    )


def start_due_analyses(now: datetime | None = None) -> list[Operation]:
    """Periodic: of all libraries, where the last analysis is as old as the settings say; else of
    those that a scan has changed since they were looked at."""
    settings = get_settings("insights_schedule", "insights_after_scan")
    moment = now or timezone.now()
    libraries = list(Library.objects.filter(is_enabled=True, frozen_reason=""))
    if not libraries:
        return []
    last = AnalysisRun.objects.filter(library=None).order_by("-id").first()
    if _is_due(last, SCHEDULES.get(settings["insights_schedule"]), moment):
        return [start_analysis(trigger=BY_SCHEDULE)]
    if not settings["insights_after_scan"]:
        return []
    return [start_analysis(row, trigger=BY_SCAN) for row in libraries if _has_new_scan(row)]


def _is_due(last: AnalysisRun | None, interval: timedelta | None, now: datetime) -> bool:
    if interval is None:
        return False
    # A clock that went back is no reason to wait for years.
    return last is None or not timedelta(0) <= now - last.started_at < interval


def _has_new_scan(library: Library) -> bool:
    """Whether the last scan changed something and nobody has analysed the library since."""
    summary, scanned_at = library.last_scan_summary, library.last_scan_at
    if scanned_at is None or not any(summary.get(key) for key in _CHANGES):
        return False
    own = Q(library=library) | Q(library=None)
    return not AnalysisRun.objects.filter(own, started_at__gte=scanned_at).exists()


def analyse_after_partial_scan(library_id: int, summary: Mapping[str, Any]) -> None:
    """A look at some folders leaves no date for `start_due_analyses`, so it asks by itself."""
    library = Library.objects.filter(pk=library_id, is_enabled=True).first()
    has_changed = any(summary.get(key) for key in _CHANGES)
    if library is not None and has_changed and get_setting("insights_after_scan"):
        start_analysis(library, trigger=BY_SCAN)


def run_analysis_operation(context: OperationContext) -> None:
    """Handler of operations of kind "analyze". Safe to run twice: the second does the rest."""
    from library.analysis.run import run_analysis

    library = None
    if (library_id := context.args.get("library")) is not None:
        library = Library.objects.filter(pk=library_id).first()
        if library is None:
            raise OperationProblem("The library was removed.")
    run = run_analysis(
        library,
        trigger=context.args.get("trigger", BY_HAND),
        report=context.report,
        checkpoint=context.checkpoint,
    )
    context.set_result({"run": run.pk})
    found = sum(changes["open"] for changes in run.by_kind.values())
    text = f"{run.item_count:,} films: {found:,} recommendations."
    context.report(1, 1, message=text)


def recommendation_files(selection: QuerySet[Recommendation]) -> QuerySet[MediaFile]:
    """The files that some recommendations are about, each once, those removed from the list
    excepted. Of a batch: the films of it whose own recommendation is open."""
    alone = selection.filter(file__isnull=False).order_by().values("file_id")
    members = RecommendationMember.objects.filter(recommendation__in=selection.order_by())
    groups = selection.filter(kind=batch.KIND.slug).order_by()
    alike = (
        Recommendation.objects.filter(
            state=RecommendationState.OPEN,
            kind=codec.KIND.slug,
            library_id__in=groups.values("library_id"),
        )
        .alias(batch_key=batch.group_key("file__"))
        .filter(batch_key__in=groups.values("group_key"))
        .values("file_id")
    )
    chosen = Q(pk__in=alone) | Q(pk__in=members.values("file_id")) | Q(pk__in=alike)
    return MediaFile.objects.filter(chosen, removed_from_list_at=None)
