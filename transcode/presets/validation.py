"""Which presets can work: each field's values, and the combinations that exclude each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mediaflow.base.hours import HoursProblem, parse_hours
from transcode.encoders import ENCODERS, H264_LEVELS
from transcode.planning import containers
from transcode.planning.model import StreamKind
from transcode.presets import rules
from transcode.presets.rules import PresetProblem, VideoRule

if TYPE_CHECKING:
    from transcode.presets.spec import PresetSpec

_LANGUAGE = re.compile(r"[a-z]{2,3}")
SUBTITLE_CODECS = {"srt": "subrip", "ass": "ass", "mov_text": "mov_text", "webvtt": "webvtt"}
CHROMECAST_LEVEL = 4.1  # of generations 2 and 3
# Targets outside cannot be meant: below, nobody would look at it; above, nothing gets smaller.
TARGET_RANGES = {"vmaf": (50.0, 99.0), "xpsnr": (25.0, 60.0)}
BIT_RATE_RANGE_KBPS = (50, 200_000)
AUDIO_RATE_RANGE_KBPS = (16, 320)  # per channel
CHANNELS_RANGE = (0, 8)
SAVING_RANGE_PCT = (-200, 95)
VMAF_RANGE = (0, 100)
_NOTHING = VideoRule()
_ENCODING_ONLY = (
    "max_resolution",
    "bit_depth",
    "hdr",
    "frame_rate",
    "crop_borders",
    "two_pass",
    "hardware",
    "extra_options",
)


def validate(spec: PresetSpec) -> None:
    """Raise PresetProblem for the first value or combination that cannot work."""
    _validate_words(spec)
    _validate_quality(spec.video)
    _validate_numbers(spec)
    _validate_promise(spec)
    _validate_video(spec.video)
    _validate_container(spec)
    _validate_tracks(spec)
    _validate_chromecast(spec)
    try:
        parse_hours(spec.hours)
    except HoursProblem as problem:
        raise PresetProblem("hours", f"cannot be read: {problem}") from None


def _validate_words(spec: PresetSpec) -> None:
    video, audio, subtitles = spec.video, spec.audio, spec.subtitles
    for name, value, allowed in (
        ("container", spec.container, rules.CONTAINERS),
        ("video.encoder", video.encoder, rules.VIDEO_ENCODERS),
        ("video.speed", video.speed, rules.SPEEDS),
        ("video.hdr", video.hdr, rules.HDR_HANDLING),
        ("video.target_metric", video.target_metric, rules.TARGET_METRICS),
        ("video.hardware", video.hardware, rules.HARDWARE_USE),
        ("video.frame_rate", video.frame_rate, rules.FRAME_RATES),
        ("video.chunking", video.chunking, rules.CHUNKING),
        ("audio.codec", audio.codec, rules.AUDIO_CODECS),
        ("subtitles.mode", subtitles.mode, rules.SUBTITLE_MODES),
        ("subtitles.convert_to", subtitles.convert_to, rules.SUBTITLE_FORMATS),
        ("subtitles.image_subtitles", subtitles.image_subtitles, rules.IMAGE_SUBTITLES),
        ("output", spec.output, rules.OUTPUT_MODES),
        ("at_hours_end", spec.at_hours_end, rules.AT_HOURS_END),
    ):
        _one_of(name, value, allowed)


def _validate_numbers(spec: PresetSpec) -> None:
    if spec.video.max_resolution not in rules.RESOLUTION_CAPS:
        allowed = ", ".join(map(str, rules.RESOLUTION_CAPS))
        raise PresetProblem("video.max_resolution", f"must be one of {allowed} (0: no cap).")
    if spec.video.bit_depth not in (0, 8, 10):
        raise PresetProblem("video.bit_depth", "must be 8, 10 or 0 (as the source).")
    for name, value, limits in (
        (
            "audio.bit_rate_kbps_per_channel",
            spec.audio.bit_rate_kbps_per_channel,
            AUDIO_RATE_RANGE_KBPS,
        ),
        ("audio.max_channels", spec.audio.max_channels, CHANNELS_RANGE),
        ("min_saving_pct", spec.min_saving_pct, SAVING_RANGE_PCT),
        ("min_vmaf_mean", spec.min_vmaf_mean, VMAF_RANGE),
        ("min_vmaf_p5", spec.min_vmaf_p5, VMAF_RANGE),
    ):
        _between(name, value, *limits)


def _validate_promise(spec: PresetSpec) -> None:
    """A film that reached such a target would be refused after all the hours."""
    target, least = spec.video.target_vmaf, spec.min_vmaf_mean
    if target is None or spec.video.target_metric != "vmaf" or not spec.is_vmaf_checked:
        return
    if target < least:
        raise PresetProblem(
            "video.target_vmaf",
            f"is {target:g}; it must be at least {least:g}, the lowest mean VMAF that the preset"
            " accepts (min_vmaf_mean).",
        )


def _validate_tracks(spec: PresetSpec) -> None:
    for name, languages in (
        ("audio.languages", spec.audio.languages),
        ("audio.default_language", _given(spec.audio.default_language)),
        ("subtitles.languages", spec.subtitles.languages),
        ("subtitles.default_language", _given(spec.subtitles.default_language)),
    ):
        wrong = next((word for word in languages if not _LANGUAGE.fullmatch(word)), None)
        if wrong is not None:
            raise PresetProblem(name, f"holds {wrong!r}; give ISO 639 codes such as eng or deu.")
    if spec.audio.sort_by_language and not spec.audio.languages:
        raise PresetProblem("audio.sort_by_language", "needs languages to sort by.")
    if spec.subtitles.convert_to and spec.subtitles.mode != "convert":
        raise PresetProblem("subtitles.convert_to", "needs the mode “convert”.")


def _validate_subtitle_format(spec: PresetSpec, container: containers.Container) -> None:
    wanted = spec.subtitles.convert_to
    codec = SUBTITLE_CODECS.get(wanted, wanted)
    if wanted and not container.takes(StreamKind.SUBTITLE, codec):
        allowed = ", ".join(
            name for name, c in SUBTITLE_CODECS.items() if container.takes(StreamKind.SUBTITLE, c)
        )
        raise PresetProblem(
            "subtitles.convert_to",
            f"is {wanted}, which {container.title} does not take; choose one of {allowed}.",
        )


def _validate_chromecast(spec: PresetSpec) -> None:
    """What is made of a film that does not play must play afterwards."""
    if not spec.skip_if_chromecast_ready:
        return
    video = spec.video
    lacking = [
        words
        for is_met, words in (
            (spec.container == "mp4", "the container mp4"),
            (video.encoder == "x264", "the encoder x264"),
            (video.bit_depth == 8, "8 bits"),
            (bool(video.profile), "an H.264 profile"),
            (bool(video.level) and float(video.level) <= CHROMECAST_LEVEL, "a level up to 4.1"),
            (video.hdr == "tone_map", "HDR tone mapped"),
            (spec.audio.codec == "aac", "the audio codec aac"),
        )
        if not is_met
    ]
    if lacking:
        raise PresetProblem(
            "skip_if_chromecast_ready",
            f"needs a preset that Chromecast plays: {', '.join(lacking)}.",
        )


def _given(word: str) -> tuple[str, ...]:
    return (word,) if word else ()


def _validate_container(spec: PresetSpec) -> None:
    """What the preset makes must fit into what it is put into."""
    container = containers.CONTAINERS.get(spec.container)
    if container is None:  # "keep": decided per film
        return
    encoder = ENCODERS.get(spec.video.encoder)
    if encoder is not None and not container.takes(StreamKind.VIDEO, encoder.codec):
        why = container.why_not(StreamKind.VIDEO, encoder.codec)
        raise PresetProblem("container", f"does not fit: {why}; choose mkv.")
    codec = spec.audio.codec
    if codec != "copy" and not container.takes(StreamKind.AUDIO, codec):
        why = container.why_not(StreamKind.AUDIO, codec)
        raise PresetProblem("audio.codec", f"does not fit: {why}; choose another codec or mkv.")
    _validate_subtitle_format(spec, container)
    if container.name == "webm" and codec == "copy":
        raise PresetProblem("audio.codec", "must be opus in WebM: most films' sound is not.")


def _validate_video(video: VideoRule) -> None:
    if video.encoder == "copy":
        for name in _ENCODING_ONLY:
            if getattr(video, name) != getattr(_NOTHING, name):
                raise PresetProblem(f"video.{name}", "has no meaning when the video is copied.")
        return
    _validate_h264(video)
    if video.hdr == "hdr10" and (video.bit_depth == 8 or not ENCODERS[video.encoder].carries_hdr):
        raise PresetProblem("video.hdr", "is hdr10, which needs x265 or SVT-AV1 and 10 bits.")
    if video.hardware != "never" and ENCODERS[video.encoder].is_hardware:
        raise PresetProblem("video.hardware", "is for software encoders; this one is hardware.")
    if video.extra_options:
        from transcode.encoders import extra_options

        try:
            extra_options.parse(video.encoder, video.extra_options)
        except ValueError as problem:
            raise PresetProblem("video.extra_options", f"cannot be taken: {problem}") from None


def _validate_h264(video: VideoRule) -> None:
    for name, allowed in (("profile", rules.H264_PROFILES), ("level", tuple(H264_LEVELS))):
        value = getattr(video, name)
        if value and video.encoder != "x264":
            raise PresetProblem(f"video.{name}", "is offered for x264 only; leave it empty.")
        if value:
            _one_of(f"video.{name}", value, allowed)
    if video.profile and video.bit_depth != 8:
        raise PresetProblem("video.bit_depth", f"must be 8 with the profile {video.profile}.")


def _validate_quality(video: VideoRule) -> None:
    given = [n for n in ("crf", "bit_rate_kbps", "target_vmaf") if getattr(video, n) is not None]
    if video.encoder == "copy":
        if given:
            raise PresetProblem(f"video.{given[0]}", "has no meaning when the video is copied.")
        return
    if len(given) != 1:
        raise PresetProblem(
            "video.crf", "must stand alone: give exactly one of CRF, bit rate or target VMAF."
        )
    encoder = ENCODERS[video.encoder]
    if video.crf is not None:
        low, high = encoder.quality_range
        _between("video.crf", video.crf, low, high)
        if encoder.quality_step >= 1 and video.crf != int(video.crf):
            title = encoder.title or encoder.family
            raise PresetProblem("video.crf", f"must be a whole number for {title}.")
    if video.bit_rate_kbps is not None:
        _between("video.bit_rate_kbps", video.bit_rate_kbps, *BIT_RATE_RANGE_KBPS)
    if video.target_vmaf is not None:
        _between("video.target_vmaf", video.target_vmaf, *TARGET_RANGES[video.target_metric])
    if video.two_pass and video.bit_rate_kbps is None:
        raise PresetProblem("video.two_pass", "needs a bit rate; CRF and targets take one pass.")
    if video.two_pass and encoder.is_hardware:
        raise PresetProblem("video.two_pass", "is for software encoders.")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PresetProblem(name, f"is {value!r}; it must be one of {', '.join(allowed)}.")


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        shown = str(value)[:20]  # a whole number may be longer than any float
        raise PresetProblem(name, f"is {shown}; it must be from {low:g} to {high:g}.")
