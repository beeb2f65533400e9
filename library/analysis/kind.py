"""What a kind of recommendation is called and how one of it is said. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.models import MediaFile, Recommendation


@dataclass(frozen=True, slots=True)
class AnalysisKind:
    """`sentence` reads the recommendation, its `file` (of a group: none) and its `figures`; it
    makes no query where `file` was read with the row."""

    slug: str  # Recommendation.kind
    title: str
    icon: str
    blurb: str
    order: int
    sentence: Callable[[Recommendation], str]
    # By severity 1 to 3.
    severity_words: tuple[str, str, str] = ("Can wait", "Worth doing", "Worth doing soon")
    preset: str = ""  # slug of the preset that it suggests; "": nothing to encode
    is_group: bool = False  # about several files: `file` is null, `group_key` and `figures` say

    @property
    def phrase(self) -> str:
        """The title inside a sentence: names and abbreviations keep their capitals."""
        is_name = self.title[:2].isupper()
        return self.title if is_name else f"{self.title[:1].lower()}{self.title[1:]}"

    @property
    def can_queue(self) -> bool:
        """Whether its films can be queued from the page."""
        return bool(self.preset)

    def severity_word(self, severity: int) -> str:
        return self.severity_words[min(3, max(1, severity)) - 1]


def about_film(
    say: Callable[[Recommendation, MediaFile], str],
) -> Callable[[Recommendation], str]:
    """What `say` says of the film; "" of a group, or where the film's row is gone."""

    @wraps(say)
    def sentence(found: Recommendation) -> str:
        return say(found, found.file) if found.file is not None else ""

    return sentence
