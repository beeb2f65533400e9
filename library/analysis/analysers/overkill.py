"""Quality overkill: 4K or a very high bit rate, and hardly anybody watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q

from library.analysis.findings import Finding, add_films, idle_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import gain_words, picture_words, plays_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

FOUR_K: Final = 2160


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
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


def find(look: Look) -> int:
    """Only where plays are known: a film that Plex does not list may be watched every day."""
    saved = look.savings.of(KIND.preset)
    films = idle_films(look, candidates(look.settings), saved)
    return add_films(KIND, films, Finding(saved=saved, weight_pct=90))


def candidates(settings: Mapping[str, Any]) -> Q:
    """By columns that a film and its facts name alike: whose savings are worth knowing."""
    is_high = Q(bit_rate_kbps__gte=settings["insights_overkill_kbps"])
    is_seldom_played = Q(is_in_plex=True, play_count__lte=settings["insights_overkill_plays"])
    return is_seldom_played & (Q(resolution__gte=FOUR_K) | is_high)
