"""How large a film will come out, before anything is encoded: a rule of thumb with its range. Pure.

It needs only what the columns of MediaFile hold, so lists and bulk previews can ask it. Usual bits
per pixel are figures of 1080p films at the named CRF; a film that needs more than is usual for its
codec needs more in the other codec, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.media_info import resolution_class

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from library.models import MediaFile
    from transcode.presets.spec import PresetSpec, VideoRule

_REFERENCE_PIXELS = 1920 * 1080
# Small pictures need more bits per pixel, large ones fewer.
_SIZE_EXPONENT = -0.25
# Half of what a film needs beyond the usual comes with it into the other codec.
_COMPLEXITY_EXPONENT = 0.5
# Bits per pixel of usual 1080p films as people have them, by codec; higher generations need fewer.
_USUAL_BPP = {
    "av1": 0.045,
    "hevc": 0.065,
    "vp9": 0.075,
    "vvc": 0.045,
    "h264": 0.14,
    "vc1": 0.17,
    "mpeg4": 0.19,
    "wmv3": 0.19,
    "mpeg2video": 0.28,
    "mpeg1video": 0.35,
}
_DEFAULT_BPP = 0.2
# Encoder: bits per pixel of 1080p at this CRF, and how many CRF steps halve it.
_AT_CRF = {"x264": (0.115, 21.0, 6.0), "x265": (0.062, 22.0, 6.0), "svtav1": (0.046, 32.0, 9.0)}
_SPEED_FACTOR = {"fastest": 1.25, "fast": 1.08, "medium": 1.0, "slow": 0.96, "slowest": 0.93}
_LOW, _HIGH = 0.45, 1.9  # of the expected picture bytes: nine of ten films lie between
_COPY_SLACK = 0.02  # a container's overhead
_OVERHEAD_SHARE = 0.005
_DEFAULT_AUDIO_KBPS = 192
_LINES_TO_PIXELS = {
    480: 854 * 480,
    576: 1024 * 576,
    720: 1280 * 720,
    1080: 1920 * 1080,
    1440: 2560 * 1440,
    2160: 3840 * 2160,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of the output: expected, and the range that nine of ten films lie in."""

    bytes: int
    low: int
    high: int
    basis: str  # "rule", "learned" or "sampled"
    seconds: float | None
    text: str  # one sentence: where the figure comes from


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What the estimate needs; 0 or "" where unknown."""

    size_bytes: int
    duration_s: float
    video_codec: str
    width: int
    height: int
    frames_per_s: float
    audio_kbps: int  # all tracks together, 0 unknown
    audio_channels: int  # all tracks together
    audio_tracks: int


def facts_of_info(info: MediaInfo) -> FilmFacts:
    video = info.main_video
    known = [track.bit_rate_kbps for track in info.audio if track.bit_rate_kbps]
    return FilmFacts(
        size_bytes=info.size_bytes,
        duration_s=info.duration_s or 0.0,
        video_codec=video.codec if video else "",
        width=video.width if video else 0,
        height=video.height if video else 0,
        frames_per_s=_rate(video.frame_rate if video else ""),
        audio_kbps=sum(known) + _DEFAULT_AUDIO_KBPS * (len(info.audio) - len(known)),
        audio_channels=sum(track.channels for track in info.audio),
        audio_tracks=len(info.audio),
    )


def facts_of_file(file: MediaFile) -> FilmFacts:
    """From the columns of one row; nothing is read besides."""
    tracks = max(1, file.audio_languages.strip(",").count(",") + 1) if file.audio_codec else 0
    return FilmFacts(
        size_bytes=file.size_bytes,
        duration_s=file.duration_ms / 1000,
        video_codec=file.video_codec,
        width=file.width,
        height=file.height,
        frames_per_s=file.frame_rate_milli / 1000,
        audio_kbps=0,
        audio_channels=file.audio_channels * tracks,
        audio_tracks=tracks,
    )


def estimate_size(film: FilmFacts, spec: PresetSpec) -> Estimate:
    """By rule of thumb. Never above what the container could hold of a film that got larger."""
    if spec.video.encoder == "copy":
        slack = round(film.size_bytes * _COPY_SLACK)
        size = film.size_bytes
        text = "The tracks are copied, so the size stays."
        return Estimate(size, max(0, size - slack), size + slack, "rule", None, text)
    if film.duration_s <= 0 or film.width <= 0 or film.height <= 0:
        size = film.size_bytes
        text = "Its length or size of picture is unknown; anything up to today's size is possible."
        return Estimate(size // 2, size // 10, size, "rule", None, text)
    audio_before, audio_after = _audio_bytes(film, spec)
    video_before = max(1.0, film.size_bytes - audio_before)
    video = _video_bytes(film, spec.video, video_before)
    ceiling = video_before * (1.15 if _is_bounded(film, spec.video) else 3.0)
    is_copied = spec.audio.codec == "copy"
    rest = audio_after + film.size_bytes * _OVERHEAD_SHARE
    return Estimate(
        bytes=round(min(video, ceiling) + rest),
        low=round(min(video * _LOW, ceiling) + rest * (1.0 if is_copied else 0.7)),
        high=round(min(video * _HIGH, ceiling) + rest * (1.0 if is_copied else 1.2)),
        basis="rule",
        seconds=None,
        text=_basis_text(film, spec.video),
    )


def _video_bytes(film: FilmFacts, rule: VideoRule, before: float) -> float:
    if rule.bit_rate_kbps is not None:
        return rule.bit_rate_kbps * 125 * film.duration_s
    usual, reference_crf, halving = _AT_CRF[rule.encoder]
    crf = reference_crf if rule.crf is None else rule.crf
    rate = film.frames_per_s or 25.0
    pixels_before = film.width * film.height
    pixels = _pixels_after(film, rule)
    bpp_before = before * 8 / (film.duration_s * rate * pixels_before)
    usual_before = _USUAL_BPP.get(film.video_codec, _DEFAULT_BPP) * _by_size(pixels_before)
    complexity = (bpp_before / usual_before) ** _COMPLEXITY_EXPONENT
    bpp = usual * 2 ** ((reference_crf - crf) / halving) * _by_size(pixels)
    bpp *= complexity * _SPEED_FACTOR[rule.speed]
    return float(bpp * pixels * rate * film.duration_s / 8)


def _pixels_after(film: FilmFacts, rule: VideoRule) -> int:
    pixels = film.width * film.height
    if rule.max_resolution and resolution_class(film.width, film.height) > rule.max_resolution:
        return min(pixels, _LINES_TO_PIXELS[rule.max_resolution])
    return pixels


def _by_size(pixels: int) -> float:
    return float((pixels / _REFERENCE_PIXELS) ** _SIZE_EXPONENT)


def _is_bounded(film: FilmFacts, rule: VideoRule) -> bool:
    """A newer codec than the source's hardly ever needs more than the source has."""
    order = {"h264": 1, "vp9": 2, "hevc": 2, "av1": 3, "vvc": 3}
    target = {"x264": 1, "x265": 2, "svtav1": 3}[rule.encoder]
    return target >= order.get(film.video_codec, 0)


def _audio_bytes(film: FilmFacts, spec: PresetSpec) -> tuple[float, float]:
    """Of all tracks, before and after, in bytes."""
    known = film.audio_kbps or 64 * film.audio_channels or _DEFAULT_AUDIO_KBPS * film.audio_tracks
    before = min(known * 125 * film.duration_s, film.size_bytes * 0.6)
    rule = spec.audio
    if rule.codec in ("copy", "flac"):
        return before, before
    channels = film.audio_channels
    if rule.max_channels:
        channels = min(channels, rule.max_channels * film.audio_tracks)
    converted = rule.bit_rate_kbps_per_channel * channels * 125 * film.duration_s
    return before, min(before, converted) if before else converted


def _basis_text(film: FilmFacts, rule: VideoRule) -> str:
    source = film.video_codec.upper() or "this codec"
    quality = f"CRF {rule.crf:g}" if rule.crf is not None else f"{rule.bit_rate_kbps} kbit/s"
    return (
        f"Rule of thumb for {source} films of this size and bit rate with {rule.encoder} at"
        f" {quality}; single films differ much."
    )


def _rate(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
