"""Codec modernisation: films in old codecs, and H.264 above what is usual for its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words, picture_words, rate

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    usual = found.figures.get("enough_kbps")
    why = f"; {rate(usual)} is enough for most" if usual else ": newer codecs need about half"
    return f"{picture_words(file)}{why}. {gain_words(found, of_bytes=file.size_bytes)}".strip()


KIND = AnalysisKind(
    slug="codec",
    title="Old or wasteful codecs",
    icon="chip",
    blurb="MPEG-2, VC-1, MPEG-4 and generous H.264: a newer codec shows the same in fewer bytes.",
    order=1,
    sentence=sentence,
    preset="balanced",
)
