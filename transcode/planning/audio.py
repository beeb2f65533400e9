"""The sound tracks: which stay, which are copied, which are converted and to what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from transcode.outcomes import JobSkipped
from transcode.planning.containers import LOSSLESS_AUDIO
from transcode.planning.draft import language_words
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import AudioStream
    from transcode.planning.draft import Draft
    from transcode.presets.spec import AudioRule

UNDETERMINED = frozenset({"", "und", "mis", "mul", "zxx"})
_FFMPEG_ENCODERS = {
    "aac": "aac",
    "opus": "libopus",
    "ac3": "ac3",
    "eac3": "eac3",
    "flac": "flac",
}
_MAX_CHANNELS = {"aac": 8, "opus": 8, "ac3": 6, "eac3": 6, "flac": 8}
# AC-3 knows these rates only (ATSC A/52, table 5.18), in kbit/s.
_AC3_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
# Gaps in the source's times are filled with silence; without it the sound would move forward.
_KEEP_TIMES = "aresample=async=1"
# libopus takes surround only in these layouts; 5.1(side), as AC-3 gives it, is not among them.
_OPUS_LAYOUTS = "aformat=channel_layouts=7.1|6.1|5.1|5.0|quad|3.0|stereo|mono"
_LOSSLESS_TARGETS = frozenset({"flac"})
# A codec's run-in is shorter.
MAX_HIDDEN_S = 0.1


@dataclass(frozen=True, slots=True)
class _Treatment:
    codec: str
    is_copied: bool
    channels: int
    reason: str


def plan_audio(draft: Draft) -> None:
    """Add all sound tracks. Raises JobSkipped for one that cannot be carried at all."""
    chosen, dropped = _choose(draft.info.audio, draft.spec.audio)
    for track, reason in dropped:
        name = f"audio track {track.index}{language_words(track.language)}, {track.codec}"
        draft.drop(
            StreamKind.AUDIO,
            track.index,
            track.codec,
            reason,
            language=track.language,
            title=track.title,
            loss=name,
        )
    lost_default = any(t.disposition.is_default for t, _ in dropped) and not any(
        t.disposition.is_default for t in chosen
    )
    for number, track in enumerate(chosen):
        if lost_default and number == 0:
            track = replace(track, disposition=replace(track.disposition, is_default=True))
            draft.notes.append("The first kept audio track becomes the default one.")
        _add(draft, track)


def _choose(
    tracks: tuple[AudioStream, ...], rule: AudioRule
) -> tuple[list[AudioStream], list[tuple[AudioStream, str]]]:
    """Kept and dropped tracks; never none where there was one."""
    kept: list[AudioStream] = []
    dropped: list[tuple[AudioStream, str]] = []
    for track in tracks:
        if track.disposition.is_commentary and not rule.keep_commentary:
            dropped.append((track, "The preset drops commentary tracks."))
        elif (
            rule.languages
            and track.language not in rule.languages
            and track.language not in UNDETERMINED
        ):
            wanted = ", ".join(rule.languages)
            dropped.append((track, f"The preset keeps these languages: {wanted}."))
        else:
            kept.append(track)
    if not kept:
        return list(tracks), []
    if rule.first_track_only and len(kept) > 1:
        main = next((t for t in kept if t.disposition.is_default), kept[0])
        dropped += [(t, "The preset keeps one audio track.") for t in kept if t is not main]
        kept = [main]
    return kept, dropped


def _add(draft: Draft, track: AudioStream) -> None:
    treatment = _treat(draft, track)
    number = draft.next_output_index
    bit_rate = _bit_rate(draft.spec.audio, treatment)
    stream = PlannedStream(
        kind=StreamKind.AUDIO,
        source_index=track.index,
        action=Action.COPY if treatment.is_copied else Action.ENCODE,
        output_index=number,
        source_codec=track.codec,
        output_codec=treatment.codec,
        encoder="" if treatment.is_copied else _FFMPEG_ENCODERS[treatment.codec],
        reason=treatment.reason,
        language=track.language,
        title=track.title,
        disposition=draft.container.stored(track.disposition),
        channels=treatment.channels,
        bit_rate_kbps=bit_rate,
    )
    if treatment.is_copied:
        draft.keep(stream, f"-c:{number}", "copy")
        return
    options = [f"-c:{number}", stream.encoder]
    if bit_rate is not None:
        options += [f"-b:{number}", f"{bit_rate}k"]
    if treatment.channels:
        options += [f"-ac:{number}", str(treatment.channels)]
    filters = _KEEP_TIMES
    if treatment.codec == "opus" and treatment.channels > 2:
        filters += f",{_OPUS_LAYOUTS}"
    draft.keep(stream, *options, f"-filter:{number}", filters)
    draft.losses += _conversion_losses(track, treatment)


def _treat(draft: Draft, track: AudioStream) -> _Treatment:
    rule, container = draft.spec.audio, draft.container
    fits = container.takes(StreamKind.AUDIO, track.codec)
    too_many = bool(rule.max_channels) and track.channels > rule.max_channels
    if _has_hidden_start(draft, track):
        # Copied into Matroska it would become a delay that many players do not know (measured).
        return _again(draft, track)
    if fits and not too_many:
        reason = _why_copied(track, rule)
        if reason:
            return _Treatment(track.codec, True, track.channels, reason)
    if not track.channels:
        raise JobSkipped(
            "audio_would_be_lost",
            f"The audio track {track.index} ({track.codec or 'unknown codec'}) can be neither"
            f" copied into {container.title} nor converted.",
        )
    codec = rule.codec
    if codec == "copy" or (is_lossless(track) and rule.keep_lossless and not too_many):
        fallback = container.lossless_audio_codec if is_lossless(track) else ""
        codec = fallback or container.lossy_audio_codec
    elif not container.takes(StreamKind.AUDIO, codec):
        codec = container.lossy_audio_codec
    channels = min(track.channels, _MAX_CHANNELS[codec], rule.max_channels or 8)
    why = (
        "as the preset says"
        if fits
        else f"because {container.why_not(StreamKind.AUDIO, track.codec)}"
    )
    return _Treatment(codec, False, channels, f"Converted to {codec} {why}.")


def _has_hidden_start(draft: Draft, track: AudioStream) -> bool:
    span = draft.index.spans.get(track.index)
    is_long = span is not None and span.hidden_s > MAX_HIDDEN_S
    return is_long and not draft.container.keeps_edit_lists and track.channels > 0


def _again(draft: Draft, track: AudioStream) -> _Treatment:
    rule, container = draft.spec.audio, draft.container
    fallback = container.lossless_audio_codec if is_lossless(track) else ""
    codec = fallback or (container.lossy_audio_codec if rule.codec == "copy" else rule.codec)
    channels = min(track.channels, _MAX_CHANNELS[codec], rule.max_channels or 8)
    reason = f"Converted to {codec}: an edit list hides its beginning, which would be heard."
    return _Treatment(codec, False, channels, reason)


def _why_copied(track: AudioStream, rule: AudioRule) -> str:
    """ "" when the rule wants another codec."""
    if rule.codec == "copy":
        return "Copied as it is."
    if track.codec == rule.codec:
        return "Copied: it already is what the preset wants."
    if is_lossless(track) and rule.keep_lossless:
        return "Copied: the preset keeps lossless tracks."
    if track.codec in rule.copy_codecs:
        return f"Copied: the preset keeps {track.codec} tracks."
    return ""


def is_lossless(track: AudioStream) -> bool:
    return track.is_lossless or track.codec in LOSSLESS_AUDIO or track.codec.startswith("pcm_")


def _bit_rate(rule: AudioRule, treatment: _Treatment) -> int | None:
    if treatment.is_copied or treatment.codec in _LOSSLESS_TARGETS:
        return None
    wanted = rule.bit_rate_kbps_per_channel * max(1, treatment.channels)
    if treatment.codec == "ac3":
        return next((rate for rate in _AC3_KBPS if rate >= wanted), _AC3_KBPS[-1])
    return min(wanted, {"eac3": 3000, "opus": 256 * treatment.channels}.get(treatment.codec, 2000))


def _conversion_losses(track: AudioStream, treatment: _Treatment) -> list[str]:
    name = f"audio track {track.index}{language_words(track.language)}"
    losses = []
    if not is_lossless(track) and treatment.codec == track.codec:
        losses.append(f"{name}: encoded again as {treatment.codec}")
    if treatment.channels < track.channels:
        losses.append(f"{name}: {track.channels} channels become {treatment.channels}")
    if track.object_audio:
        losses.append(f"{name}: {track.object_audio}")
    if is_lossless(track) and treatment.codec not in _LOSSLESS_TARGETS:
        losses.append(f"{name}: lossless {track.codec} becomes {treatment.codec}")
    return losses
