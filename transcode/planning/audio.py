"""The sound tracks: which stay, which are copied, which are converted and to what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from transcode.outcomes import JobSkipped
from transcode.planning.audio_choice import choose_audio, main_track
from transcode.planning.audio_layout import SpeakerLayout, layout_for
from transcode.planning.containers import LOSSLESS_AUDIO
from transcode.planning.draft import language_words
from transcode.planning.model import Action, PlannedStream, StreamKind

if TYPE_CHECKING:
    from library.media_info import AudioStream
    from transcode.planning.draft import Draft
    from transcode.presets.spec import AudioRule

_FFMPEG_ENCODERS = {
    "aac": "aac",
    "opus": "libopus",
    "ac3": "ac3",
    "eac3": "eac3",
    "flac": "flac",
}
STEREO = 2
_STEREO_CODECS = frozenset({"aac", "opus"})
# AC-3 knows these rates only (ATSC A/52, table 5.18), in kbit/s.
_AC3_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
# Gaps in the source's times are filled with silence; without it the sound would move forward.
_KEEP_TIMES = "aresample=async=1"
# Moves nothing in time (measured): its look-ahead is taken off again.
_LIMITER = "alimiter=limit=0.97:level=disabled:latency=enabled"
_LOSSLESS_TARGETS = frozenset({"flac"})
# A codec's run-in is shorter.
MAX_HIDDEN_S = 0.1


@dataclass(frozen=True, slots=True)
class _Treatment:
    codec: str
    is_copied: bool
    layout: SpeakerLayout
    reason: str


def plan_audio(draft: Draft) -> None:
    """Add all sound tracks. Raises JobSkipped for one that cannot be carried at all."""
    choice = choose_audio(draft.info.audio, draft.spec.audio)
    draft.notes += choice.notes
    for track, reason in choice.dropped:
        draft.drop(
            StreamKind.AUDIO,
            track.index,
            track.codec,
            reason,
            language=track.language,
            title=track.title,
            loss=f"audio track {track.index}{language_words(track.language)}, {track.codec}",
        )
    for track in choice.kept:
        _add(draft, track, _treat(draft, track))
    if draft.spec.audio.add_stereo and choice.kept:
        _add_stereo(draft, main_track(choice.kept))


def _add_stereo(draft: Draft, track: AudioStream) -> None:
    """One more track for players with two speakers, made of the main one."""
    planned = [s for s in draft.streams if s.kind == StreamKind.AUDIO and s.channels]
    is_there = any(s.channels <= STEREO and not s.disposition.is_commentary for s in planned)
    if is_there or track.channels <= STEREO:
        return
    rule, container = draft.spec.audio, draft.container
    codec = rule.codec if rule.codec in _STEREO_CODECS else container.lossy_audio_codec
    if not container.takes(StreamKind.AUDIO, codec):
        codec = container.lossy_audio_codec
    layout = layout_for(codec, track.channel_layout, track.channels, STEREO)
    reason = f"Added in stereo, made of track {track.index}."
    flags = replace(track.disposition, is_default=False, is_original=False)
    title = f"{track.title} (Stereo)" if track.title else "Stereo"
    stereo = replace(track, title=title, disposition=flags)
    _add(draft, stereo, _Treatment(codec, False, layout, reason), is_extra=True)
    draft.notes.append(f"A stereo track is added, made of track {track.index}.")


def _add(
    draft: Draft, track: AudioStream, treatment: _Treatment, *, is_extra: bool = False
) -> None:
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
        channels=treatment.layout.channels,
        bit_rate_kbps=bit_rate,
    )
    if treatment.is_copied:
        draft.keep(stream, f"-c:{number}", "copy")
        return
    options = [f"-c:{number}", stream.encoder]
    if bit_rate is not None:
        options += [f"-b:{number}", f"{bit_rate}k"]
    draft.keep(stream, *options, f"-filter:{number}", sound_filters(treatment.layout))
    if not is_extra:
        draft.losses += _conversion_losses(track, treatment)
    if treatment.layout.is_mix:
        before, after = _mixed(track, treatment.layout)
        draft.notes.append(
            f"Audio track {track.index} is mixed down from {before} to {after}: channels without a"
            " speaker of their own go to the nearest ones, centre and surround at −3 dB; the LFE"
            " channel is left out where there is none for it, as are speakers above the back; peaks"
            " are held below full scale."
        )


def _mixed(track: AudioStream, layout: SpeakerLayout) -> tuple[str, str]:
    """Before and after: in channels, or by name where there are as many but other ones."""
    if layout.channels < track.channels:
        return f"{track.channels} channels", str(layout.channels)
    return f"{track.channel_layout} speakers", layout.name


def sound_filters(layout: SpeakerLayout) -> str:
    """In floats the mix keeps the loudness of speech, and may exceed full scale: hence the limiter.
    In whole numbers ffmpeg would turn everything down by up to 8 dB (measured)."""
    if not layout.name:
        return _KEEP_TIMES
    if not layout.is_mix:
        return f"{_KEEP_TIMES},aformat=channel_layouts={layout.name}"
    mixed = f"aformat=sample_fmts=fltp:channel_layouts={layout.name}"
    return f"{_KEEP_TIMES},{mixed},{_LIMITER}"


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
            return _copied(track, reason)
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
    why = "as the preset says"
    if not container.takes(StreamKind.AUDIO, codec):
        why = f"because {container.why_not(StreamKind.AUDIO, codec)}, which the preset asks for"
        codec = container.lossy_audio_codec
    elif not fits:
        why = f"because {container.why_not(StreamKind.AUDIO, track.codec)}"
    layout = layout_for(codec, track.channel_layout, track.channels, rule.max_channels)
    return _Treatment(codec, False, layout, f"Converted to {codec} {why}.")


def _copied(track: AudioStream, reason: str) -> _Treatment:
    return _Treatment(track.codec, True, SpeakerLayout(track.channels, ""), reason)


def _has_hidden_start(draft: Draft, track: AudioStream) -> bool:
    span = draft.index.spans.get(track.index)
    is_long = span is not None and span.hidden_s > MAX_HIDDEN_S
    return is_long and not draft.container.keeps_edit_lists and track.channels > 0


def _again(draft: Draft, track: AudioStream) -> _Treatment:
    rule, container = draft.spec.audio, draft.container
    fallback = container.lossless_audio_codec if is_lossless(track) else ""
    codec = fallback or (container.lossy_audio_codec if rule.codec == "copy" else rule.codec)
    layout = layout_for(codec, track.channel_layout, track.channels, rule.max_channels)
    reason = f"Converted to {codec}: an edit list hides its beginning, which would be heard."
    return _Treatment(codec, False, layout, reason)


def _why_copied(track: AudioStream, rule: AudioRule) -> str:
    """ "" when the rule wants another codec."""
    if rule.codec == "copy":
        return "Copied as it is."
    if track.codec == rule.codec:
        return "Copied: it already is what the preset wants."
    if is_lossless(track) and rule.keep_lossless:
        return "Copied: the preset keeps lossless tracks."
    if track.object_audio and rule.keep_lossless:
        return f"Copied: the preset keeps {track.object_audio}."
    if track.codec in rule.copy_codecs:
        return f"Copied: the preset keeps {track.codec} tracks."
    return ""


def is_lossless(track: AudioStream) -> bool:
    return track.is_lossless or track.codec in LOSSLESS_AUDIO or track.codec.startswith("pcm_")


def _bit_rate(rule: AudioRule, treatment: _Treatment) -> int | None:
    if treatment.is_copied or treatment.codec in _LOSSLESS_TARGETS:
        return None
    wanted = rule.bit_rate_kbps_per_channel * max(1, treatment.layout.channels)
    if treatment.codec == "ac3":
        return next((rate for rate in _AC3_KBPS if rate >= wanted), _AC3_KBPS[-1])
    return min(
        wanted, {"eac3": 3000, "opus": 256 * treatment.layout.channels}.get(treatment.codec, 2000)
    )


def _conversion_losses(track: AudioStream, treatment: _Treatment) -> list[str]:
    name = f"audio track {track.index}{language_words(track.language)}"
    losses = []
    if not is_lossless(track) and treatment.codec == track.codec:
        losses.append(f"{name}: encoded again as {treatment.codec}")
    if treatment.layout.is_mix:
        before, after = _mixed(track, treatment.layout)
        losses.append(f"{name}: {before} become {after}")
    if track.object_audio:
        losses.append(f"{name}: {track.object_audio}")
    if is_lossless(track) and treatment.codec not in _LOSSLESS_TARGETS:
        losses.append(f"{name}: lossless {track.codec} becomes {treatment.codec}")
    return losses
