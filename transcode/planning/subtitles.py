"""Subtitle tracks: which stay, which are copied, which become another text format. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from transcode.outcomes import JobSkipped
from transcode.planning.audio_choice import UNDETERMINED, title_word
from transcode.planning.containers import STYLED_SUBTITLES, is_text_subtitle
from transcode.planning.draft import language_words
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import SubtitleStream
    from transcode.planning.draft import Draft

# Text codecs that ffmpeg turns into another text codec.
_CONVERTIBLE = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text"})
# As presets call them: the codec and ffmpeg's encoder.
TEXT_FORMATS = {
    "srt": ("subrip", "srt"),
    "ass": ("ass", "ass"),
    "mov_text": ("mov_text", "mov_text"),
    "webvtt": ("webvtt", "webvtt"),
}
_ALTERNATIVE = "choose a Matroska preset to keep them, or extract them first"


def plan_subtitles(draft: Draft) -> None:
    """Raises JobSkipped where the preset keeps all and the container cannot hold one."""
    kept: list[SubtitleStream] = []
    for track in draft.info.subtitles:
        if reason := _why_dropped(draft, track):
            _drop(draft, track, reason)
        else:
            kept.append(track)
    for track in _with_default(draft, kept):
        _treat(draft, track)


def _treat(draft: Draft, track: SubtitleStream) -> None:
    wanted = draft.spec.subtitles.convert_to
    is_text = track.is_text or is_text_subtitle(track.codec)
    if wanted and is_text and track.codec in _CONVERTIBLE:
        _convert_as_wanted(draft, track, *TEXT_FORMATS[wanted])
    elif draft.container.takes(StreamKind.SUBTITLE, track.codec):
        _keep(draft, track, Action.COPY, track.codec, "", "Copied as it is.")
    elif is_text and track.codec in _CONVERTIBLE:
        container = draft.container
        why = f"{container.why_not(StreamKind.SUBTITLE, track.codec)}."
        _convert(draft, track, container.text_subtitle_codec, container.text_subtitle_encoder, why)
    else:
        _give_up(draft, track)


def _why_dropped(draft: Draft, track: SubtitleStream) -> str:
    """ "" for a track that stays."""
    rule = draft.spec.subtitles
    if rule.mode == "drop":
        return "The preset drops subtitles."
    if rule.image_subtitles == "drop" and not (track.is_text or is_text_subtitle(track.codec)):
        return "The preset drops subtitles that are pictures (PGS, VobSub)."
    if word := title_word(track.title, rule.drop_titles):
        return f"The preset drops tracks whose title holds “{word}”."
    if not rule.languages or track.language in rule.languages or track.language in UNDETERMINED:
        return ""
    if track.disposition.is_forced and rule.keep_forced:
        return ""
    return f"The preset keeps these languages: {', '.join(rule.languages)}."


def _with_default(draft: Draft, kept: list[SubtitleStream]) -> list[SubtitleStream]:
    """The first full track in the preset's language plays by default, and no other."""
    wanted = draft.spec.subtitles.default_language
    matching = [t for t in kept if t.language == wanted] if wanted else []
    if not matching:
        return kept
    chosen = min(matching, key=lambda t: (t.disposition.is_commentary, t.disposition.is_forced))
    return [replace(t, disposition=replace(t.disposition, is_default=t is chosen)) for t in kept]


def _convert_as_wanted(draft: Draft, track: SubtitleStream, codec: str, encoder: str) -> None:
    if track.codec == codec:
        _keep(draft, track, Action.COPY, codec, "", "Copied: it already is what the preset wants.")
        return
    if not draft.container.takes(StreamKind.SUBTITLE, codec):
        raise JobSkipped(
            "container_cannot_hold",
            f"{draft.container.why_not(StreamKind.SUBTITLE, codec)}, which the preset converts to;"
            " choose another subtitle format or container.",
        )
    _convert(draft, track, codec, encoder, "as the preset says.")


def _convert(draft: Draft, track: SubtitleStream, codec: str, encoder: str, why: str) -> None:
    _keep(draft, track, Action.CONVERT, codec, encoder, f"Converted to {codec}: {why}")
    name = f"subtitle track {track.index}{language_words(track.language)}"
    if track.codec in STYLED_SUBTITLES and codec not in STYLED_SUBTITLES:
        draft.losses.append(f"{name}: styling of {track.codec.upper()}")
    elif track.codec == "webvtt":
        draft.losses.append(f"{name}: placement of WebVTT")


def _give_up(draft: Draft, track: SubtitleStream) -> None:
    """Neither fits nor can be converted."""
    container = draft.container
    why = container.why_not(StreamKind.SUBTITLE, track.codec or "unknown")
    # Matroska holds more than all others: where it fails there is no better choice to point at.
    if container.name == "mkv":
        _drop(draft, track, f"{why}.")
        return
    if draft.spec.subtitles.mode == "keep":
        raise JobSkipped(
            "subtitles_would_be_lost",
            f"{why} (track {track.index}{language_words(track.language)}); {_ALTERNATIVE}, or"
            " choose a preset that drops subtitles it cannot convert.",
        )
    _drop(draft, track, f"{why}; {_ALTERNATIVE}.")


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
