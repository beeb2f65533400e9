"""Storage: the largest films that nobody has watched for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from library.analysis.analysers import overkill
from library.analysis.findings import Finding, add_films, found_by, idle_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import gain_words, picture_words, plays_words, sized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
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


def find(look: Look) -> int:
    """What "more quality than is watched" has said already is not said again."""
    saved = look.savings.of(KIND.preset)
    films = idle_films(look, candidates(look.settings), saved)
    said_already = found_by(overkill.KIND).values("file_id")
    return add_films(KIND, films.exclude(pk__in=said_already), Finding(saved=saved))


def candidates(settings: Mapping[str, Any]) -> Q:
    """By columns that a film and its facts name alike: whose savings are worth knowing."""
    least_bytes = settings["insights_large_gb"] * 1_000_000_000
    return Q(is_in_plex=True, size_bytes__gte=least_bytes)
