"""Chromecast readiness: films that generations 2 and 3 do not play, though little is missing.

The rules are those of `transcode.planning.chromecast`, as far as columns tell: levels, chroma and
sample rates are judged by the job. `tests/test_chromecast_agreement.py` compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.listing.labels import audio_codec_label, container_label, video_codec_label

if TYPE_CHECKING:
    from library.models import MediaFile, Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
    sure = f"({found.confidence_pct} % sure)"
    match found.figures.get("needs"):
        case "container":
            name = container_label(file.container)
            return (
                f"Chromecast plays its {video_codec_label(file.video_codec)} picture and its sound,"
                f" but not {name} files. Copying both into MP4 takes minutes and loses nothing"
                f" {sure}."
            )
        case "sound":
            return (
                f"Chromecast plays its {video_codec_label(file.video_codec)} picture, but not its"
                f" sound ({_sound(file)}). Only the sound is converted, into MP4 beside it {sure}."
            )
        case _:
            return (
                f"Chromecast does not play its picture ({_picture(file)}). A copy beside it in"
                f" H.264 would play; that takes a whole encode {sure}."
            )


def _sound(file: MediaFile) -> str:
    return f"{audio_codec_label(file.audio_codec)}, {file.audio_channels} channels"


def _picture(file: MediaFile) -> str:
    parts = [video_codec_label(file.video_codec), f"{file.width}×{file.height}"]
    if file.hdr not in ("", "sdr"):
        parts.append("HDR")
    if file.bit_depth > 8:
        parts.append(f"{file.bit_depth} bit")
    if file.is_interlaced:
        parts.append("interlaced")
    return ", ".join(parts)


KIND = AnalysisKind(
    slug="chromecast",
    title="Nearly ready for Chromecast",
    icon="monitor",
    blurb="Films that Chromecast does not play as they are, though only little is missing.",
    order=11,
    sentence=sentence,
    severity_words=("Can wait", "Quick to do", "Quick to do"),
    preset="chromecast",
)
