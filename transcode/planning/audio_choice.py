"""Which sound tracks stay, in which order, and which plays by default. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from transcode.planning.draft import language_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.media_info import AudioStream
    from transcode.presets.spec import AudioRule

UNDETERMINED = frozenset({"", "und", "mis", "mul", "zxx"})


@dataclass(frozen=True, slots=True)
class AudioChoice:
    kept: tuple[AudioStream, ...]  # in the order of the output
    dropped: tuple[tuple[AudioStream, str], ...]  # with the reason
    notes: tuple[str, ...] = ()


def choose_audio(tracks: Sequence[AudioStream], rule: AudioRule) -> AudioChoice:
    """Never none where there was one."""
    notes: list[str] = []
    reasons = {track.index: _why_dropped(track, rule) for track in tracks}
    if tracks and all(reasons.values()):
        saved = main_track(tracks)
        reasons[saved.index] = ""
        notes.append(
            f"No audio track is as the preset wants it; track {saved.index}"
            f"{language_words(saved.language)} stays, so that the film keeps its sound."
        )
    kept = [track for track in tracks if not reasons[track.index]]
    if rule.first_track_only and len(kept) > 1:
        main = main_track(kept)
        reasons |= {t.index: "The preset keeps one audio track." for t in kept if t is not main}
        kept = [main]
    if rule.sort_by_language:
        kept = _sorted(kept, rule.languages)
    dropped = tuple((t, reasons[t.index]) for t in tracks if reasons[t.index])
    kept = _with_default(kept, [t for t, _ in dropped], rule, notes)
    return AudioChoice(tuple(kept), dropped, tuple(notes))


def main_track(tracks: Sequence[AudioStream]) -> AudioStream:
    """What a player takes: the default one, else the first that is no commentary."""
    return next(
        (t for t in tracks if t.disposition.is_default),
        next((t for t in tracks if not t.disposition.is_commentary), tracks[0]),
    )


def title_word(title: str, words: Sequence[str]) -> str:
    """The first of these words that the title holds, in any case; "" for none."""
    folded = title.casefold()
    return next((word for word in words if word and word.casefold() in folded), "")


def _why_dropped(track: AudioStream, rule: AudioRule) -> str:
    """ "" for a track that stays."""
    if track.disposition.is_commentary and not rule.keep_commentary:
        return "The preset drops commentary tracks."
    if word := title_word(track.title, rule.drop_titles):
        return f"The preset drops tracks whose title holds “{word}”."
    is_wanted = not rule.languages or track.language in rule.languages
    if not is_wanted and track.language not in UNDETERMINED:
        return f"The preset keeps these languages: {', '.join(rule.languages)}."
    return ""


def _sorted(tracks: list[AudioStream], languages: Sequence[str]) -> list[AudioStream]:
    """By the preset's order; others behind, all as they were among themselves. The commentary in
    a language comes behind its other tracks."""
    order = {language: number for number, language in enumerate(languages)}
    return sorted(
        tracks, key=lambda t: (order.get(t.language, len(order)), t.disposition.is_commentary)
    )


def _with_default(
    kept: list[AudioStream], dropped: list[AudioStream], rule: AudioRule, notes: list[str]
) -> list[AudioStream]:
    wanted = rule.default_language
    matching = [t for t in kept if t.language == wanted] if wanted else []
    if matching:
        chosen = next((t for t in matching if not t.disposition.is_commentary), matching[0])
        return [_marked(t, is_default=t is chosen) for t in kept]
    if wanted and kept:
        notes.append(f"No audio track is in “{wanted}”; the default one stays as it was.")
    is_lost = any(t.disposition.is_default for t in dropped)
    if is_lost and kept and not any(t.disposition.is_default for t in kept):
        notes.append("The first kept audio track becomes the default one.")
        return [_marked(kept[0], is_default=True), *kept[1:]]
    return kept


def _marked(track: AudioStream, *, is_default: bool) -> AudioStream:
    if track.disposition.is_default == is_default:
        return track
    return replace(track, disposition=replace(track.disposition, is_default=is_default))
