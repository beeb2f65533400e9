"""Subtitles, attachments, cover art, data tracks: what stays in which form. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.media_info import Disposition
from transcode.outcomes import JobSkipped
from transcode.planning.audio_choice import UNDETERMINED
from transcode.planning.containers import STYLED_SUBTITLES, is_text_subtitle
from transcode.planning.draft import language_words
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import CoverArt, SubtitleStream
    from transcode.planning.draft import Draft

_PICTURE_TYPES = {
    "mjpeg": (".jpg", "image/jpeg"),
    "png": (".png", "image/png"),
    "gif": (".gif", "image/gif"),
    "bmp": (".bmp", "image/bmp"),
    "webp": (".webp", "image/webp"),
}
# Text codecs that ffmpeg turns into another text codec.
_CONVERTIBLE = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text"})


def plan_subtitles(draft: Draft) -> None:
    """Raises JobSkipped where the preset keeps all and the container cannot hold one."""
    for track in draft.info.subtitles:
        reason = _why_dropped(draft, track)
        if reason:
            _drop(draft, track, reason)
        elif draft.container.takes(StreamKind.SUBTITLE, track.codec):
            _keep(draft, track, Action.COPY, track.codec, "", "Copied as it is.")
        elif track.is_text or is_text_subtitle(track.codec):
            _convert(draft, track)
        else:
            _give_up(draft, track)


def _why_dropped(draft: Draft, track: SubtitleStream) -> str:
    rule = draft.spec.subtitles
    if rule.mode == "drop":
        return "The preset drops subtitles."
    if not rule.languages or track.language in rule.languages or track.language in UNDETERMINED:
        return ""
    if track.disposition.is_forced and rule.keep_forced:
        return ""
    return f"The preset keeps these languages: {', '.join(rule.languages)}."


def _convert(draft: Draft, track: SubtitleStream) -> None:
    container = draft.container
    if track.codec not in _CONVERTIBLE:
        _give_up(draft, track)
        return
    codec = container.text_subtitle_codec
    reason = f"Converted to {codec}: {container.why_not(StreamKind.SUBTITLE, track.codec)}."
    _keep(draft, track, Action.CONVERT, codec, container.text_subtitle_encoder, reason)
    if track.codec in STYLED_SUBTITLES:
        name = f"subtitle track {track.index}{language_words(track.language)}"
        draft.losses.append(f"{name}: styling of {track.codec.upper()}")


def _give_up(draft: Draft, track: SubtitleStream) -> None:
    """Neither fits nor can be converted."""
    container = draft.container
    why = container.why_not(StreamKind.SUBTITLE, track.codec or "unknown")
    # Matroska holds more than all others: where it fails there is no better choice to point at.
    if draft.spec.subtitles.mode == "keep" and container.name != "mkv":
        raise JobSkipped(
            "subtitles_would_be_lost",
            f"{why} (track {track.index}{language_words(track.language)}); choose a Matroska"
            " preset, or one that drops subtitles it cannot convert.",
        )
    _drop(draft, track, f"{why}.")


def _drop(draft: Draft, track: SubtitleStream, reason: str) -> None:
    draft.drop(
        StreamKind.SUBTITLE,
        track.index,
        track.codec,
        reason,
        language=track.language,
        title=track.title,
        loss=f"subtitle track {track.index}{language_words(track.language)}, {track.codec}",
    )


def _keep(
    draft: Draft, track: SubtitleStream, action: Action, codec: str, encoder: str, reason: str
) -> None:
    number = draft.next_output_index
    stream = PlannedStream(
        kind=StreamKind.SUBTITLE,
        source_index=track.index,
        action=action,
        output_index=number,
        source_codec=track.codec,
        output_codec=codec,
        encoder=encoder,
        reason=reason,
        language=track.language,
        title=track.title,
        disposition=draft.container.stored(track.disposition),
    )
    draft.keep(stream, f"-c:{number}", encoder or "copy")


def plan_attachments(draft: Draft) -> None:
    for item in draft.info.attachments:
        name = item.file_name or f"attachment {item.index}"
        if not draft.spec.keep_attachments:
            reason = "The preset drops attachments."
        elif not draft.container.has_attachments:
            reason = f"{draft.container.why_not(StreamKind.ATTACHMENT, '')}."
        else:
            _keep_attachment(draft, item.index, item.file_name, item.mime_type)
            continue
        draft.drop(
            StreamKind.ATTACHMENT, item.index, item.mime_type, reason, loss=f"attachment {name}"
        )


def _keep_attachment(draft: Draft, index: int, file_name: str, mime_type: str) -> None:
    number = draft.next_output_index
    stream = PlannedStream(
        kind=StreamKind.ATTACHMENT,
        source_index=index,
        action=Action.COPY,
        output_index=number,
        source_codec=mime_type,
        output_codec=mime_type,
        reason="Copied as it is.",
        file_name=file_name,
    )
    # Track tags are not copied, and the muxer refuses an attachment without these two.
    draft.keep(
        stream,
        f"-c:{number}",
        "copy",
        f"-metadata:s:{number}",
        f"filename={file_name}",
        f"-metadata:s:{number}",
        f"mimetype={mime_type or 'application/octet-stream'}",
    )


def plan_covers(draft: Draft) -> None:
    for number, cover in enumerate(draft.info.cover_art, start=1):
        if not draft.container.takes(StreamKind.COVER, cover.codec):
            why = draft.container.why_not(StreamKind.COVER, cover.codec)
            draft.drop(StreamKind.COVER, cover.index, cover.codec, f"{why}.", loss="cover art")
        else:
            _keep_cover(draft, cover, number)


def _keep_cover(draft: Draft, cover: CoverArt, number: int) -> None:
    suffix, mime_type = _PICTURE_TYPES[cover.codec]
    output_index = draft.next_output_index
    stream = PlannedStream(
        kind=StreamKind.COVER,
        source_index=cover.index,
        action=Action.COPY,
        output_index=output_index,
        source_codec=cover.codec,
        output_codec=cover.codec,
        reason="Copied as it is.",
        disposition=Disposition(is_attached_picture=True),
        file_name=f"cover{'' if number == 1 else number}{suffix}",
    )
    if draft.container.has_attachments:
        # Mapped as a stream, Matroska's muxer would make a second film track of it (measured).
        draft.attach(stream, mime_type)
    else:
        draft.keep(stream, f"-c:{output_index}", "copy")


def plan_data(draft: Draft) -> None:
    """Data tracks fit nowhere but where they came from. QuickTime's chapter track is no loss."""
    for item in draft.info.data_streams:
        is_chapter_track = item.codec in ("text", "bin_data") and bool(draft.info.chapters)
        if is_chapter_track:
            reason, loss = "The chapters are written anew.", ""
        else:
            reason = f"{draft.container.why_not(StreamKind.DATA, item.codec)}."
            loss = f"data stream {item.codec}"
        draft.drop(StreamKind.DATA, item.index, item.codec, reason, loss=loss)
