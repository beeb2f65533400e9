"""Starting an analysis, and the films that recommendations are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q

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
from mediaflow.base.operations import start_operation

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

    from mediaflow.base.models import Operation

ANALYZE: Final = "analyze"
BY_HAND: Final = "by hand"


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
