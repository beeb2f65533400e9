"""Languages: films without sound or subtitles in a language that people here understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import listed

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    figures = found.figures
    words = []
    if wanted := figures.get("audio"):
        has = _names(file.audio_languages) or "an unnamed language"
        words.append(f"Its sound is in {has}, not in {_names(wanted, 'or')}.")
    if wanted := figures.get("subtitles"):
        has = _names(file.subtitle_languages)
        there = f"subtitles are in {has}" if has else "file has no subtitles with a language"
        words.append(f"Its {there}; you want {_names(wanted, 'or')}.")
    return f"{' '.join(words)} Subtitles beside the film are not counted: get what is missing."


def _names(codes: str, last: str = "and") -> str:
    return listed([code for code in codes.split(",") if code], last)


KIND = AnalysisKind(
    slug="languages",
    title="Languages missing",
    icon="subs",
    blurb="Films without sound or subtitles in the languages that you named in the settings.",
    order=12,
    sentence=sentence,
    severity_words=("Subtitles missing", "Sound missing", "Not understood"),
)
