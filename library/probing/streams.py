"""PyAV's streams as the values of `library.media_info`: attributes only, no packet, no frame."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from library.media_info import (
    Attachment,
    AudioStream,
    CoverArt,
    DataStream,
    Disposition,
    SubtitleStream,
    VideoStream,
)
from library.probing.color import FIELD_ORDERS, PRIMARIES, RANGES, SPACES, TRANSFERS

if TYPE_CHECKING:
    from fractions import Fraction

    from av.stream import Stream

    from library.probing.dump import DumpedStream

TEXT_SUBTITLES = frozenset(
    {"subrip", "ass", "mov_text", "webvtt", "text", "eia_608", "dvb_teletext", "ttml", "stl"}
)
_LOSSLESS = frozenset({"truehd", "mlp", "flac", "alac", "wavpack", "tta", "ape", "wmalossless"})
_COMMENTARY = re.compile(r"\bcomment(?:ary|aire|o)?s?\b|kommentar", re.IGNORECASE)
_FORCED = re.compile(r"\bforced\b|\bforc[eé]s?\b|\berzwungen\b", re.IGNORECASE)
_HEARING = re.compile(r"\bSDH\b|\bhearing impaired\b|\bCC\b")
_CLOCK = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_MAX_TEXT = 2000


def text_of(metadata: dict[str, str], *keys: str) -> str:
    """The first of these tags, in any case or with a language suffix ("BPS-eng"); "" if absent."""
    folded = {key.casefold(): value for key, value in reversed(metadata.items())}
    for key in keys:
        for name in (key, f"{key}-eng"):
            if value := folded.get(name, ""):
                return value[:_MAX_TEXT].strip()
    return ""


def title_of(metadata: dict[str, str]) -> str:
    """A track's title: MP4 keeps it as `name`."""
    return text_of(metadata, "title", "name")


def _language(stream: Stream) -> str:
    language = (stream.language or text_of(stream.metadata, "language")).strip().casefold()
    return "" if language in {"und", "unk", "zxx", "mis"} else language[:12]


def _disposition(stream: Stream, title: str) -> Disposition:
    flags = stream.disposition
    kind = type(flags)
    return Disposition(
        is_default=bool(flags & kind.default),
        is_forced=bool(flags & kind.forced) or bool(_FORCED.search(title)),
        is_commentary=bool(flags & kind.comment) or bool(_COMMENTARY.search(title)),
        is_hearing_impaired=bool(flags & kind.hearing_impaired) or bool(_HEARING.search(title)),
        is_visual_impaired=bool(flags & kind.visual_impaired),
        is_original=bool(flags & kind.original),
        is_dub=bool(flags & kind.dub),
        is_attached_picture=bool(flags & kind.attached_pic),
    )


def _codec_name(stream: Stream, dumped: DumpedStream) -> str:
    """The codec, not the decoder (`av1`, not `libdav1d`); without a decoder: by description."""
    context = stream.codec_context
    name = dumped.codec if context is None else context.codec.canonical_name
    return "" if name in {"none", "unknown"} else name


def _ratio(value: Fraction | None, *, empty: str = "") -> str:
    return f"{value.numerator}:{value.denominator}" if value and value > 0 else empty


def _seconds(stream: Stream, ticks: int | None) -> float | None:
    if ticks is None or stream.time_base is None:
        return None
    return float(ticks * stream.time_base)


def _duration_s(stream: Stream) -> float | None:
    # Matroska has it in a tag only; ffmpeg then fills in the duration of the longest stream.
    if clock := _CLOCK.match(text_of(stream.metadata, "duration")):
        known: float | None = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    else:
        known = _seconds(stream, stream.duration)
    return known if known and 0 < known < 10_000_000 else None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _bit_rate_kbps(stream: Stream) -> int | None:
    context = stream.codec_context
    bits = (context.bit_rate if context else None) or _whole(text_of(stream.metadata, "bps"))
    return round(bits / 1000) if bits and bits > 0 else None


def read_video(stream: Any, dumped: DumpedStream) -> VideoStream:
    """A video stream without what needs frames or packets (HDR, timing, captions)."""
    context, title = stream.codec_context, title_of(stream.metadata)
    common = {
        "index": stream.index,
        "codec": _codec_name(stream, dumped),
        "rotation_deg": dumped.rotation_deg,
        "time_base": str(stream.time_base or ""),
        "start_s": _seconds(stream, stream.start_time),
        "duration_s": _duration_s(stream),
        "frames": stream.frames or _whole(text_of(stream.metadata, "number_of_frames")),
        "bit_rate_kbps": _bit_rate_kbps(stream),
        "language": _language(stream),
        "title": title,
        "disposition": _disposition(stream, title),
    }
    if context is None:
        return VideoStream(**common)
    return VideoStream(**common, **_picture(stream, context, dumped))


def _picture(stream: Any, context: Any, dumped: DumpedStream) -> dict[str, Any]:
    field_order = FIELD_ORDERS.get(context.field_order, "")
    pix_fmt = context.pix_fmt or ""
    is_full = pix_fmt.startswith("yuvj")
    extradata = context.extradata
    return {
        "profile": context.profile or "",
        "level": context.level if (context.level or 0) > 0 else None,
        "width": context.width or 0,
        "height": context.height or 0,
        "sample_aspect_ratio": _ratio(stream.sample_aspect_ratio, empty="1:1"),
        "pix_fmt": pix_fmt,
        "bit_depth": context.format.components[0].bits if context.format else 8,
        "color_range": "pc" if is_full else RANGES.get(context.color_range, ""),
        "color_primaries": PRIMARIES.get(context.color_primaries, ""),
        "color_transfer": TRANSFERS.get(context.color_trc, ""),
        "color_space": SPACES.get(context.colorspace, ""),
        "chroma_location": dumped.chroma_location,
        "field_order": field_order,
        "is_interlaced": field_order not in {"", "progressive"},
        "frame_rate": str(stream.guessed_rate or stream.average_rate or ""),
        "extradata_sha256": hashlib.sha256(extradata).hexdigest() if extradata else "",
    }


def read_audio(stream: Any, dumped: DumpedStream) -> AudioStream:
    context, title = stream.codec_context, title_of(stream.metadata)
    profile = (context.profile or "") if context else ""
    codec = _codec_name(stream, dumped)
    return AudioStream(
        index=stream.index,
        codec=codec,
        profile=profile,
        channels=context.layout.nb_channels if context else 0,
        channel_layout=context.layout.name if context else "",
        sample_rate_hz=(context.sample_rate or 0) if context else 0,
        sample_format=context.format.name if context and context.format else "",
        bit_rate_kbps=_bit_rate_kbps(stream),
        is_lossless=codec in _LOSSLESS or codec.startswith("pcm_") or "DTS-HD MA" in profile,
        object_audio="Atmos" if "Atmos" in profile else "DTS:X" if "DTS:X" in profile else "",
        start_s=_seconds(stream, stream.start_time),
        duration_s=_duration_s(stream),
        language=_language(stream),
        title=title,
        disposition=_disposition(stream, title),
    )


def read_subtitle(stream: Any, dumped: DumpedStream) -> SubtitleStream:
    title, codec = title_of(stream.metadata), _codec_name(stream, dumped)
    return SubtitleStream(
        index=stream.index,
        codec=codec,
        is_text=codec in TEXT_SUBTITLES,
        language=_language(stream),
        title=title,
        disposition=_disposition(stream, title),
    )


def read_attachment(stream: Any) -> Attachment:
    return Attachment(
        index=stream.index,
        file_name=text_of(stream.metadata, "filename"),
        mime_type=text_of(stream.metadata, "mimetype"),
        size_bytes=len(stream.data or b""),
    )


def read_cover(stream: Any, dumped: DumpedStream) -> CoverArt:
    context = stream.codec_context
    return CoverArt(
        index=stream.index,
        codec=_codec_name(stream, dumped),
        width=(context.width or 0) if context else 0,
        height=(context.height or 0) if context else 0,
    )


def read_data(stream: Any, dumped: DumpedStream) -> DataStream:
    return DataStream(index=stream.index, codec=dumped.tag or dumped.codec or "unknown")
