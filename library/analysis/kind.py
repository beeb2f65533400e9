"""What a kind of recommendation is called and how one of it is said. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.models import Recommendation


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
