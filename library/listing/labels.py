"""What codecs, sizes and tracks are called on badges and in filters. Pure: names in, names out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from library.models import MediaFile

RESOLUTIONS = {
    4320: "8K",
    2160: "4K",
    1440: "1440p",
    1080: "1080p",
    720: "720p",
    576: "576p",
    480: "480p",
    360: "360p",
    240: "240p",
}
VIDEO_CODECS = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "vp9": "VP9",
    "vp8": "VP8",
    "mpeg4": "MPEG-4",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "vc1": "VC-1",
    "wmv3": "WMV",
    "wmv2": "WMV",
    "msmpeg4v3": "MPEG-4",
    "vvc": "VVC",
    "prores": "ProRes",
    "theora": "Theora",
    "mjpeg": "MJPEG",
    "ffv1": "FFV1",
}
HDR_KINDS = {
    "sdr": "SDR",
    "hdr10": "HDR10",
    "hdr10plus": "HDR10+",
    "hlg": "HLG",
    "dolby_vision": "DV",
}
AUDIO_CODECS = {
    "aac": "AAC",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "truehd": "TrueHD",
    "dts": "DTS",
    "flac": "FLAC",
    "opus": "Opus",
    "vorbis": "Vorbis",
    "mp3": "MP3",
    "mp2": "MP2",
    "alac": "ALAC",
    "pcm_s16le": "PCM",
    "pcm_s24le": "PCM",
    "wmav2": "WMA",
    "ac4": "AC-4",
}
AUDIO_LABELS = ("Atmos", "DTS:X", "DTS-HD", "TrueHD")
CONTAINERS = {
    "mkv": "MKV",
    "mp4": "MP4",
    "mov": "MOV",
    "avi": "AVI",
    "ts": "TS",
    "mpg": "MPG",
    "webm": "WebM",
    "asf": "WMV",
    "flv": "FLV",
    "ogg": "Ogg",
}
CHANNELS = {1: "mono", 2: "stereo", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, slots=True)
class QualityBadges:
    """The four places of `badges_slots`."""

    resolution: str
    codec: str
    range: tuple[str, ...]
    sound: str


def quality_badges(file: MediaFile) -> QualityBadges:
    """Badges of one row. SDR and plain sound are the rule and get none."""
    range_badges = () if file.hdr in {"", "sdr"} else (HDR_KINDS.get(file.hdr, file.hdr.upper()),)
    return QualityBadges(
        resolution=resolution_label(file.resolution),
        codec=video_codec_label(file.video_codec),
        range=range_badges,
        sound=file.audio_label,
    )


def resolution_label(lines: int) -> str:
    return RESOLUTIONS.get(lines, f"{lines}p" if lines else "")


def video_codec_label(codec: str) -> str:
    return VIDEO_CODECS.get(codec, codec.upper())


def audio_codec_label(codec: str) -> str:
    return AUDIO_CODECS.get(codec, codec.upper())


def container_label(container: str) -> str:
    return CONTAINERS.get(container, container.upper())


def channels_label(channels: int) -> str:
    return CHANNELS.get(channels, f"{channels} channels" if channels else "")
