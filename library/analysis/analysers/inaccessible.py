"""Inaccessible or damaged: files that are gone, cannot be read, or hold no picture or length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, CharField, F, Q, Value, When

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import sized
from library.models import Availability

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

OUT_OF_REACH: Final = (
    Availability.MISSING, Availability.UNREACHABLE, Availability.UNREADABLE
)  # fmt: skip
OUT_OF_REACH_PCT, DAMAGED_PCT = 95, 75

_WORDS = {
    "missing": "It is no longer in its folder.",
    "unreachable": "Its folder cannot be reached.",
    "unreadable": "It cannot be read.",
    "no_picture": "It was read, but no picture was found in it.",
    "no_length": "It was read, but has no length: it was probably cut off while it was written.",
    "empty": "The file is empty.",
}


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    why = _WORDS.get(str(found.figures.get("why", "")), "It cannot be used.")
    reason = file.availability_reason
    more = f" {reason}" if reason and reason.rstrip(".") not in why else ""
    size = f" ({sized(file.size_bytes)})" if file.size_bytes else ""
    return f"{why}{more} Look at it, or get it again{size}."


KIND = AnalysisKind(
    slug="inaccessible",
    title="Inaccessible or damaged",
    icon="crack",
    blurb="Files that are gone, cannot be read, or hold no picture or no length.",
    order=10,
    sentence=sentence,
    severity_words=("Have a look", "Have a look", "Damaged"),
)


def find(look: Look) -> int:
    """Also films that MediaFlow has made: what is gone is gone."""
    is_gone = Q(availability__in=OUT_OF_REACH)
    is_damaged = Q(availability=Availability.PRESENT, is_probed=True) & (
        Q(size_bytes=0) | Q(video_codec="") | Q(duration_ms=0)
    )
    why = Case(
        When(is_gone, then=F("availability")),
        When(size_bytes=0, then=Value("empty")),
        When(video_codec="", then=Value("no_picture")),
        default=Value("no_length"),
        output_field=CharField(),
    )
    severity = Case(
        When(availability__in=OUT_OF_REACH[:2], then=Value(2)),
        default=Value(3),
        output_field=BigIntegerField(),
    )
    confidence = Case(
        When(is_gone, then=Value(OUT_OF_REACH_PCT)),
        default=Value(DAMAGED_PCT),
        output_field=BigIntegerField(),
    )
    films = look.films.filter(is_gone | is_damaged)
    finding = Finding(severity=severity, confidence_pct=confidence, figures={"why": why})
    return add_films(KIND, films, finding)
