"""Inaccessible or damaged: files that are gone, cannot be read, or hold no picture or length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import sized

if TYPE_CHECKING:
    from library.models import Recommendation

_WORDS = {
    "missing": "It is no longer in its folder.",
    "unreachable": "Its folder cannot be reached.",
    "unreadable": "It cannot be read.",
    "no_picture": "It was read, but no picture was found in it.",
    "no_length": "It was read, but has no length: it was probably cut off while it was written.",
    "empty": "The file is empty.",
}


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
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
