"""Attachments, cover art, data tracks: what stays in which form. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.media_info import Disposition
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import CoverArt
    from transcode.planning.draft import Draft

_PICTURE_TYPES = {
    "mjpeg": (".jpg", "image/jpeg"),
    "png": (".png", "image/png"),
    "gif": (".gif", "image/gif"),
    "bmp": (".bmp", "image/bmp"),
    "webp": (".webp", "image/webp"),
}


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
