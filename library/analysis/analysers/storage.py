"""Storage: the largest films that nobody has watched for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words, picture_words, plays_words, sized

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    words = f"{sized(file.size_bytes)} in {picture_words(file)}. {plays_words(file)}."
    return f"{words} {gain_words(found)}".strip()


KIND = AnalysisKind(
    slug="storage",
    title="Large and rarely watched",
    icon="folder",
    blurb="The largest films that nobody has played for long: most bytes for least regret.",
    order=5,
    sentence=sentence,
    preset="storage-saver",
)
