"""Duplicates: several versions of one film, in one library or in several. Editions stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import rate, sized
from library.listing.labels import HDR_KINDS, resolution_label, video_codec_label
from mediaflow.templatetags._text import span

if TYPE_CHECKING:
    from library.models import Recommendation

# Lengths that differ by more may be another cut: said in the sentence, and the confidence is low.
CUT_GAP_MS = 120_000


def sentence(found: Recommendation) -> str:
    figures = found.figures
    count, spare = figures["files"], figures["files"] - 1
    words = (
        f"{count} versions of {_name(figures)} take {sized(figures['bytes'])}. The best is"
        f" {_best(figures)} ({sized(figures['best_bytes'])}); the other"
        f" {'one takes' if spare == 1 else f'{spare} take'} {sized(found.savings_bytes)}."
    )
    gap_ms = figures.get("length_gap_ms", 0)
    if gap_ms > CUT_GAP_MS:
        words += f" Their lengths differ by {span(gap_ms / 1000)}: perhaps another cut."
    return f"{words} Look before you remove one ({found.confidence_pct} % sure)."


def _name(figures: dict[str, object]) -> str:
    year = f" ({figures['year']})" if figures.get("year") else ""
    edition = f", {figures['edition']}" if figures.get("edition") else ""
    return f"“{figures['title']}”{year}{edition}"


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
