"""Films that exist only as a probe: for tests of plans, which read nothing."""

from __future__ import annotations

from array import array
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from library.media_info import (
    AudioStream,
    Disposition,
    HdrKind,
    MasteringDisplay,
    MediaInfo,
    SubtitleStream,
    VideoStream,
)
from transcode.outcomes import JobOutcome
from transcode.planning.borders import NOT_LOOKED_AT
from transcode.planning.packet_index import PacketIndex, StreamSpan
from transcode.planning.plan import make_plan
from transcode.presets.spec import PresetSpec, SubtitleRule, VideoRule

if TYPE_CHECKING:
    from transcode.planning.model import Plan

JOB_UUID = UUID("00000000-0000-4000-8000-000000000007")
X265 = PresetSpec()
X264 = PresetSpec(video=VideoRule(encoder="x264", crf=20))
AV1 = PresetSpec(video=VideoRule(encoder="svtav1", crf=32, bit_depth=10))
COPY = PresetSpec(video=VideoRule(encoder="copy", crf=None))
MP4 = PresetSpec(container="mp4", subtitles=SubtitleRule(mode="convert"))
TAG = f"MEDIAFLOW={JOB_UUID};test"
DISPLAY = MasteringDisplay(
    red_x=34000,
    red_y=16000,
    green_x=13250,
    green_y=34500,
    blue_x=7500,
    blue_y=3000,
    white_x=15635,
    white_y=16450,
    max_luminance=10_000_000,
    min_luminance=50,
)


def video(**values: Any) -> VideoStream:
    base = VideoStream(
        index=0,
        codec="h264",
        width=1920,
        height=1080,
        pix_fmt="yuv420p",
        color_range="tv",
        color_primaries="bt709",
        color_transfer="bt709",
        color_space="bt709",
        frame_rate="25",
        disposition=Disposition(is_default=True),
    )
    return replace(base, **values)


def hdr_video(kind: HdrKind = HdrKind.HDR10, **values: Any) -> VideoStream:
    wanted: dict[str, Any] = {
        "codec": "hevc",
        "pix_fmt": "yuv420p10le",
        "bit_depth": 10,
        "color_primaries": "bt2020",
        "color_transfer": "arib-std-b67" if kind == HdrKind.HLG else "smpte2084",
        "color_space": "bt2020nc",
        "hdr": kind,
    }
    if kind != HdrKind.HLG:
        wanted |= {"mastering_display": DISPLAY, "max_cll_nits": 1000, "max_fall_nits": 400}
    return video(**{**wanted, **values})


def audio(index: int = 1, **values: Any) -> AudioStream:
    base = AudioStream(index=index, codec="aac", channels=2, channel_layout="stereo")
    return replace(base, **values)


def subtitle(index: int = 2, codec: str = "subrip", **values: Any) -> SubtitleStream:
    base = SubtitleStream(index=index, codec=codec, is_text=codec in ("subrip", "ass", "mov_text"))
    return replace(base, **values)


def film(picture: VideoStream | None = None, **values: Any) -> MediaInfo:
    base = MediaInfo(
        container="mkv",
        format_name="matroska,webm",
        size_bytes=1_000_000,
        duration_s=1.0,
        start_s=0.0,
        bit_rate_kbps=8000,
        video=(picture or video(),),
        audio=(audio(),),
    )
    return replace(base, **values)


def index_of(info: MediaInfo, **values: Any) -> PacketIndex:
    main = info.main_video
    base = PacketIndex(
        video_index=main.index if main else None,
        video_pts=array("q", range(0, 1000, 40)),
        video_keys=array("q", [0]),
        time_base=Fraction(1, 1000),
        spans={
            **{s.index: StreamSpan("video", 0.0, 1.0, 25) for s in info.video},
            **{s.index: StreamSpan("audio", 0.0, 1.0, 25) for s in info.audio},
        },
        is_truncated=False,
        problems=(),
    )
    return replace(base, **values)


def plan_for(info: MediaInfo, spec: PresetSpec, **values: Any) -> Plan:
    """`borders` is what was seen of black bars; all else are fields of the packet index."""
    borders = values.pop("borders", NOT_LOOKED_AT)
    return make_plan(
        info,
        index_of(info, **values),
        spec,
        preset_slug="test",
        job_uuid=JOB_UUID,
        fingerprint="f" * 64,
        ffmpeg_version="n9",
        borders=borders,
    )


def refusal(info: MediaInfo, spec: PresetSpec, **values: Any) -> str:
    """The reason code with which this film is turned down."""
    with pytest.raises(JobOutcome) as caught:
        plan_for(info, spec, **values)
    return caught.value.reason_code
