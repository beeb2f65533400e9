"""The plan while it is being made: streams in output order, their options, losses, notes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from transcode.planning.borders import NOT_LOOKED_AT, Borders
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import Disposition, MediaInfo
    from transcode.planning.containers import Container
    from transcode.planning.packet_index import PacketIndex
    from transcode.presets.spec import PresetSpec

# Disposition's fields and what ffmpeg calls them.
FFMPEG_FLAGS = {
    "is_default": "default",
    "is_forced": "forced",
    "is_commentary": "comment",
    "is_hearing_impaired": "hearing_impaired",
    "is_visual_impaired": "visual_impaired",
    "is_original": "original",
    "is_dub": "dub",
    "is_attached_picture": "attached_pic",
}


@dataclass(slots=True)
class Draft:
    info: MediaInfo
    index: PacketIndex
    spec: PresetSpec
    container: Container
    borders: Borders = NOT_LOOKED_AT
    streams: list[PlannedStream] = field(default_factory=list)
    maps: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    input_options: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """Of the picture, as its packets say."""
        span = self.index.video_span
        if span is None or span.start_s is None or span.end_s is None:
            return self.info.duration_s or 0.0
        return span.end_s - span.start_s

    @property
    def next_output_index(self) -> int:
        return sum(stream.output_index is not None for stream in self.streams)

    def keep(self, stream: PlannedStream, *options: str) -> None:
        """Map a stream of the source; `options` are complete, with their stream specifiers."""
        self.maps += ["-map", f"0:{stream.source_index}"]
        self.options += options
        self._describe(stream)
        self.streams.append(stream)

    def attach(self, stream: PlannedStream, mime_type: str) -> None:
        """Write a file of the work folder as an attachment (Matroska's cover art)."""
        self.options += ["-attach", stream.file_name]
        self.options += [f"-metadata:s:{stream.output_index}", f"filename={stream.file_name}"]
        self.options += [f"-metadata:s:{stream.output_index}", f"mimetype={mime_type}"]
        self.streams.append(stream)

    def drop(
        self,
        kind: StreamKind,
        source_index: int,
        codec: str,
        reason: str,
        *,
        language: str = "",
        title: str = "",
        loss: str = "",
    ) -> None:
        """Leave a stream out. `loss` says it among the listed losses; "" where nothing is lost."""
        self.streams.append(
            PlannedStream(
                kind=kind,
                source_index=source_index,
                action=Action.DROP,
                output_index=None,
                source_codec=codec,
                reason=reason,
                language=language,
                title=title,
            )
        )
        if loss:
            self.losses.append(loss)

    def mark_defaults(self) -> None:
        """What the muxer does by itself where no track of a kind is marked as default."""
        for kind in (StreamKind.VIDEO, StreamKind.AUDIO, StreamKind.SUBTITLE):
            numbers = [
                number
                for number, stream in enumerate(self.streams)
                if stream.kind == kind and stream.output_index is not None
            ]
            if numbers and not any(self.streams[n].disposition.is_default for n in numbers):
                first = self.streams[numbers[0]]
                flags = replace(first.disposition, is_default=True)
                self.streams[numbers[0]] = replace(first, disposition=flags)

    def _describe(self, stream: PlannedStream) -> None:
        """Language, title and flags are written explicitly: stale track tags are not copied."""
        number = stream.output_index
        if stream.kind not in (StreamKind.ATTACHMENT, StreamKind.COVER):
            if stream.language:
                self.options += [f"-metadata:s:{number}", f"language={stream.language}"]
            if stream.title:
                self.options += [f"-metadata:s:{number}", f"title={stream.title}"]
        self.options += [f"-disposition:{number}", ffmpeg_flags(stream.disposition)]


def ffmpeg_flags(disposition: Disposition) -> str:
    names = [word for name, word in FFMPEG_FLAGS.items() if getattr(disposition, name)]
    return "+".join(names) or "0"


def language_words(language: str) -> str:
    return f" ({language})" if language else ""
