"""Duplicates: several versions of one film, in one library or in several. Editions stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import BigIntegerField, Case, Count, F, Max, Min, Q, Sum, Value, When

from library.analysis.findings import Finding, add_groups
from library.analysis.kind import AnalysisKind
from library.analysis.versions import fill_versions
from library.analysis.wording import rate, sized
from library.listing.labels import HDR_KINDS, resolution_label, video_codec_label
from library.models import AnalysisVersion
from mediaflow.base.film_hooks import SavedBytes
from mediaflow.templatetags._text import span

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import Recommendation

# Lengths that differ by more may be another cut: said in the sentence, and the confidence is low.
CUT_GAP_MS: Final = 120_000
SAME_PCT, NO_YEAR_PCT, OTHER_CUT_PCT = 85, 60, 40


def sentence(found: Recommendation) -> str:
    figures = found.figures
    copies = figures.get("copies", 0)
    spare = figures["files"] - copies - 1
    words = (
        f"{figures['files']} versions of {_name(figures)} take {sized(figures['bytes'])}. The best"
        f" is {_best(figures)} ({sized(figures['best_bytes'])})"
    )
    if spare:
        others = "one takes" if spare == 1 else f"{spare} take"
        words += f"; the other {others} {sized(found.savings_bytes)}"
    words += "." + _copies(copies) + _troubled(figures.get("troubled", 0))
    gap_ms = figures.get("length_gap_ms", 0)
    if gap_ms > CUT_GAP_MS:
        words += f" Their lengths differ by {span(gap_ms / 1000)}: perhaps another cut."
    return f"{words} Look before you remove one ({found.confidence_pct} % sure)."


def _name(figures: dict[str, object]) -> str:
    year = f" ({figures['year']})" if figures.get("year") else ""
    edition = f", {figures['edition']}" if figures.get("edition") else ""
    return f"“{figures['title']}”{year}{edition}"


def _copies(count: int) -> str:
    if not count:
        return ""
    are, ends = ("1 has", "is") if count == 1 else (f"{count} have", "are")
    return (
        f" {are} the content of another, perhaps one file under two names, and {ends} not counted."
    )


def _troubled(count: int) -> str:
    if not count:
        return ""
    are = "1 has failed or breaks off" if count == 1 else f"{count} have failed or break off"
    return f" {are}: not taken for the best."


def _best(figures: dict[str, object]) -> str:
    hdr = str(figures.get("best_hdr") or "")
    parts = (
        resolution_label(int(str(figures.get("best_resolution") or 0))),
        video_codec_label(str(figures.get("best_codec") or "")),
        HDR_KINDS.get(hdr, "") if hdr != "sdr" else "",
        f"with {rate(int(str(figures.get('best_kbps') or 0)))}",
    )
    return " ".join(part for part in parts if part)


KIND = AnalysisKind(
    slug="duplicates",
    title="Several versions of one film",
    icon="dup",
    blurb="The same film more than once, also across libraries. Nothing is removed by itself.",
    order=3,
    sentence=sentence,
    severity_words=("Have a look", "Worth a look", "Takes much space"),
    is_group=True,
)


def find(look: Look) -> int:
    """Across all libraries in use, whatever the run is about: the other version may be in any."""
    fill_versions()
    # Where the best of them is not sound, none can be named.
    sound = AnalysisVersion.objects.filter(place=1, is_troubled=False).values("key")
    several = AnalysisVersion.objects.filter(versions__gt=1, key__in=sound)
    groups = several.order_by().values("key").annotate(files=Count("pk")).order_by("key")
    spare = Sum("size_bytes", filter=Q(copy_place=1)) - _of_best("size_bytes")
    gap = Max("duration_ms") - Min("duration_ms")
    saved = SavedBytes(spare, spare, spare, Value("counted"))
    confidence = Case(
        When(length_gap__gt=CUT_GAP_MS, then=Value(OTHER_CUT_PCT)),
        When(first_year=None, then=Value(NO_YEAR_PCT)),
        default=Value(SAME_PCT),
        output_field=BigIntegerField(),
    )
    figures: dict[str, Any] = {
        "title": _of_best("title"),
        "year": Max("year"),
        "edition": _of_best("edition"),
        "files": F("files"),
        "bytes": Sum("size_bytes"),
        "copies": Count("pk", filter=Q(copy_place__gt=1)),
        "troubled": Count("pk", filter=Q(is_troubled=True)),
        "length_gap_ms": gap,
        "best_bytes": _of_best("size_bytes"),
        "best_resolution": _of_best("resolution"),
        "best_codec": _of_best("video_codec"),
        "best_hdr": _of_best("hdr"),
        "best_kbps": _of_best("bit_rate_kbps"),
    }
    columns: dict[str, Any] = {
        "library_id": Min("library_id"),
        "group_key": F("key"),
        "member_count": F("files"),
        "size_bytes": Sum("size_bytes"),
    }
    groups = groups.annotate(length_gap=gap, first_year=Max("year"))
    finding = Finding(confidence_pct=confidence, weight_pct=80, saved=saved, figures=figures)
    return add_groups(KIND, groups, finding, columns)


def _of_best(column: str) -> Max:
    return Max(Case(When(place=1, then=F(column))))
