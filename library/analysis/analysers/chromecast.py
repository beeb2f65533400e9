"""Chromecast readiness: films that generations 2 and 3 do not play, though little is missing.

The rules are those of `transcode.planning.chromecast`, as far as columns tell: levels, chroma and
sample rates are judged by the job. `tests/test_chromecast_agreement.py` compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, CharField, Q, Value, When

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.listing.labels import audio_codec_label, container_label, video_codec_label

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

PROFILES: Final = ("Baseline", "Constrained Baseline", "Main", "High", "Constrained High")
PLAYING: Final = ("mp4", "webm")
CONTAINER, SOUND, PICTURE = "container", "sound", "picture"
# What is looked for, by the setting: films that need no more than this.
SCOPES: Final = {
    CONTAINER: (CONTAINER,),
    SOUND: (CONTAINER, SOUND),
    "all": (CONTAINER, SOUND, PICTURE),
}
# Columns do not tell the H.264 level; they do tell what surely does not play.
LIKELY_PCT, SURE_PCT = 75, 90


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
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


def find(look: Look) -> int:
    needs = what_it_needs()
    severity = Case(
        When(is_container_missing(), then=Value(2)),
        default=Value(1),
        output_field=BigIntegerField(),
    )
    confidence = Case(
        When(plays_picture(), then=Value(LIKELY_PCT)),
        default=Value(SURE_PCT),
        output_field=BigIntegerField(),
    )
    wanted = SCOPES[look.settings["insights_chromecast_scope"]]
    films = look.free_films.exclude(video_codec="").alias(needs=needs).filter(needs__in=wanted)
    finding = Finding(
        severity=severity, confidence_pct=confidence, weight_pct=50, figures={"needs": needs}
    )
    return add_films(KIND, films, finding)


def what_it_needs() -> Case:
    """ "" for a film that plays, as far as columns tell."""
    return Case(
        When(~plays_picture(), then=Value(PICTURE)),
        When(~plays_sound(), then=Value(SOUND)),
        When(container__in=PLAYING, then=Value("")),
        default=Value(CONTAINER),
        output_field=CharField(),
    )


def is_container_missing() -> Q:
    return plays_picture() & plays_sound() & ~Q(container__in=PLAYING)


def plays_picture() -> Q:
    """H.264 in MP4 (what is copied goes there), VP8 in WebM; 8 bit, SDR, progressive, small."""
    plain = Q(bit_depth=8, hdr__in=("", "sdr"), is_interlaced=False, frame_rate_milli__gt=0)
    h264 = Q(video_codec="h264", video_profile__in=PROFILES) & ~Q(container="webm")
    vp8 = Q(video_codec="vp8", container="webm")
    return plain & (h264 | vp8) & _has_size()


def plays_sound() -> Q:
    in_mp4 = Q(audio_codec__in=("aac", "mp3")) & ~Q(container="webm")
    in_webm = Q(audio_codec__in=("vorbis", "opus"), container="webm")
    return Q(audio_codec="") | (Q(audio_channels__lte=2) & (in_mp4 | in_webm))


def _has_size() -> Q:
    """At most 1080p with 30 pictures a second, or 720p with 60; upright ones alike."""
    full_hd = _within(1920, 1080) & Q(frame_rate_milli__lte=30_000)
    return full_hd | (_within(1280, 720) & Q(frame_rate_milli__lte=60_000))


def _within(long: int, short: int) -> Q:
    return Q(width__lte=long, height__lte=short) | Q(width__lte=short, height__lte=long)
