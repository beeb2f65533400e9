"""The files of recommended groups: the versions of a film that is there several times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat

from library.analysis.analysers import duplicates
from library.models import (
    AnalysisVersion,
    Recommendation,
    RecommendationMember,
    RecommendationState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE_ROWS: Final = 10_000


def keep_members(checkpoint: Callable[[], None]) -> None:
    """Bring the members of duplicates up to the versions that this run found."""
    _remove_others(checkpoint)
    ids = Recommendation.objects.filter(kind=duplicates.KIND.slug).exclude(
        state=RecommendationState.GONE
    )
    last = 0
    while True:
        ends = list(
            ids.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:SLICE_ROWS]
        )
        if not ends:
            return
        checkpoint()
        with transaction.atomic():
            _insert(ends[0], ends[-1])
        last = ends[-1]


def _remove_others(checkpoint: Callable[[], None]) -> None:
    """Of groups that are gone, and files that left theirs."""
    wanted = AnalysisVersion.objects.filter(versions__gt=1).annotate(
        spot=Concat(F("key"), Value("#"), Cast("file_id", CharField()))
    )
    members = RecommendationMember.objects.alias(
        spot=Concat(F("recommendation__group_key"), Value("#"), Cast("file_id", CharField()))
    )
    stale = members.exclude(spot__in=wanted.values("spot"))
    ids = list(stale.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), SLICE_ROWS):
        checkpoint()
        RecommendationMember.objects.filter(pk__in=ids[start : start + SLICE_ROWS]).delete()


def _insert(first: int, last: int) -> None:
    """Recommendations and versions meet in the group's key, which no relation of a model says."""
    quote = connection.ops.quote_name
    member, version = (
        quote(model._meta.db_table) for model in (RecommendationMember, AnalysisVersion)
    )
    statement = (
        f"INSERT INTO {member} (recommendation_id, file_id, is_best)"
        f" SELECT r.id, v.file_id, v.place = 1 FROM {quote(Recommendation._meta.db_table)} r"
        f" JOIN {version} v ON v.key = r.group_key AND v.versions > 1"
        " WHERE r.id BETWEEN %s AND %s AND r.kind = %s AND r.state <> %s"
        " ON CONFLICT (recommendation_id, file_id) DO UPDATE SET is_best = excluded.is_best"
        f" WHERE {member}.is_best <> excluded.is_best"
    )
    params: list[Any] = [first, last, duplicates.KIND.slug, RecommendationState.GONE.value]
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
