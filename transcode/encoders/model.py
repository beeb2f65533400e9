"""What an encoder is and what is asked of it. Pure, no Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from library.media_info import MasteringDisplay
    from transcode.presets.spec import VideoRule

SOFTWARE = "software"
SPEEDS = ("fastest", "fast", "medium", "slow", "slowest")  # as presets call them


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """Static HDR10 data to be written by the encoder."""

    mastering_display: MasteringDisplay | None
    max_cll_nits: int | None
    max_fall_nits: int | None
    is_pq: bool
    # Dolby Vision is kept: the peak bit rate to declare (x265 demands one). 0: it is not.
    dolby_vision_cap_kbps: int = 0
    hdr10_plus_file: str = ""  # in the folder in which the encoder runs; "": there is none

    @property
    def light_level(self) -> str:
        if self.max_cll_nits is None and self.max_fall_nits is None:
            return ""
        return f"{self.max_cll_nits or 0},{self.max_fall_nits or 0}"


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    rule: VideoRule
    bit_depth: int
    frame_rate: Fraction
    hdr: HdrMetadata
    container: str
    is_interlaced: bool = False  # encode fields as fields


@dataclass(frozen=True, slots=True)
class VideoEncoder:
    """One encoder of ffmpeg. Hardware families are named as ffmpeg names the encoder."""

    family: str  # as presets call it: x265, hevc_nvenc
    ffmpeg_name: str  # libx265, hevc_nvenc
    codec: str  # canonical: hevc
    quality_option: str
    quality_range: tuple[float, float]  # what a preset may say, both included
    quality_step: float  # the finest change that makes a difference
    speeds: dict[str, str]  # speed of a preset → the encoder's own word
    pix_fmts: dict[int, str]  # bit depth → pixel format, 4:2:0
    private_options: Callable[[EncodeRequest], tuple[str, ...]]
    api: str = SOFTWARE  # nvenc, qsv, vaapi, amf, videotoolbox
    title: str = ""  # for people: "NVENC HEVC"
    params_option: str = ""  # takes the encoder's own "name=value:name=value"
    speed_option: str = "-preset"  # "": it has one speed only
    more_quality_options: tuple[str, ...] = ()  # that take the same value
    # Options that must stand beside the quality, so that it is the quality that rules.
    quality_mode: tuple[str, ...] = ()
    bit_rate_mode: tuple[str, ...] = ()
    is_higher_better: bool = False  # VideoToolbox counts upwards
    mp4_tag: str = ""
    carries_hdr: bool = False
    # The profile that Dolby Vision with a valid base layer gets (8 in HEVC, 10 in AV1); "": lost.
    dolby_vision_profile: str = ""
    carries_hdr10_plus: bool = False
    carries_captions: bool = True  # closed captions in the picture stream (CEA-608, -708)
    encodes_fields: bool = False  # can keep interlaced films interlaced
    # Filters that bring the picture to the device, after all others; the VMAF side has none.
    upload_filters: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_hardware(self) -> bool:
        return self.api != SOFTWARE

    def depth_for(self, wanted: int) -> int:
        """The bit depth nearest to the wanted one, not above it where there is one below."""
        below = [depth for depth in self.pix_fmts if depth <= wanted]
        return max(below) if below else min(self.pix_fmts)
