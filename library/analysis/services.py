"""Starting an analysis, and the films that recommendations are about."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

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
from mediaflow.base.settings_store import get_setting

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

ANALYZE: Final = "analyze"
BY_HAND, BY_SCHEDULE, BY_SCAN = "by hand", "schedule", "scan"
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


def start_due_analysis(now: datetime | None = None) -> Operation | None:
    """Periodic: an analysis of all libraries, where the last one is as old as the settings say."""
    interval = SCHEDULES.get(get_setting("insights_schedule"))
    if interval is None or not Library.objects.filter(is_enabled=True).exists():
        return None
    moment = now or timezone.now()
    last = AnalysisRun.objects.filter(library=None).order_by("-id").first()
    # A clock that went back is no reason to wait for years.
    if last is not None and timedelta(0) <= moment - last.started_at < interval:
        return None
    return start_analysis(trigger=BY_SCHEDULE)


def start_after_scan(library: Library, *, has_changed: bool) -> Operation | None:
    """A scan has ended: look at the library again where it found a change, if that is wanted."""
    if not has_changed or not get_setting("insights_after_scan"):
        return None
    return start_analysis(library, trigger=BY_SCAN)


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


def latest_run() -> AnalysisRun | None:
    """The newest finished run over all libraries."""
    runs = AnalysisRun.objects.filter(library=None, finished_at__isnull=False)
    return runs.order_by("-id").first()


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
