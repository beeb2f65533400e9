"""Storage: the largest films that nobody has watched for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from library.analysis.analysers import overkill
from library.analysis.findings import Finding, add_films, days_ago, found_by, worth_it
from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words, picture_words, plays_words, sized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from library.analysis.findings import Look
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


def find(look: Look) -> int:
    """What "more quality than is watched" has said already is not said again."""
    settings = look.settings
    saved = look.savings.of(KIND.preset)
    films = look.free_films.filter(
        candidates(settings),
        worth_it(saved, settings),
        idle_since__lte=days_ago(look.now, settings["insights_idle_days"]),
    ).exclude(pk__in=found_by(overkill.KIND).values("file_id"))
    return add_films(KIND, films, Finding(saved=saved))


def candidates(settings: Mapping[str, Any]) -> Q:
    """By columns that a film and its facts name alike: whose savings are worth knowing."""
    least_bytes = settings["insights_large_gb"] * 1_000_000_000
    return Q(is_in_plex=True, size_bytes__gte=least_bytes)
