"""Rung 5: the output holds exactly the streams, chapters and attachments of the plan."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from library.media_info import AudioStream, Disposition
from transcode.planning.model import StreamKind
from transcode.verify.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library.media_info import MediaInfo, SubtitleStream, VideoStream
    from transcode.planning.model import PlannedStream
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

STREAMS = Verdict(5, "streams", "verify_streams")

CHAPTER_LIMIT_S = 0.03  # MP4 rounds to milliseconds; less than a frame is nothing
_LIMIT = "as planned"


def check_streams(evidence: Evidence) -> RungResult:
    """Count, order, codec, language, title, disposition, channels; chapters; attachments."""
    problem = next(_problems(evidence), "")
    plan, after = evidence.plan, evidence.after
    measured = (
        f"{len(after.video)} video, {len(after.audio)} audio, {len(after.subtitles)} subtitles,"
        f" {len(after.attachments)} attachments, {len(after.chapters)} chapters"
    )
    if problem:
        return STREAMS.failed(
            problem, _LIMIT, f"The output does not hold what was planned: {problem}."
        )
    return STREAMS.passed(
        measured, _LIMIT, f"All {len(plan.kept)} planned streams are there, as planned."
    )


def _problems(evidence: Evidence) -> Iterator[str]:
    """Each difference between plan and output, in words."""
    kept, after = evidence.plan.kept, evidence.after
    yield from _count_problems(kept, after)
    by_index: dict[int, VideoStream | AudioStream | SubtitleStream] = {
        **{stream.index: stream for stream in after.video},
        **{stream.index: stream for stream in after.audio},
        **{stream.index: stream for stream in after.subtitles},
    }
    for planned in kept:
        if planned.kind in (StreamKind.VIDEO, StreamKind.AUDIO, StreamKind.SUBTITLE):
            stream = by_index.get(-1 if planned.output_index is None else planned.output_index)
            if stream is None:
                yield f"{planned.kind.value} stream {planned.output_index} is not there"
            else:
                yield from _stream_problems(planned, stream)
    yield from _attachment_problems(kept, after)
    yield from _chapter_problems(evidence)


def _count_problems(kept: tuple[PlannedStream, ...], after: MediaInfo) -> Iterator[str]:
    for kind, found in (
        (StreamKind.VIDEO, len(after.video)),
        (StreamKind.AUDIO, len(after.audio)),
        (StreamKind.SUBTITLE, len(after.subtitles)),
        (StreamKind.ATTACHMENT, len(after.attachments)),
        (StreamKind.COVER, len(after.cover_art)),
    ):
        planned = sum(1 for s in kept if s.kind == kind)
        if planned != found:
            yield f"{found} {kind.value} streams where {planned} are planned"


def _stream_problems(
    planned: PlannedStream, stream: VideoStream | AudioStream | SubtitleStream
) -> Iterator[str]:
    name = f"{planned.kind.value} stream {planned.output_index}"
    kind = type(stream).__name__.removesuffix("Stream").lower()
    if kind != planned.kind.value:
        yield f"{name} is {kind}"
        return
    if stream.codec != planned.output_codec:
        yield f"{name} is {stream.codec}, not {planned.output_codec}"
    if _language(stream.language) != _language(planned.language):
        yield f"{name} has the language “{stream.language}”, not “{planned.language}”"
    if stream.title != planned.title:
        yield f"{name} has the title “{stream.title}”, not “{planned.title}”"
    yield from (
        f"{name} {text}" for text in _flag_problems(planned.disposition, stream.disposition)
    )
    if isinstance(stream, AudioStream) and planned.channels not in (0, stream.channels):
        yield f"{name} has {stream.channels} channels, not {planned.channels}"


def _language(code: str) -> str:
    """MP4 writes "und" where Matroska writes nothing."""
    return "" if code in ("und", "mis", "zxx") else code


def _flag_problems(planned: Disposition, found: Disposition) -> Iterator[str]:
    for flag in fields(Disposition):
        is_wanted, is_there = getattr(planned, flag.name), getattr(found, flag.name)
        if is_wanted != is_there:
            word = flag.name.removeprefix("is_").replace("_", " ")
            yield f"lost its mark “{word}”" if is_wanted else f"is marked “{word}”"


def _attachment_problems(kept: tuple[PlannedStream, ...], after: MediaInfo) -> Iterator[str]:
    planned = sorted(s.file_name for s in kept if s.kind == StreamKind.ATTACHMENT)
    found = sorted(a.file_name for a in after.attachments)
    if planned != found:
        lost = next((n for n in planned if n not in found), "")
        yield f"the attachment “{lost}” is not there" if lost else "attachments have other names"


def _chapter_problems(evidence: Evidence) -> Iterator[str]:
    planned, before, after = evidence.plan.chapters, evidence.before, evidence.after
    if len(after.chapters) != planned:
        yield f"{len(after.chapters)} chapters where {planned} are planned"
    elif planned == len(before.chapters):
        for number, (was, now) in enumerate(
            zip(before.chapters, after.chapters, strict=True), start=1
        ):
            # A film whose clock starts later is moved to 0, its chapters with it.
            moved = max(0.0, was.start_s - (before.start_s or 0.0))
            if min(abs(was.start_s - now.start_s), abs(moved - now.start_s)) > CHAPTER_LIMIT_S:
                yield f"chapter {number} begins at {now.start_s:.3f} s, not {was.start_s:.3f} s"
            if was.title != now.title:
                yield f"chapter {number} is called “{now.title}”, not “{was.title}”"
