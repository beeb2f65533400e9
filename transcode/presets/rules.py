"""The rules of a preset as pure values, and the words each field allows. No Django."""

from __future__ import annotations

from dataclasses import dataclass

from transcode.encoders import ENCODERS

CONTAINERS = ("keep", "mkv", "mp4", "webm")
VIDEO_ENCODERS = ("copy", *ENCODERS)
SPEEDS = ("fastest", "fast", "medium", "slow", "slowest")
RESOLUTION_CAPS = (0, 480, 576, 720, 1080, 1440, 2160)  # 0: no cap
# keep: skip the film rather than lose it silently. hdr10: Dolby Vision and HDR10+ may be reduced
# to the HDR10 picture below them, which is then a listed loss.
HDR_HANDLING = ("keep", "hdr10", "tone_map")
TARGET_METRICS = ("vmaf", "xpsnr")
HARDWARE_USE = ("never", "allow", "prefer")
FRAME_RATES = ("keep", "constant")
CHUNKING = ("auto", "never")
AUDIO_CODECS = ("copy", "aac", "opus", "ac3", "eac3", "flac")
SUBTITLE_MODES = ("keep", "drop", "convert")
SUBTITLE_FORMATS = ("", "srt", "ass", "mov_text", "webvtt")
IMAGE_SUBTITLES = ("keep", "drop")
OUTPUT_MODES = ("replace", "beside")
AT_HOURS_END = ("finish", "pause", "hand_back")
H264_PROFILES = ("baseline", "main", "high")


class PresetProblem(ValueError):
    """One field of a preset is wrong. `field_name` is dotted.

    `text` goes on after the name ("video.crf", "It"): what is wrong, and what is allowed.
    """

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
    target_vmaf: float | None = None  # in dB where target_metric is xpsnr
    target_metric: str = "vmaf"
    two_pass: bool = False  # with a bit rate: the first pass plans, the second encodes
    hardware: str = "never"  # may a hardware encoder of the same codec take the place?
    speed: str = "medium"
    max_resolution: int = 0  # lines of the resolution class, 0 no cap
    bit_depth: int = 0  # 8, 10; 0 keeps the source's
    hdr: str = "keep"
    deinterlace: bool = True
    frame_rate: str = "keep"  # constant: variable rates become the nearest even one
    crop_borders: bool = False  # cut black bars off
    tune_grain: bool = False
    profile: str = ""  # H.264 only: "high"
    level: str = ""  # H.264 only: "4.1"
    extra_options: str = ""  # "name=value name=value", each on the encoder's allow-list
    chunking: str = "auto"  # never: one ffmpeg for the whole film


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
    add_stereo: bool = False  # one more track in stereo, where there is none
    drop_titles: tuple[str, ...] = ()  # tracks whose title holds one of these words
    sort_by_language: bool = False  # in the order of `languages`
    default_language: str = ""  # whose first track plays by default; "" keeps the flags


@dataclass(frozen=True, slots=True)
class SubtitleRule:
    mode: str = "keep"
    languages: tuple[str, ...] = ()
    keep_forced: bool = True  # forced tracks survive a language rule
    convert_to: str = ""  # with "convert": "" takes what the container wants
    image_subtitles: str = "keep"  # PGS, VobSub; drop: a listed loss
    drop_titles: tuple[str, ...] = ()
    default_language: str = ""
