"""Codec modernisation: films in old codecs, and H.264 above what is usual for its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import BigIntegerField, Case, Q, Value, When

from library.analysis.codecs import OLD_CODECS
from library.analysis.findings import Finding, add_films, worth_it
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import gain_words, picture_words, rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

# Per cent of the rate that is enough at 1080p (a setting), by lines.
ENOUGH_PCT: Final = {4320: 600, 2160: 300, 1440: 160, 1080: 100, 720: 50, 576: 30}
ENOUGH_OTHERWISE_PCT: Final = 25


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
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


def find(look: Look) -> int:
    saved = look.savings.of(KIND.preset)
    enough = _enough_kbps(look.settings["insights_h264_kbps"])
    films = look.free_films.filter(candidates(look.settings)).filter(worth_it(saved, look.settings))
    figures = {"enough_kbps": Case(When(video_codec="h264", then=enough), default=Value(0))}
    return add_films(KIND, films, Finding(saved=saved, figures=figures))


def candidates(settings: Mapping[str, Any]) -> Q:
    """By columns that a film and its facts name alike: whose savings are worth knowing."""
    enough = _enough_kbps(settings["insights_h264_kbps"])
    is_wasteful = Q(video_codec="h264") & Q(bit_rate_kbps__gt=enough)
    return Q(video_codec__in=OLD_CODECS) | is_wasteful


def _enough_kbps(at_1080: int) -> Case:
    whens = [
        When(resolution=lines, then=Value(at_1080 * pct // 100))
        for lines, pct in ENOUGH_PCT.items()
    ]
    otherwise = Value(at_1080 * ENOUGH_OTHERWISE_PCT // 100)
    return Case(*whens, default=otherwise, output_field=BigIntegerField())
