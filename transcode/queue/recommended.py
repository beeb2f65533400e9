"""Jobs that a recommendation caused: named in the job, and the recommendation counts as accepted.

A cause is what a page posts: the kind of recommendation ("codec"), of which each film has its own,
or the number of one, for a group of films.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import OuterRef, Subquery

from library.analysis.decisions import accept
from library.analysis.kinds import KINDS
from library.models import Recommendation, RecommendationState
from mediaflow.base.ids import read_id
from transcode.models import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import AbstractBaseUser

BATCH: Final = 2_000
ORIGIN_PREFIX: Final = "recommendation: "


def known_cause(text: str) -> str:
    """The cause that a form posts; "" for anything that is none."""
    if text in KINDS:
        return text
    return text if Recommendation.objects.filter(pk=read_id(text) or 0).exists() else ""


def origin_of(cause: str) -> str:
    """What `Job.origin` says: the kind in words."""
    kind = cause
    if cause not in KINDS:
        kind = Recommendation.objects.filter(pk=cause).values_list("kind", flat=True).first() or ""
    return ORIGIN_PREFIX + (KINDS[kind].title if kind in KINDS else kind)


def link_jobs(job_ids: Sequence[int], cause: str, actor: AbstractBaseUser | None) -> None:
    """Say in the jobs what caused them, and accept it. Inside the transaction that made them."""
    for start in range(0, len(job_ids), BATCH):
        batch = Job.objects.filter(pk__in=job_ids[start : start + BATCH])
        if cause in KINDS:
            own = Recommendation.objects.filter(
                file=OuterRef("file"),
                kind=cause,
                state__in=(RecommendationState.OPEN, RecommendationState.SNOOZED),
            )
            batch.update(recommendation_id=Subquery(own.values("pk")[:1]))
        else:
            group = Recommendation.objects.filter(pk=int(cause))  # it may be gone by now
            batch.update(recommendation_id=Subquery(group.values("pk")))
        linked = batch.filter(recommendation__isnull=False)
        accept(set(linked.values_list("recommendation_id", flat=True)), actor=actor)
