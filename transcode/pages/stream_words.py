"""Streams in words, for tables: what a plan does with each, what was before and after. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from library.listing.labels import (
    HDR_KINDS,
    audio_codec_label,
    channels_label,
    container_label,
    video_codec_label,
)
from library.media_info import MediaInfo
from transcode.planning.model import Action, StreamKind

if TYPE_CHECKING:
    from library.media_info import AudioStream, Disposition, SubtitleStream, VideoStream
    from transcode.planning.model import Plan, PlannedStream

KIND_LABELS: Final = {
    StreamKind.VIDEO: ("Video", "film"),
    StreamKind.AUDIO: ("Audio", "audio"),
    StreamKind.SUBTITLE: ("Subtitles", "subs"),
    StreamKind.ATTACHMENT: ("Attachment", "clip"),
    StreamKind.COVER: ("Cover", "film"),
    StreamKind.DATA: ("Data", "rows"),
}
OUTCOMES: Final = {
    Action.COPY: ("kept", "Kept"),
    Action.ENCODE: ("changed", "Re-encoded"),
    Action.CONVERT: ("changed", "Converted"),
    Action.DROP: ("left", "Left out"),
}
SUBTITLE_CODECS: Final = {
    "subrip": "SubRip",
    "ass": "ASS",
    "ssa": "SSA",
    "mov_text": "MP4 text",
    "webvtt": "WebVTT",
    "hdmv_pgs_subtitle": "PGS",
    "dvd_subtitle": "VobSub",
    "dvb_subtitle": "DVB",
}


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One stream of the source and what becomes of it."""

    label: str
    icon: str
    format: str
    language: str
    outcome: str  # kept, changed, left
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class SideRow:
    """One track as it was and as it is; "" where a side has none."""

    label: str
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class SideBySide:
    rows: tuple[SideRow, ...]
    is_known: bool


def planned_tracks(plan: Plan) -> tuple[TrackRow, ...]:
    """In the source's order, numbered within their kind when there are several."""
    totals: dict[StreamKind, int] = {}
    for stream in plan.streams:
        totals[stream.kind] = totals.get(stream.kind, 0) + 1
    seen: dict[StreamKind, int] = {}
    rows = []
    for stream in plan.streams:
        seen[stream.kind] = seen.get(stream.kind, 0) + 1
        label, icon = KIND_LABELS[stream.kind]
        number = f" {seen[stream.kind]}" if totals[stream.kind] > 1 else ""
        rows.append(_track(stream, f"{label}{number}", icon))
    return tuple(rows)


def _track(stream: PlannedStream, label: str, icon: str) -> TrackRow:
    outcome, word = OUTCOMES[stream.action]
    return TrackRow(
        label=label,
        icon=icon,
        format=_format(stream),
        language=", ".join(_flags(stream.language, stream.title, stream.disposition)),
        outcome=outcome,
        word=word,
        detail=_change(stream),
    )


def _format(stream: PlannedStream) -> str:
    codec = codec_label(stream.kind, stream.source_codec)
    if stream.kind == StreamKind.AUDIO:
        return " ".join(part for part in (codec, channels_label(stream.channels)) if part)
    return stream.file_name or codec


def _change(stream: PlannedStream) -> str:
    parts = []
    if stream.action in {Action.ENCODE, Action.CONVERT}:
        rate = f" {stream.bit_rate_kbps} kb/s" if stream.bit_rate_kbps else ""
        parts.append(f"to {codec_label(stream.kind, stream.output_codec)}{rate}")
    if stream.reason:
        parts.append(stream.reason)
    return " · ".join(parts)


def codec_label(kind: StreamKind, codec: str) -> str:
    if kind == StreamKind.VIDEO:
        return video_codec_label(codec)
    if kind == StreamKind.AUDIO:
        return audio_codec_label(codec)
    return SUBTITLE_CODECS.get(codec, codec)


def _flags(language: str, title: str, disposition: Disposition) -> list[str]:
    words = {
        "is_default": "default",
        "is_forced": "forced",
        "is_commentary": "commentary",
        "is_hearing_impaired": "for the hard of hearing",
    }
    flags = [word for name, word in words.items() if getattr(disposition, name)]
    return [part for part in (language, title, *flags) if part]


def compare_streams(before: dict[str, Any], after: dict[str, Any]) -> SideBySide:
    """From the two probes of a proof record; unknown when one is missing or cannot be read."""
    old, new = _info(before), _info(after)
    if old is None:
        return SideBySide((), False)
    sides = [_lines(old), _lines(new) if new else {}]
    labels = list(dict.fromkeys([*sides[0], *sides[1]]))
    return SideBySide(
        tuple(SideRow(name, sides[0].get(name, ""), sides[1].get(name, "")) for name in labels),
        new is not None,
    )


def _info(raw: dict[str, Any]) -> MediaInfo | None:
    if not raw:
        return None
    try:
        return MediaInfo.from_json(raw)
    except (KeyError, TypeError, ValueError):
        return None


def _lines(info: MediaInfo) -> dict[str, str]:
    lines = {"Container": container_label(info.container)}
    if info.duration_s is not None:
        lines["Duration"] = f"{info.duration_s:,.3f} s"
    kinds = (
        ("Video", [_video_text(stream) for stream in info.video]),
        ("Audio", [_audio_text(stream) for stream in info.audio]),
        ("Subtitles", [_subtitle_text(stream) for stream in info.subtitles]),
    )
    for name, texts in kinds:
        for number, text in enumerate(texts, start=1):
            lines[f"{name} {number}" if len(texts) > 1 else name] = text
    for name, count in (("Chapters", len(info.chapters)), ("Attachments", len(info.attachments))):
        if count:
            lines[name] = str(count)
    return lines


def _video_text(stream: VideoStream) -> str:
    rate = f"{stream.frame_rate} fps" if stream.frame_rate else ""
    parts = (
        video_codec_label(stream.codec),
        f"{stream.width} × {stream.height}",
        f"{stream.bit_depth}-bit",
        HDR_KINDS.get(stream.hdr, ""),
        rate,
    )
    return ", ".join(part for part in parts if part)


def _audio_text(stream: AudioStream) -> str:
    flags = _flags(stream.language, stream.title, stream.disposition)
    codec = f"{audio_codec_label(stream.codec)} {channels_label(stream.channels)}".strip()
    return ", ".join([codec, *([stream.object_audio] if stream.object_audio else []), *flags])


def _subtitle_text(stream: SubtitleStream) -> str:
    flags = _flags(stream.language, stream.title, stream.disposition)
    return ", ".join([SUBTITLE_CODECS.get(stream.codec, stream.codec), *flags])
