"""Container modernisation: AVI, MPEG, TS, WMV and Flash files whose tracks could be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words
from library.listing.labels import container_label, video_codec_label

if TYPE_CHECKING:
    from library.models import Recommendation

_WHY = {
    "avi": "keeps no chapters and no text subtitles, and seeks badly where its index is lost",
    "mpg": "keeps no chapters and has no index to seek by",
    "ts": "has no index to seek by and spends bytes on broadcasting",
    "asf": "plays on few devices",
    "flv": "plays on few devices",
    "ogg": "plays on few devices",
}


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
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
