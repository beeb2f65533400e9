"""A parsed filter of the file list: plain values, and the condition they mean.

Ranges are half open: "over 20GB" includes 20 GB, "under 20GB" does not: two halves never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from library.folding import search_text
from library.listing.labels import AUDIO_LABELS
from library.models import FileTag, Recommendation, RecommendationState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

MAX_TERMS = 8
FACET_COLUMNS = {
    "resolution": "resolution",
    "codec": "video_codec",
    "hdr": "hdr",
    "container": "container",
    "state": "state",
    "availability": "availability",
    "kind": "kind",
    "library": "library_id",
}
RANGE_COLUMNS = {
    "size": "size_bytes",
    "bitrate": "bit_rate_kbps",
    "duration": "duration_ms",
    "added": "added_at",
}


@dataclass(frozen=True, slots=True)
class Range:
    """`low <= value < high`; None is open."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class Recommended:
    """Files with an open recommendation: of some kinds (none named: any), at least so sure and so
    severe."""

    kinds: tuple[str, ...] = ()
    least_confidence_pct: int = 0
    least_severity: int = 0

    def rows(self) -> QuerySet[Recommendation]:
        """The recommendations meant; those of groups have no file and are not among them."""
        found = Recommendation.objects.filter(state=RecommendationState.OPEN, file__isnull=False)
        if self.kinds:
            found = found.filter(kind__in=self.kinds)
        if self.least_confidence_pct:
            found = found.filter(confidence_pct__gte=self.least_confidence_pct)
        if self.least_severity:
            found = found.filter(severity__gte=self.least_severity)
        return found


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What is asked for. Empty means everything that is in the list."""

    facets: dict[str, frozenset[Any]] = field(default_factory=dict)  # filter name -> any of
    ranges: dict[str, Range] = field(default_factory=dict)  # filter name -> range
    tag_ids: tuple[int, ...] = ()  # all of them
    terms: tuple[str, ...] = ()  # folded; all of them
    recommended: Recommended | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.facets or self.ranges or self.tag_ids or self.terms or self.recommended)

    def condition(self) -> Q:
        """The whole filter as one condition on MediaFile; files removed from the list are out."""
        parts = [
            Q(removed_from_list_at=None),
            *(facet_condition(name, values) for name, values in self.facets.items()),
            *(range_condition(name, span) for name, span in self.ranges.items()),
            *(tag_condition(tag_id) for tag_id in self.tag_ids),
            *(term_condition(term) for term in self.terms),
            *([recommended_condition(self.recommended)] if self.recommended else []),
        ]
        return reduce(and_, parts)


def facet_condition(name: str, values: Iterable[Any]) -> Q:
    if name != "audio":
        return Q(**{f"{FACET_COLUMNS[name]}__in": sorted(values)})
    labels = [value for value in values if value in AUDIO_LABELS]
    codecs = [value for value in values if value not in AUDIO_LABELS]
    return Q(audio_label__in=labels) | Q(audio_codec__in=codecs)


def range_condition(name: str, span: Range) -> Q:
    column = RANGE_COLUMNS[name]
    condition = Q()
    if span.low is not None:
        condition &= Q(**{f"{column}__gte": span.low})
    if span.high is not None:
        condition &= Q(**{f"{column}__lt": span.high})
    return condition


def tag_condition(tag_id: int) -> Q:
    return Q(Exists(FileTag.objects.filter(tag_id=tag_id, file_id=OuterRef("pk"))))


def recommended_condition(recommended: Recommended) -> Q:
    return Q(Exists(recommended.rows().filter(file_id=OuterRef("pk"))))


def term_condition(term: str) -> Q:
    return reduce(or_, (Q(**{f"search_text__{kind}": text}) for kind, text in term_patterns(term)))


def term_patterns(term: str) -> tuple[tuple[str, str], ...]:
    """How a folded word is looked for: pairs of (lookup, text)."""
    # Latin words must begin a word: "up" is not in "superb". Other scripts do not part words.
    if term.isascii():
        return (("startswith", term), ("contains", f" {term}"))
    return (("contains", term),)


def split_terms(text: str) -> tuple[str, ...]:
    """Folded words of a search, the longest first: they are the rarest."""
    words = dict.fromkeys(search_text(text).split())
    return tuple(sorted(words, key=len, reverse=True)[:MAX_TERMS])
