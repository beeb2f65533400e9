"""Quality overkill: 4K or a very high bit rate, and hardly anybody watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words, picture_words, plays_words

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    words = f"{picture_words(file)}. {plays_words(file)}."
    return f"{words} {gain_words(found, of_bytes=file.size_bytes)}".strip()


KIND = AnalysisKind(
    slug="overkill",
    title="More quality than is watched",
    icon="star",
    blurb="4K and very high bit rates that Plex says are hardly played.",
    order=2,
    sentence=sentence,
    preset="storage-saver",
)
