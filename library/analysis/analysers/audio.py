"""Audio: lossless sound, and tracks in languages that nobody here asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words, rate, sized
from library.listing.labels import audio_codec_label, channels_label

if TYPE_CHECKING:
    from library.models import MediaFile, Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    figures = found.figures
    tracks = f"Its best track is {_sound(file)}; such sound usually takes"
    words = f"{tracks} {rate(figures['before_kbps'])}, {rate(figures['after_kbps'])} as E-AC-3."
    if extra := figures.get("extra_languages", 0):
        kept = f"{extra} more {'language' if extra == 1 else 'languages'} than you want"
        words = f"{words} It has {kept}."
    share = f" The film takes {sized(file.size_bytes)}."
    return f"{words}{share} {gain_words(found)}".strip()


def _sound(file: MediaFile) -> str:
    parts = (
        file.audio_label,
        "" if file.audio_label == "TrueHD" else audio_codec_label(file.audio_codec),
        channels_label(file.audio_channels),
    )
    return " ".join(part for part in parts if part)


KIND = AnalysisKind(
    slug="audio",
    title="Sound that takes much space",
    icon="audio",
    blurb="Lossless tracks and unwanted languages. A preset that copies the picture does it.",
    order=6,
    sentence=sentence,
)
