"""Container modernisation: AVI, MPEG, TS, WMV and Flash files whose tracks could be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, CharField, F, Value, When

from library.analysis.analysers import codec
from library.analysis.findings import Finding, add_films, found_by
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import gain_words
from library.listing.labels import container_label, video_codec_label
from mediaflow.base.film_hooks import SavedBytes

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

OLD_CONTAINERS: Final = ("avi", "mpg", "ts", "asf", "flv", "ogg", "rm", "dv")
# Packets of 188 bytes cost a transport stream so many per mille, at least and at most.
TS_OVERHEAD_PM, TS_LOW_PM, TS_HIGH_PM = 35, 15, 70
CONFIDENCE_PCT: Final = 80

_WHY = {
    "avi": "keeps no chapters and no text subtitles, and seeks badly where its index is lost",
    "mpg": "keeps no chapters and has no index to seek by",
    "ts": "has no index to seek by and spends bytes on broadcasting",
    "asf": "plays on few devices",
    "flv": "plays on few devices",
    "ogg": "plays on few devices",
}


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    name, codec = container_label(file.container), video_codec_label(file.video_codec)
    why = _WHY.get(file.container, "is known to few players")
    return (
        f"{codec} in {name}, which {why}. Copying its tracks into Matroska takes minutes and loses"
        f" nothing. {gain_words(found)}".strip()
    )


KIND = AnalysisKind(
    slug="container",
    title="Old containers",
    icon="folder",
    blurb="AVI, MPEG, TS, WMV: the tracks are copied into Matroska, nothing is encoded.",
    order=7,
    sentence=sentence,
    severity_words=("Can wait", "Quick to do", "Quick to do"),
    preset="remux",
)


def find(look: Look) -> int:
    """Films whose codec is old, too, are left to that analyser: an encode brings both."""
    films = look.free_films.filter(container__in=OLD_CONTAINERS).exclude(video_codec="")
    films = films.exclude(pk__in=found_by(codec.KIND).values("file_id"))
    saved = SavedBytes(
        expected=_of_stream(TS_OVERHEAD_PM),
        low=_of_stream(TS_LOW_PM),
        high=_of_stream(TS_HIGH_PM),
        basis=Case(
            When(container="ts", then=Value("typical")),
            default=Value(""),
            output_field=CharField(),
        ),
    )
    finding = Finding(severity=2, confidence_pct=CONFIDENCE_PCT, weight_pct=50, saved=saved)
    return add_films(KIND, films, finding)


def _of_stream(per_mille: int) -> Case:
    share = F("size_bytes") * Value(per_mille) / Value(1000)
    return Case(When(container="ts", then=share), default=Value(0), output_field=BigIntegerField())
