"""The film page's card of its recommendations: what is worth doing, why, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from library.analysis.kinds import KINDS
from library.models import Recommendation, RecommendationState
from mediaflow.base.film_hooks import FilmPanel, TimelineEntry
from mediaflow.insights.rows import make_rows

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

SHOWN = (RecommendationState.OPEN, RecommendationState.SNOOZED, RecommendationState.DISMISSED)


def insight_panel(request: HttpRequest, file: Model) -> FilmPanel | None:
    """Its own and those of groups that it is in. One statement; None for a film without any."""
    found = list(
        Recommendation.objects.filter(
            Q(file_id=file.pk) | Q(members__file_id=file.pk),
            state__in=[*SHOWN, RecommendationState.ACCEPTED],
            kind__in=list(KINDS),
        ).order_by("-priority", "-pk")
    )
    if not found:
        return None
    for row in found:
        if row.file_id == file.pk:
            row.file = file  # type: ignore[assignment]  # it is one: the hook's signature is wider
    rows = make_rows(row for row in found if row.state in SHOWN)
    return FilmPanel(
        template="insights/_film_panel.html" if rows else "",
        context={
            "rows": [row for row in rows if row.is_open],
            "put_off": [row for row in rows if not row.is_open],
            "may_decide": bool(getattr(request.user, "is_operator", False)),
            "here": request.path,
        },
        timeline=tuple(
            TimelineEntry(
                at=row.created_at,
                title=f"Recommended: {KINDS[row.kind].phrase}",
                icon="bulb",
                sub=str(RecommendationState(row.state).label).lower(),
            )
            for row in found
        ),
    )
