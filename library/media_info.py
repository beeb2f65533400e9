"""What a probe says about one file. Pure values: no Django, no I/O, JSON in and out.

Field names are the field's terms; units are in the names. "" or None means: not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class HdrKind(StrEnum):
    SDR = "sdr"
    HDR10 = "hdr10"
    HDR10_PLUS = "hdr10plus"
    HLG = "hlg"
    DOLBY_VISION = "dolby_vision"


class TimingKind(StrEnum):
    CONSTANT = "constant"
    VARIABLE = "variable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Disposition:
    is_default: bool = False
    is_forced: bool = False
    is_commentary: bool = False
    is_hearing_impaired: bool = False
    is_visual_impaired: bool = False
    is_original: bool = False
    is_dub: bool = False
    is_attached_picture: bool = False


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """SMPTE ST 2086 values: chromaticities in 1/50000, luminance in 1/10000 cd/m²."""

    red_x: int
    red_y: int
    green_x: int
    green_y: int
    blue_x: int
    blue_y: int
    white_x: int
    white_y: int
    max_luminance: int
    min_luminance: int


@dataclass(frozen=True, slots=True)
class VideoStream:
    index: int  # stream index in the container
    codec: str  # canonical name: h264, hevc, av1, mpeg2video, …
    profile: str = ""
    level: int | None = None  # as the codec writes it: 41 for H.264 4.1, 153 for HEVC 5.1
    width: int = 0  # coded size as stored, before rotation
    height: int = 0
    rotation_deg: int = 0  # 0, 90, 180, 270 clockwise to show upright
    sample_aspect_ratio: str = "1:1"
    pix_fmt: str = ""
    bit_depth: int = 8
    color_range: str = ""  # tv, pc
    color_primaries: str = ""  # bt709, bt2020, …
    color_transfer: str = ""  # bt709, smpte2084, arib-std-b67, …
    color_space: str = ""  # bt709, bt2020nc, …
    chroma_location: str = ""
    field_order: str = ""  # progressive, tt, bb, tb, bt
    is_interlaced: bool = False
    hdr: HdrKind = HdrKind.SDR
    dolby_vision_profile: str = ""  # "5", "7.6", "8.1", "8.4"
    has_hdr10_plus: bool = False  # also beside Dolby Vision
    mastering_display: MasteringDisplay | None = None
    max_cll_nits: int | None = None
    max_fall_nits: int | None = None
    has_closed_captions: bool = False
    frame_rate: str = ""  # exact, "24000/1001"
    timing: TimingKind = TimingKind.UNKNOWN
    time_base: str = ""  # "1/1000"
    start_s: float | None = None
    duration_s: float | None = None
    frames: int | None = None  # as the container says, not counted
    bit_rate_kbps: int | None = None
    extradata_sha256: str = ""
    language: str = ""
    title: str = ""
    disposition: Disposition = field(default_factory=Disposition)


@dataclass(frozen=True, slots=True)
class AudioStream:
    index: int
    codec: str  # aac, ac3, eac3, truehd, dts, flac, opus, …
    profile: str = ""
    channels: int = 0
    channel_layout: str = ""
    sample_rate_hz: int = 0
    sample_format: str = ""
    bit_rate_kbps: int | None = None
    is_lossless: bool = False
    object_audio: str = ""  # "Atmos", "DTS:X" or ""
    start_s: float | None = None
    duration_s: float | None = None
    language: str = ""  # ISO 639-2 as stored, "" when undetermined
    title: str = ""
    disposition: Disposition = field(default_factory=Disposition)


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    index: int
    codec: str  # subrip, ass, mov_text, webvtt, hdmv_pgs_subtitle, dvd_subtitle, …
    is_text: bool = False
    language: str = ""
    title: str = ""
    disposition: Disposition = field(default_factory=Disposition)


@dataclass(frozen=True, slots=True)
class Attachment:
    index: int
    file_name: str
    mime_type: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CoverArt:
    """A picture stored as a video stream; never taken for the film."""

    index: int
    codec: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class DataStream:
    index: int
    codec: str  # mebx, tmcd, bin_data, …


@dataclass(frozen=True, slots=True)
class Chapter:
    start_s: float
    end_s: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Everything known about one file after a probe."""

    container: str  # short: mkv, mp4, mov, avi, ts, mpg, webm, ogg, asf, flv
    format_name: str  # as the demuxer calls itself: "matroska,webm"
    size_bytes: int
    duration_s: float | None
    start_s: float | None
    bit_rate_kbps: int | None
    video: tuple[VideoStream, ...] = ()
    audio: tuple[AudioStream, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    cover_art: tuple[CoverArt, ...] = ()
    data_streams: tuple[DataStream, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)  # container tags, keys upper case
    warnings: tuple[str, ...] = ()  # "encrypted", "several programs", … in plain words

    @property
    def main_video(self) -> VideoStream | None:
        """The film itself: the default real video stream, else the largest."""
        if not self.video:
            return None
        return max(
            self.video, key=lambda v: (v.disposition.is_default, v.width * v.height, -v.index)
        )

    @property
    def mediaflow_tag(self) -> str:
        """`<job uuid>;<preset>` where MediaFlow wrote this file, else "".

        An MP4 with cover art has it among its keywords: there the muxer writes known tags only.
        """
        keywords = self.tags.get("KEYWORDS", "")
        if keywords.startswith("MEDIAFLOW="):
            return keywords.removeprefix("MEDIAFLOW=")
        return self.tags.get("MEDIAFLOW", "")

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = _plain(self)
        return found

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> MediaInfo:
        """Inverse of `to_json`. Unknown keys are ignored: newer rows open in older code."""
        kinds: dict[str, type] = {
            "video": VideoStream,
            "audio": AudioStream,
            "subtitles": SubtitleStream,
            "attachments": Attachment,
            "cover_art": CoverArt,
            "data_streams": DataStream,
            "chapters": Chapter,
        }
        values = _known(cls, raw)
        for name, kind in kinds.items():
            values[name] = tuple(_stream(kind, item) for item in values.get(name, ()))
        values["warnings"] = tuple(values.get("warnings", ()))
        return cls(**values)


_ATOMS = frozenset((str, int, float, bool, type(None), HdrKind, TimingKind))


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict`, in a tenth of its time: values here need no copies."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is tuple:
        return tuple([_plain(one) for one in value])
    if kind is dict:
        return dict(value)
    found = {}
    for name in value.__dataclass_fields__:
        one = getattr(value, name)
        found[name] = one if type(one) in _ATOMS else _plain(one)
    return found


def _known(cls: type, raw: dict[str, Any]) -> dict[str, Any]:
    names = cls.__dataclass_fields__  # type: ignore[attr-defined]  # only dataclasses come here
    return {name: raw[name] for name in names if name in raw}


def _stream(kind: type, raw: dict[str, Any]) -> Any:
    values = _known(kind, raw)
    if isinstance(values.get("disposition"), dict):
        values["disposition"] = Disposition(**_known(Disposition, values["disposition"]))
    if isinstance(values.get("mastering_display"), dict):
        values["mastering_display"] = MasteringDisplay(**values["mastering_display"])
    if "hdr" in values:
        values["hdr"] = HdrKind(values["hdr"])
    if "timing" in values:
        values["timing"] = TimingKind(values["timing"])
    return kind(**values)


def resolution_class(width: int, height: int, rotation_deg: int = 0) -> int:
    """Lines of the usual name for this size: 2160 for "4K", 1080, 720, 576, 480, 360 …; 0 unknown.

    Width decides too, so that a 1920×800 film counts as 1080p and 3840×1600 as 4K.
    """
    if rotation_deg % 180 == 90:
        width, height = height, width
    if width <= 0 or height <= 0:
        return 0
    if height > width:  # upright phone films: their name follows the short side
        width, height = height, width
    for lines, min_width, min_height in (
        (4320, 6000, 3400),
        (2160, 3000, 1700),
        (1440, 2200, 1300),
        (1080, 1600, 900),
        (720, 1100, 650),
        (576, 950, 530),
        (480, 700, 420),
        (360, 440, 320),
    ):
        if width >= min_width or height >= min_height:
            return lines
    return 240
