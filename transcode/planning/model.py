"""The frozen plan of one job, as pure values: what will be done, and what must come out.

Made by `transcode/planning/plan.py`, executed by the runner, checked by `transcode/verify/`.
It is stored as JSON with a hash; a finished chunk is re-used only under the same hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from library.media_info import Disposition, MasteringDisplay, VideoStream

PLAN_VERSION = 1


class Action(StrEnum):
    COPY = "copy"
    ENCODE = "encode"  # video, or audio into another codec
    CONVERT = "convert"  # subtitles between text formats
    DROP = "drop"


class StreamKind(StrEnum):
    VIDEO = "video"
    AUDIO = "audio"
    SUBTITLE = "subtitle"
    ATTACHMENT = "attachment"
    COVER = "cover"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """One stream of the source and what becomes of it; dropped ones say why."""

    kind: StreamKind
    source_index: int
    action: Action
    output_index: int | None  # None when dropped
    source_codec: str
    output_codec: str = ""
    encoder: str = ""  # "" when copied
    reason: str = ""  # a sentence for people
    # What must come out (ladder rung 5):
    language: str = ""
    title: str = ""
    disposition: Disposition = field(default_factory=Disposition)
    channels: int = 0
    bit_rate_kbps: int | None = None
    file_name: str = ""  # attachments


@dataclass(frozen=True, slots=True)
class ExpectedColor:
    """Ladder rung 9: what the output's video must say about itself; "" or None: not checked."""

    bit_depth: int
    color_range: str = ""
    color_primaries: str = ""
    color_transfer: str = ""
    color_space: str = ""
    hdr: str = "sdr"  # library.media_info.HdrKind
    mastering_display: MasteringDisplay | None = None
    max_cll_nits: int | None = None
    max_fall_nits: int | None = None
    dolby_vision_profile: str = ""
    rotation_deg: int = 0
    sample_aspect_ratio: str = "1:1"
    is_interlaced: bool = False

    @classmethod
    def as_it_is(cls, video: VideoStream) -> ExpectedColor:
        """A copy says of itself what the source says."""
        return cls(
            bit_depth=video.bit_depth,
            color_range=video.color_range,
            color_primaries=video.color_primaries,
            color_transfer=video.color_transfer,
            color_space=video.color_space,
            hdr=video.hdr.value,
            mastering_display=video.mastering_display,
            max_cll_nits=video.max_cll_nits,
            max_fall_nits=video.max_fall_nits,
            dolby_vision_profile=video.dolby_vision_profile,
            rotation_deg=video.rotation_deg,
            sample_aspect_ratio=video.sample_aspect_ratio,
            is_interlaced=video.is_interlaced,
        )


@dataclass(frozen=True, slots=True)
class VideoPlan:
    encoder: str  # ffmpeg's name: libx265; "copy"
    codec: str  # hevc
    crf: float | None
    bit_rate_kbps: int | None
    target_vmaf: float | None
    speed: str  # the encoder's own preset name or number
    pix_fmt: str
    width: int
    height: int
    # ffmpeg filters applied to the source before the encoder, in order ("bwdif=…", "scale=…"). The
    # ladder applies the same to the reference side of VMAF, so scaling and tone mapping are alike.
    filters: tuple[str, ...]
    color: ExpectedColor
    source_frames: int  # presented frames of the source (edit list applied), counted from packets
    expected_frames: int  # what must come out
    frame_tolerance: int  # 0; 2 only where the rate is changed
    frame_rate: str  # "24000/1001", for people and progress
    two_pass: bool = False  # a first pass over the film says how to spend the bit rate


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A range of the film's pictures, `[start_pts, end_pts)` in ticks of the source stream."""

    start_pts: int
    end_pts: int
    frames: int


@dataclass(frozen=True, slots=True)
class Plan:
    container: str  # mkv, mp4, webm
    extension: str  # ".mkv"
    streams: tuple[PlannedStream, ...]
    video: VideoPlan | None
    # ffmpeg arguments after the guarded input options and before the output name. The runner puts
    # the input and the output in; so the same plan hashes alike wherever the file lies.
    input_options: tuple[str, ...]
    output_options: tuple[str, ...]
    duration_s: float
    chapters: int
    source_fingerprint: str
    ffmpeg_version: str
    min_saving_pct: int
    is_vmaf_checked: bool
    min_vmaf_mean: float
    min_vmaf_p5: float
    losses: tuple[str, ...] = ()  # listed losses: "closed captions", "data stream tmcd", …
    notes: tuple[str, ...] = ()
    # Of every byte: the fingerprint reads only its ends. "": a dry run, never to be encoded by.
    source_sha256: str = ""
    version: int = PLAN_VERSION
    # How the film is cut for encoding; (): one ffmpeg encodes it whole, as `whole_reason` says.
    chunks: tuple[PlannedChunk, ...] = ()
    whole_reason: str = ""

    @property
    def kept(self) -> tuple[PlannedStream, ...]:
        """The output's streams, in output order."""
        kept = [s for s in self.streams if s.output_index is not None]
        return tuple(sorted(kept, key=lambda s: s.output_index or 0))

    @property
    def video_options(self) -> tuple[str, ...]:
        """Those of `output_options` that make the picture (v:0), without its -map.

        A chunk and a sample are encoded by the very same ones: what reaches VPS, SPS and PPS is in
        here.
        """
        return tuple(
            part
            for name, value in zip(self.output_options, self.output_options[1:], strict=False)
            if name.startswith("-") and name.endswith(":v:0")
            for part in (name, value)
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def digest(self) -> str:
        """SHA-256 over the canonical JSON, hex."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Plan:
        values = dict(raw)
        values["streams"] = tuple(_planned_stream(s) for s in raw["streams"])
        values["video"] = _video_plan(raw["video"]) if raw["video"] else None
        # Plans of before the chunks have none of them.
        values["chunks"] = tuple(PlannedChunk(**c) for c in raw.get("chunks", ()))
        for name in ("input_options", "output_options", "losses", "notes"):
            values[name] = tuple(raw[name])
        return cls(**values)


def _planned_stream(raw: dict[str, Any]) -> PlannedStream:
    return PlannedStream(
        **{
            **raw,
            "kind": StreamKind(raw["kind"]),
            "action": Action(raw["action"]),
            "disposition": Disposition(**raw["disposition"]),
        }
    )


def _video_plan(raw: dict[str, Any]) -> VideoPlan:
    color = dict(raw["color"])
    if color["mastering_display"]:
        color["mastering_display"] = MasteringDisplay(**color["mastering_display"])
    return VideoPlan(**{**raw, "filters": tuple(raw["filters"]), "color": ExpectedColor(**color)})
