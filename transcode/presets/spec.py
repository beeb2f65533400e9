"""What a preset says, as a pure value: validated, JSON in and out. No Django.

A problem names its field ("video.crf"), so that the form and the command line can point at it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from transcode.encoders import ENCODERS, H264_LEVELS
from transcode.planning import containers
from transcode.planning.model import StreamKind

CONTAINERS = ("keep", "mkv", "mp4", "webm")
VIDEO_ENCODERS = ("copy", "x264", "x265", "svtav1")
SPEEDS = ("fastest", "fast", "medium", "slow", "slowest")
RESOLUTION_CAPS = (0, 480, 576, 720, 1080, 1440, 2160)  # 0: no cap
HDR_HANDLING = ("keep", "tone_map")  # keep: skip the film rather than lose it silently
AUDIO_CODECS = ("copy", "aac", "opus", "ac3", "eac3", "flac")
SUBTITLE_MODES = ("keep", "drop", "convert")
OUTPUT_MODES = ("replace", "beside")
H264_PROFILES = ("baseline", "main", "high")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class PresetProblem(ValueError):
    """One field of a preset is wrong. `field_name` is dotted; the text says what is allowed."""

    def __init__(self, field_name: str, text: str) -> None:
        super().__init__(f"{field_name}: {text}")
        self.field_name = field_name
        self.text = text


@dataclass(frozen=True, slots=True)
class VideoRule:
    encoder: str = "x265"
    # Exactly one of the three says how good (none of them with "copy").
    crf: float | None = 22.0
    bit_rate_kbps: int | None = None
    target_vmaf: float | None = None
    speed: str = "medium"
    max_resolution: int = 0  # lines of the resolution class, 0 no cap
    bit_depth: int = 0  # 8, 10; 0 keeps the source's
    hdr: str = "keep"
    deinterlace: bool = True
    tune_grain: bool = False
    profile: str = ""  # H.264 only: "high"
    level: str = ""  # H.264 only: "4.1"


@dataclass(frozen=True, slots=True)
class AudioRule:
    codec: str = "copy"
    bit_rate_kbps_per_channel: int = 64
    max_channels: int = 0  # 0 keeps
    languages: tuple[str, ...] = ()  # () keeps all; ISO 639-2; undetermined tracks are always kept
    keep_commentary: bool = True
    keep_lossless: bool = True  # TrueHD, DTS-HD MA, FLAC, PCM are copied even where codec converts
    # When `codec` converts: copy tracks that are already in one of these.
    copy_codecs: tuple[str, ...] = ("aac", "opus", "ac3", "eac3")
    first_track_only: bool = False


@dataclass(frozen=True, slots=True)
class SubtitleRule:
    mode: str = "keep"
    languages: tuple[str, ...] = ()
    keep_forced: bool = True  # forced tracks survive a language rule


@dataclass(frozen=True, slots=True)
class PresetSpec:
    container: str = "mkv"
    video: VideoRule = field(default_factory=VideoRule)
    audio: AudioRule = field(default_factory=AudioRule)
    subtitles: SubtitleRule = field(default_factory=SubtitleRule)
    keep_chapters: bool = True
    keep_attachments: bool = True
    # Keep the original unless the output is at least so much smaller. Negative, for presets that
    # are about playing and not about size: it may be so much larger.
    min_saving_pct: int = 10
    output: str = "replace"
    is_vmaf_checked: bool = True
    min_vmaf_mean: float = 88.0
    min_vmaf_p5: float = 75.0

    def to_json(self) -> dict[str, Any]:
        raw = asdict(self)
        for group, name in (
            ("audio", "languages"),
            ("audio", "copy_codecs"),
            ("subtitles", "languages"),
        ):
            raw[group][name] = list(raw[group][name])
        return raw

    @classmethod
    def from_json(cls, raw: object) -> PresetSpec:
        """Read and validate. Raises PresetProblem for the first wrong or unknown field."""
        values = _object(raw, "preset", cls)
        groups: dict[str, type] = {
            "video": VideoRule,
            "audio": AudioRule,
            "subtitles": SubtitleRule,
        }
        for name, kind in groups.items():
            if name in values:
                values[name] = kind(**_read_fields(_object(values[name], name, kind), name, kind))
        plain = {name: value for name, value in values.items() if name not in groups}
        spec = cls(**_read_fields(plain, "", cls), **{n: values[n] for n in groups if n in values})
        validate(spec)
        return spec


def validate(spec: PresetSpec) -> None:
    """Raise PresetProblem for the first combination that cannot work."""
    video, audio = spec.video, spec.audio
    _one_of("container", spec.container, CONTAINERS)
    _one_of("video.encoder", video.encoder, VIDEO_ENCODERS)
    _one_of("video.speed", video.speed, SPEEDS)
    _one_of("video.hdr", video.hdr, HDR_HANDLING)
    _one_of("audio.codec", audio.codec, AUDIO_CODECS)
    _one_of("subtitles.mode", spec.subtitles.mode, SUBTITLE_MODES)
    _one_of("output", spec.output, OUTPUT_MODES)
    if video.max_resolution not in RESOLUTION_CAPS:
        allowed = ", ".join(map(str, RESOLUTION_CAPS))
        raise PresetProblem("video.max_resolution", f"must be one of {allowed} (0: no cap).")
    if video.bit_depth not in (0, 8, 10):
        raise PresetProblem("video.bit_depth", "must be 8, 10 or 0 (as the source).")
    _validate_quality(video)
    _between("audio.bit_rate_kbps_per_channel", audio.bit_rate_kbps_per_channel, 16, 320)
    _between("audio.max_channels", audio.max_channels, 0, 8)
    _between("min_saving_pct", spec.min_saving_pct, -200, 95)
    _between("min_vmaf_mean", spec.min_vmaf_mean, 0, 100)
    _between("min_vmaf_p5", spec.min_vmaf_p5, 0, 100)
    _validate_video(video)
    _validate_container(spec)
    for name, languages in (
        ("audio.languages", audio.languages),
        ("subtitles.languages", spec.subtitles.languages),
    ):
        wrong = next((word for word in languages if not _LANGUAGE.fullmatch(word)), None)
        if wrong is not None:
            raise PresetProblem(name, f"holds {wrong!r}; give ISO 639 codes such as eng or deu.")


def _validate_container(spec: PresetSpec) -> None:
    """What the preset makes must fit into what it is put into."""
    container = containers.CONTAINERS.get(spec.container)
    if container is None:  # "keep": decided per film
        return
    encoder = ENCODERS.get(spec.video.encoder)
    if encoder is not None and not container.takes(StreamKind.VIDEO, encoder.codec):
        why = container.why_not(StreamKind.VIDEO, encoder.codec)
        raise PresetProblem("container", f"{why}; choose mkv.")
    codec = spec.audio.codec
    if codec != "copy" and not container.takes(StreamKind.AUDIO, codec):
        why = container.why_not(StreamKind.AUDIO, codec)
        raise PresetProblem("audio.codec", f"{why}; choose another codec or mkv.")
    if container.name == "webm" and codec == "copy":
        raise PresetProblem("audio.codec", "must be opus in WebM: most films' sound is not.")


def _validate_video(video: VideoRule) -> None:
    if video.encoder == "copy":
        for name, nothing in (("max_resolution", 0), ("bit_depth", 0), ("hdr", "keep")):
            if getattr(video, name) != nothing:
                raise PresetProblem(f"video.{name}", "has no meaning when the video is copied.")
    for name, allowed in (("profile", H264_PROFILES), ("level", tuple(H264_LEVELS))):
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
        raise PresetProblem("video.crf", "give exactly one of CRF, bit rate or target VMAF.")
    if video.crf is not None:
        _between("video.crf", video.crf, 1, 63 if video.encoder == "svtav1" else 51)
        if video.encoder == "svtav1" and video.crf != int(video.crf):
            raise PresetProblem("video.crf", "must be a whole number for SVT-AV1.")
    if video.bit_rate_kbps is not None:
        _between("video.bit_rate_kbps", video.bit_rate_kbps, 50, 200_000)
    if video.target_vmaf is not None:
        raise PresetProblem(
            "video.target_vmaf", "cannot be searched for yet; give a CRF or a bit rate instead."
        )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PresetProblem(name, f"is {value!r}; it must be one of {', '.join(allowed)}.")


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        shown = str(value)[:20]  # a whole number may be longer than any float
        raise PresetProblem(name, f"is {shown}; it must be from {low:g} to {high:g}.")


def _object(raw: object, name: str, kind: type) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise PresetProblem(name, "must be an object with named fields.")
    known = {f.name for f in fields(kind)}
    for key in raw:
        if key not in known:
            prefix = "" if name == "preset" else f"{name}."
            raise PresetProblem(f"{prefix}{key}"[:80], "is not a field of a preset.")
    return dict(raw)


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "int | None": ((int, type(None)), "a whole number or nothing"),
    "float | None": ((int, float, type(None)), "a number or nothing"),
    "tuple[str, ...]": ((list, tuple), "a list of texts"),
}


def _read_fields(raw: dict[str, Any], group: str, kind: type) -> dict[str, Any]:
    types = {f.name: str(f.type) for f in fields(kind)}
    result: dict[str, Any] = {}
    for name, value in raw.items():
        dotted = f"{group}.{name}" if group else name
        allowed, words = _KINDS[types[name]]
        is_bad_bool = isinstance(value, bool) and bool not in allowed
        if not isinstance(value, allowed) or is_bad_bool or value != value:  # NaN is not itself
            raise PresetProblem(dotted, f"must be {words}.")
        if isinstance(value, (list, tuple)):
            if not all(isinstance(v, str) and len(v) <= 40 for v in value) or len(value) > 50:
                raise PresetProblem(dotted, "must be a list of at most 50 short texts.")
            value = tuple(value)
        if isinstance(value, str) and len(value) > 40:
            raise PresetProblem(dotted, "is too long.")
        result[name] = value
    return result
