"""How large a film will come out, before anything is encoded: a rule of thumb with its range. Pure.

The last of three sources (`transcode.prediction.predict`), and what the second one corrects. It
needs only what the columns of MediaFile hold, so lists and bulk previews can ask it. Its figures
are in `usual`; `savings_sql` says the same as expressions of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.listing.labels import video_codec_label
from library.media_info import resolution_class
from transcode.prediction.usual import (
    COMPLEXITY_EXPONENT,
    COPY_SLACK,
    DEFAULT_AUDIO_KBPS,
    DEFAULT_BPP,
    GENERATION,
    HARDWARE_FACTOR,
    HIGH,
    HIGH_OF_TARGET,
    LINES_TO_PIXELS,
    LOW,
    LOW_OF_TARGET,
    OVERHEAD_SHARE,
    REFERENCE_PIXELS,
    SIZE_EXPONENT,
    SOFTWARE,
    SPEED_FACTOR,
    USUAL,
    USUAL_BPP,
    USUAL_RATE,
    VMAF_PER_DB,
    XPSNR_LIKE_VMAF_95,
)

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from library.models import MediaFile
    from transcode.presets.spec import PresetSpec, VideoRule


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of the whole output: bytes expected, and the range that eight of ten films lie in."""

    bytes: int
    low: int
    high: int
    basis: str  # "rule", "learned" or "sampled"
    seconds: float | None  # of the encode, on this machine; None: nothing known
    text: str  # one sentence: where the figure comes from
    vmaf: float | None = None  # None: no sample was compared
    learned_jobs: int = 0  # finished jobs that the figure was learned from
    # For the record (`transcode.models.Prediction`): before the correction, and by the rule alone.
    plain_bytes: int = 0
    rule_bytes: int = 0
    range_factor: float = 1.0


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
        audio_kbps=sum(known) + DEFAULT_AUDIO_KBPS * (len(info.audio) - len(known)),
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
        slack = round(film.size_bytes * COPY_SLACK)
        size = film.size_bytes
        text = "The tracks are copied, so the size stays."
        return _by_rule(size, max(0, size - slack), size + slack, text)
    if film.duration_s <= 0 or film.width <= 0 or film.height <= 0:
        size = film.size_bytes
        text = "Its length or size of picture is unknown; anything up to today's size is possible."
        return _by_rule(size // 2, size // 10, size, text)
    audio_before, audio_after = _audio_bytes(film, spec)
    video_before = max(1.0, film.size_bytes - audio_before)
    video = _video_bytes(film, spec.video, video_before)
    ceiling = video_before * (1.15 if _is_bounded(film, spec.video) else 3.0)
    low, high = (LOW, HIGH) if spec.video.target_vmaf is None else (LOW_OF_TARGET, HIGH_OF_TARGET)
    is_copied = spec.audio.codec == "copy"
    rest = audio_after + film.size_bytes * OVERHEAD_SHARE
    return _by_rule(
        round(min(video, ceiling) + rest),
        round(min(video * low, ceiling) + rest * (1.0 if is_copied else 0.7)),
        round(min(video * high, ceiling) + rest * (1.0 if is_copied else 1.2)),
        _basis_text(film, spec.video),
    )


def bytes_of_sound(film: FilmFacts, spec: PresetSpec) -> int:
    """Of all tracks of the output together."""
    return round(_audio_bytes(film, spec)[1])


def pixels_of_output(film: FilmFacts, spec: PresetSpec) -> int:
    """Of all its frames together; 0 where the film's length or size is unknown."""
    if film.duration_s <= 0 or film.width <= 0 or film.height <= 0:
        return 0
    rate = film.frames_per_s or USUAL_RATE
    return round(film.duration_s * rate * _pixels_after(film, spec.video))


def output_resolution(film: FilmFacts, rule: VideoRule) -> int:
    """Lines of the result's resolution class."""
    lines = resolution_class(film.width, film.height)
    return min(lines, rule.max_resolution) if rule.max_resolution else lines


def usual_crf(rule: VideoRule) -> float:
    """The CRF of a preset, or with a target quality the one that most films reach it with."""
    usual = USUAL[codec_of_family(rule.encoder)]
    if rule.crf is not None:
        return rule.crf
    if rule.target_vmaf is None:
        return usual.at_crf
    missing = 95.0 - rule.target_vmaf
    if rule.target_metric == "xpsnr":
        missing = (XPSNR_LIKE_VMAF_95 - rule.target_vmaf) * VMAF_PER_DB
    return min(51.0, max(8.0, usual.crf_for_vmaf_95 + missing * usual.crf_per_point))


def codec_of_family(family: str) -> str:
    """h264, hevc or av1, as canonical names go; hardware families begin with theirs."""
    return SOFTWARE.get(family) or family.partition("_")[0]


def _by_rule(size: int, low: int, high: int, text: str) -> Estimate:
    return Estimate(size, low, high, "rule", None, text, plain_bytes=size, rule_bytes=size)


def _video_bytes(film: FilmFacts, rule: VideoRule, before: float) -> float:
    if rule.bit_rate_kbps is not None:
        return rule.bit_rate_kbps * 125 * film.duration_s
    usual = USUAL[codec_of_family(rule.encoder)]
    rate = film.frames_per_s or USUAL_RATE
    pixels_before = film.width * film.height
    pixels = _pixels_after(film, rule)
    bpp_before = before * 8 / (film.duration_s * rate * pixels_before)
    usual_before = USUAL_BPP.get(film.video_codec, DEFAULT_BPP) * _by_size(pixels_before)
    complexity = (bpp_before / usual_before) ** COMPLEXITY_EXPONENT
    halvings = (usual.at_crf - usual_crf(rule)) / usual.halving_crf
    bpp = usual.bits_per_pixel * 2**halvings * _by_size(pixels)
    bpp *= complexity * SPEED_FACTOR[rule.speed]
    if rule.encoder not in SOFTWARE:
        bpp *= HARDWARE_FACTOR
    return float(bpp * pixels * rate * film.duration_s / 8)


def _pixels_after(film: FilmFacts, rule: VideoRule) -> int:
    pixels = film.width * film.height
    if rule.max_resolution and resolution_class(film.width, film.height) > rule.max_resolution:
        return min(pixels, LINES_TO_PIXELS[rule.max_resolution])
    return pixels


def _by_size(pixels: int) -> float:
    return float((pixels / REFERENCE_PIXELS) ** SIZE_EXPONENT)


def _is_bounded(film: FilmFacts, rule: VideoRule) -> bool:
    """A newer codec than the source's hardly ever needs more than the source has."""
    target = USUAL[codec_of_family(rule.encoder)].generation
    return target >= GENERATION.get(film.video_codec, 0)


def _audio_bytes(film: FilmFacts, spec: PresetSpec) -> tuple[float, float]:
    """Of all tracks, before and after, in bytes."""
    known = film.audio_kbps or 64 * film.audio_channels or DEFAULT_AUDIO_KBPS * film.audio_tracks
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
    source = video_codec_label(film.video_codec) or "this codec"
    return (
        f"Rule of thumb for {source} films of this size and bit rate with {rule.encoder} at"
        f" {quality_words(rule)}; single films differ much."
    )


def quality_words(rule: VideoRule) -> str:
    """How good, as people say it: "CRF 22", "VMAF 95", "4000 kbit/s"."""
    if rule.crf is not None:
        return f"CRF {rule.crf:g}"
    if rule.target_vmaf is not None:
        name = "XPSNR" if rule.target_metric == "xpsnr" else "VMAF"
        return f"{name} {rule.target_vmaf:g}"
    return f"{rule.bit_rate_kbps} kbit/s"


def _rate(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
