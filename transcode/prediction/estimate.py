"""How large a film will come out, before anything is encoded: a rule of thumb with its range. Pure.

The last of three sources (`transcode.prediction.predict`), and what the second one corrects. It
needs only what the columns of MediaFile hold, so lists and bulk previews can ask it. Usual bits per
pixel are figures of 1080p films at the named CRF; a film that needs more than is usual for its
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
_SPEED_FACTOR = {"fastest": 1.25, "fast": 1.08, "medium": 1.0, "slow": 0.96, "slowest": 0.93}
_LOW, _HIGH = 0.5, 1.8  # of the expected picture bytes: eight of ten films lie between
# With a target quality the CRF differs from film to film, and so does the size.
_LOW_OF_TARGET, _HIGH_OF_TARGET = 0.4, 2.1
# Hardware encoders need so many more bits for the same picture.
_HARDWARE_FACTOR = 1.35
_COPY_SLACK = 0.02  # a container's overhead
_OVERHEAD_SHARE = 0.005
_DEFAULT_AUDIO_KBPS = 192
_USUAL_RATE = 25.0  # frames a second, where a film does not say


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual for encoders of one codec, at 1080p."""

    bits_per_pixel: float
    at_crf: float
    halving_crf: float  # so many steps halve the bits
    crf_for_vmaf_95: float
    crf_per_point: float  # so many steps cost one point of VMAF
    generation: int


_USUAL = {
    "h264": _Usual(0.115, 21.0, 6.0, 22.5, 1.2, 1),
    "hevc": _Usual(0.062, 22.0, 6.0, 23.5, 1.2, 2),
    "av1": _Usual(0.046, 32.0, 9.0, 33.0, 2.0, 3),
}
_GENERATION = {"h264": 1, "vp9": 2, "hevc": 2, "av1": 3, "vvc": 3}
_SOFTWARE = {"x264": "h264", "x265": "hevc", "svtav1": "av1"}
# An XPSNR in dB that looks like VMAF 95, and how many points of VMAF a dB is worth.
_XPSNR_LIKE_VMAF_95, _VMAF_PER_DB = 41.0, 2.0
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
        return _by_rule(size, max(0, size - slack), size + slack, text)
    if film.duration_s <= 0 or film.width <= 0 or film.height <= 0:
        size = film.size_bytes
        text = "Its length or size of picture is unknown; anything up to today's size is possible."
        return _by_rule(size // 2, size // 10, size, text)
    audio_before, audio_after = _audio_bytes(film, spec)
    video_before = max(1.0, film.size_bytes - audio_before)
    video = _video_bytes(film, spec.video, video_before)
    ceiling = video_before * (1.15 if _is_bounded(film, spec.video) else 3.0)
    low, high = (
        (_LOW, _HIGH) if spec.video.target_vmaf is None else (_LOW_OF_TARGET, _HIGH_OF_TARGET)
    )
    is_copied = spec.audio.codec == "copy"
    rest = audio_after + film.size_bytes * _OVERHEAD_SHARE
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
    rate = film.frames_per_s or _USUAL_RATE
    return round(film.duration_s * rate * _pixels_after(film, spec.video))


def output_resolution(film: FilmFacts, rule: VideoRule) -> int:
    """Lines of the result's resolution class."""
    lines = resolution_class(film.width, film.height)
    return min(lines, rule.max_resolution) if rule.max_resolution else lines


def usual_crf(rule: VideoRule) -> float:
    """The CRF of a preset, or with a target quality the one that most films reach it with."""
    usual = _USUAL[codec_of_family(rule.encoder)]
    if rule.crf is not None:
        return rule.crf
    if rule.target_vmaf is None:
        return usual.at_crf
    missing = 95.0 - rule.target_vmaf
    if rule.target_metric == "xpsnr":
        missing = (_XPSNR_LIKE_VMAF_95 - rule.target_vmaf) * _VMAF_PER_DB
    return min(51.0, max(8.0, usual.crf_for_vmaf_95 + missing * usual.crf_per_point))


def codec_of_family(family: str) -> str:
    """h264, hevc or av1, as canonical names go; hardware families begin with theirs."""
    return _SOFTWARE.get(family) or family.partition("_")[0]


def _by_rule(size: int, low: int, high: int, text: str) -> Estimate:
    return Estimate(size, low, high, "rule", None, text, plain_bytes=size, rule_bytes=size)


def _video_bytes(film: FilmFacts, rule: VideoRule, before: float) -> float:
    if rule.bit_rate_kbps is not None:
        return rule.bit_rate_kbps * 125 * film.duration_s
    usual = _USUAL[codec_of_family(rule.encoder)]
    rate = film.frames_per_s or _USUAL_RATE
    pixels_before = film.width * film.height
    pixels = _pixels_after(film, rule)
    bpp_before = before * 8 / (film.duration_s * rate * pixels_before)
    usual_before = _USUAL_BPP.get(film.video_codec, _DEFAULT_BPP) * _by_size(pixels_before)
    complexity = (bpp_before / usual_before) ** _COMPLEXITY_EXPONENT
    halvings = (usual.at_crf - usual_crf(rule)) / usual.halving_crf
    bpp = usual.bits_per_pixel * 2**halvings * _by_size(pixels)
    bpp *= complexity * _SPEED_FACTOR[rule.speed]
    if rule.encoder not in _SOFTWARE:
        bpp *= _HARDWARE_FACTOR
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
    target = _USUAL[codec_of_family(rule.encoder)].generation
    return target >= _GENERATION.get(film.video_codec, 0)


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
