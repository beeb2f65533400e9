"""One recommendation as a page shows it: the film or the group, the sentence, what it saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils import timezone

from library.analysis.kinds import KINDS, sentence_of
from library.analysis.sums import BAND_WORDS, confidence_band
from library.listing.labels import (
    container_label,
    quality_badges,
    resolution_label,
    video_codec_label,
)
from library.listing.rows import shown_title
from library.models import Recommendation, RecommendationState
from mediaflow.templatetags._text import short_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from library.analysis.kind import AnalysisKind
    from library.listing.labels import QualityBadges
    from library.models import MediaFile

# Wide columns of the film that no sentence reads.
UNREAD: Final = ("path_raw", "path_digest", "search_text", "content_fingerprint")


@dataclass(frozen=True, slots=True)
class InsightRow:
    id: int
    kind: AnalysisKind
    file_id: int | None
    title: str
    year: int
    url: str
    sentence: str
    badges: QualityBadges | None
    size_bytes: int
    savings_bytes: int
    low: int
    high: int
    band: int
    confidence_word: str
    confidence_pct: int
    severity: int
    severity_word: str
    priority: int
    state: str
    state_text: str
    created_at: datetime

    @property
    def after_bytes(self) -> int:
        return max(0, self.size_bytes - self.savings_bytes)

    @property
    def is_open(self) -> bool:
        return self.state == RecommendationState.OPEN

    @property
    def can_queue(self) -> bool:
        return self.kind.can_queue and self.is_open

    @property
    def cause(self) -> str:
        """As transcode/queue/recommended.py reads it."""
        return self.kind.slug if self.file_id else str(self.id)


def read_by_ids(ids: Sequence[int]) -> list[Recommendation]:
    """With their films, in this order. One statement."""
    found = with_films(Recommendation.objects.filter(pk__in=ids)).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def with_films(rows: QuerySet[Recommendation]) -> QuerySet[Recommendation]:
    return rows.select_related("file").defer(*(f"file__{name}" for name in UNREAD))


def make_rows(found: Iterable[Recommendation]) -> list[InsightRow]:
    """Those of kinds that this version knows."""
    return [_row(row) for row in found if row.kind in KINDS]


def _row(row: Recommendation) -> InsightRow:
    kind, file = KINDS[row.kind], row.file
    sentence = sentence_of(row)
    band = confidence_band(row.confidence_pct)
    return InsightRow(
        id=row.pk,
        kind=kind,
        file_id=row.file_id,
        title=shown_title(file) if file else _group_title(row, kind),
        year=file.year if file else 0,
        url=_url(row, file),
        sentence=sentence,
        badges=quality_badges(file) if file else None,
        size_bytes=file.size_bytes if file else int(row.figures.get("bytes", 0) or 0),
        savings_bytes=row.savings_bytes,
        low=row.savings_low_bytes,
        high=row.savings_high_bytes,
        band=band,
        confidence_word=BAND_WORDS[band],
        confidence_pct=row.confidence_pct,
        severity=row.severity,
        severity_word=kind.severity_word(row.severity),
        priority=row.priority,
        state=row.state,
        state_text=_state_text(row),
        created_at=row.created_at,
    )


def _group_title(row: Recommendation, kind: AnalysisKind) -> str:
    if title := row.figures.get("title"):
        return str(title)
    if show := row.figures.get("show"):
        season = row.figures.get("season")
        return f"{show}, season {season}" if season else str(show)
    parts = (
        video_codec_label(str(row.figures.get("codec", ""))),
        resolution_label(int(row.figures.get("resolution", 0) or 0)),
        container_label(str(row.figures.get("container", ""))),
    )
    what = ", ".join(part for part in parts if part) or kind.phrase
    return f"{row.member_count:,} films in {what}"


def _url(row: Recommendation, file: MediaFile | None) -> str:
    if file is not None:
        return reverse("library:file_detail", args=[file.pk])
    return reverse("insight_group", args=[row.pk])


def _state_text(row: Recommendation) -> str:
    """What was decided, with its reason or its end."""
    if row.state == RecommendationState.DISMISSED:
        return f"Dismissed: {row.dismissed_reason}" if row.dismissed_reason else "Dismissed"
    if row.state == RecommendationState.SNOOZED and row.snoozed_until:
        until = timezone.localtime(row.snoozed_until).date()
        return f"Snoozed until {short_date(until, timezone.localdate())}"
    return str(RecommendationState(row.state).label)
