"""Streams as Plex describes them, in the words of `library.media_info`.

Plex knows less than our own probe: times, layouts and dispositions are partly missing, and Atmos is
only seen where a title says so. Such values are hints until a probe has read the file.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from library.media_info import (
    AudioStream,
    Disposition,
    HdrKind,
    MediaInfo,
    SubtitleStream,
    TimingKind,
    VideoStream,
)
from library.plex.values import flag, number, real, text
from library.probing.color import hdr_kind
from library.probing.streams import TEXT_SUBTITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODECS: Final = {
    "dca": "dts", "dca-ma": "dts", "srt": "subrip", "pgs": "hdmv_pgs_subtitle", "ssa": "ass",
    "vobsub": "dvd_subtitle", "dvd": "dvd_subtitle", "mpeg2": "mpeg2video", "vtt": "webvtt",
    "mpeg1": "mpeg1video", "pcm": "pcm_s16le",
}  # fmt: skip
_AUDIO_PROFILES: Final = {
    "ma": "DTS-HD MA", "hra": "DTS-HD HRA", "dts": "DTS", "es": "DTS-ES", "lc": "LC",
    "he-aac": "HE-AAC", "he-aacv2": "HE-AACv2",
}  # fmt: skip
_CONTAINERS: Final = {"mpegts": "ts", "mpeg": "mpg", "wmv": "asf", "matroska": "mkv", "m4v": "mp4"}
_LOSSLESS: Final = frozenset(("truehd", "mlp", "flac", "alac", "wavpack", "tta", "ape"))
_FILM_RATES: Final = {
    23976: "24000/1001", 29970: "30000/1001", 47952: "48000/1001", 59940: "60000/1001",
    119880: "120000/1001",
}  # fmt: skip
_NAMED_RATES: Final = {"pal": "25", "ntsc": "30000/1001"}


def container_name(plex: str, path: str) -> str:
    """The project's short name; from the file's own name where Plex has not looked into it."""
    name = (plex or path.rpartition(".")[2]).lower()
    return _CONTAINERS.get(name, name)[:12]


def read_media_info(media: Mapping[str, Any], part: Mapping[str, Any]) -> MediaInfo | None:
    """One file's streams. None when Plex has not analysed it."""
    streams = part.get("Stream") or ()
    video = tuple(_video(s, media) for s in streams if _kind(s) == 1)
    captioned = any(_kind(s) == 3 and flag(s.get("embeddedInVideo")) for s in streams)
    if not streams:
        video = _video_of_media(media)
        if not video:
            return None
    if captioned and video:
        video = (_with_captions(video[0]), *video[1:])
    duration_ms = number(part.get("duration")) or number(media.get("duration")) or 0
    container = container_name(text(part.get("container")) or text(media.get("container")),
                               text(part.get("file")))  # fmt: skip
    return MediaInfo(
        container=container,
        format_name=container,
        size_bytes=number(part.get("size")) or 0,
        duration_s=duration_ms / 1000 if duration_ms else None,
        start_s=None,
        bit_rate_kbps=_bit_rate(media, part, duration_ms),
        video=video,
        audio=_audio_of(streams, media),
        subtitles=tuple(_subtitle(s) for s in streams if _kind(s) == 3 and _is_inside(s)),
    )


def _kind(stream: Mapping[str, Any]) -> int | None:
    return number(stream.get("streamType"))


def _is_inside(stream: Mapping[str, Any]) -> bool:
    """Not a file beside the film (it has a key), nor captions within the pictures."""
    return not stream.get("key") and not flag(stream.get("embeddedInVideo"))


def _bit_rate(media: Mapping[str, Any], part: Mapping[str, Any], duration_ms: int) -> int | None:
    if kbps := number(media.get("bitrate")):
        return kbps
    size = number(part.get("size")) or 0
    return round(size * 8 / duration_ms) if size and duration_ms else None


def _codec(stream: Mapping[str, Any]) -> str:
    name = text(stream.get("codec")).lower()
    return _CODECS.get(name, name)


def _titles(stream: Mapping[str, Any]) -> str:
    names = ("title", "displayTitle", "extendedDisplayTitle", "profile")
    return " ".join(text(stream.get(name)) for name in names)


def _language(stream: Mapping[str, Any]) -> str:
    code = text(stream.get("languageCode")).lower()
    return "" if code in {"und", "unk", "zxx", "mis"} else code[:12]


def _disposition(stream: Mapping[str, Any], titles: str) -> Disposition:
    words = titles.lower()
    return _shared_disposition(
        flag(stream.get("default")),
        flag(stream.get("forced")) or "forced" in words,
        "comment" in words,
        flag(stream.get("hearingImpaired")) or "sdh" in words.split(),
        flag(stream.get("visualImpaired")),
        flag(stream.get("original")),
        flag(stream.get("dub")),
    )


# Values that never change, of which a library has millions alike.
_shared_disposition: Final = lru_cache(maxsize=128)(Disposition)


def _video(stream: Mapping[str, Any], media: Mapping[str, Any]) -> VideoStream:
    titles = _titles(stream)
    transfer = text(stream.get("colorTrc"))
    depth = number(stream.get("bitDepth")) or 8
    has_plus = "HDR10+" in titles
    scan = text(stream.get("scanType"))
    profile = text(stream.get("profile"))
    return VideoStream(
        index=number(stream.get("index")) or 0,
        codec=_codec(stream),
        profile=profile.title(),
        level=number(stream.get("level")),
        width=number(stream.get("width")) or number(media.get("width")) or 0,
        height=number(stream.get("height")) or number(media.get("height")) or 0,
        sample_aspect_ratio=text(stream.get("pixelAspectRatio")) or "1:1",
        bit_depth=depth,
        color_range=text(stream.get("colorRange")),
        color_primaries=text(stream.get("colorPrimaries")),
        color_transfer=transfer,
        color_space=text(stream.get("colorSpace")),
        chroma_location=text(stream.get("chromaLocation")),
        field_order="progressive" if scan == "progressive" else "",
        is_interlaced=scan == "interlaced",
        hdr=_hdr(stream, transfer, depth, has_plus),
        dolby_vision_profile=_dolby_vision(stream),
        has_hdr10_plus=has_plus,
        has_closed_captions=flag(stream.get("closedCaptions")),
        frame_rate=frame_rate(stream.get("frameRate") or media.get("videoFrameRate")),
        timing=TimingKind.UNKNOWN,
        bit_rate_kbps=number(stream.get("bitrate")) or None,
        language=_language(stream),
        title=text(stream.get("title")),
        disposition=_disposition(stream, titles),
    )


def _hdr(stream: Mapping[str, Any], transfer: str, depth: int, has_plus: bool) -> HdrKind:
    """Dolby Vision first: of profile 5 Plex names no transfer."""
    return hdr_kind(
        transfer=transfer if depth > 8 else "",
        has_dolby_vision=flag(stream.get("DOVIPresent")),
        has_hdr10_plus=has_plus,
    )


def _dolby_vision(stream: Mapping[str, Any]) -> str:
    profile = number(stream.get("DOVIProfile"))
    if not flag(stream.get("DOVIPresent")) or profile is None:
        return ""
    compatible = number(stream.get("DOVIBLCompatID"))
    return f"{profile}.{compatible}" if compatible else str(profile)


def _with_captions(video: VideoStream) -> VideoStream:
    from dataclasses import replace

    return replace(video, has_closed_captions=True)


def _video_of_media(media: Mapping[str, Any]) -> tuple[VideoStream, ...]:
    """What a list says of a version, when its streams were not given."""
    codec, width = _codec({"codec": media.get("videoCodec")}), number(media.get("width"))
    if not codec or not width:
        return ()
    return (
        VideoStream(
            index=0,
            codec=codec,
            profile=text(media.get("videoProfile")).title(),
            width=width,
            height=number(media.get("height")) or 0,
            frame_rate=frame_rate(media.get("videoFrameRate")),
            disposition=Disposition(is_default=True),
        ),
    )


def _audio_of(streams: Any, media: Mapping[str, Any]) -> tuple[AudioStream, ...]:
    if streams:
        return tuple(_audio(stream) for stream in streams if _kind(stream) == 2)
    if not media.get("audioCodec"):
        return ()
    given = {"codec": media.get("audioCodec"), "channels": media.get("audioChannels"),
             "profile": media.get("audioProfile"), "index": 1, "default": True}  # fmt: skip
    return (_audio(given),)


def _audio(stream: Mapping[str, Any]) -> AudioStream:
    codec, titles = _codec(stream), _titles(stream)
    plain = text(stream.get("profile")).lower()
    profile = _AUDIO_PROFILES.get(plain, plain)
    objects = "Atmos" if "atmos" in titles.lower() else "DTS:X" if "DTS:X" in titles else ""
    return AudioStream(
        index=number(stream.get("index")) or 0,
        codec=codec,
        profile=profile,
        channels=number(stream.get("channels")) or 0,
        channel_layout=text(stream.get("audioChannelLayout")),
        sample_rate_hz=number(stream.get("samplingRate")) or 0,
        bit_rate_kbps=number(stream.get("bitrate")) or None,
        is_lossless=codec in _LOSSLESS or codec.startswith("pcm_") or profile == "DTS-HD MA",
        object_audio=objects,
        language=_language(stream),
        title=text(stream.get("title")),
        disposition=_disposition(stream, titles),
    )


def _subtitle(stream: Mapping[str, Any]) -> SubtitleStream:
    codec, titles = _codec(stream), _titles(stream)
    return SubtitleStream(
        index=number(stream.get("index")) or 0,
        codec=codec,
        is_text=codec in TEXT_SUBTITLES,
        language=_language(stream),
        title=text(stream.get("title")),
        disposition=_disposition(stream, titles),
    )


def frame_rate(value: object) -> str:
    """Exact, of 23.976 or of "24p", "PAL", "NTSC"; "" when unknown."""
    name = text(value).lower()
    if name in _NAMED_RATES:
        return _NAMED_RATES[name]
    rate = real(name.rstrip("pi"))
    if rate is None or not 0 < rate < 1000:
        return ""
    nearby = _FILM_RATES.get(round(rate * 1000))
    return nearby or str(Fraction(rate).limit_denominator(1001))
