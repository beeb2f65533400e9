"""Encoders on graphics hardware: NVENC, QSV, VAAPI, AMF, VideoToolbox. Pure.

None of them was tried on hardware by us. A test holds every option and value against what the
bundled ffmpeg says of itself (`-h encoder=X`); VideoToolbox is not in that build.
Their device is no part of a plan: `device_options` adds it where the encode runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.encoders.model import SPEEDS, VideoEncoder

if TYPE_CHECKING:
    from transcode.encoders.model import EncodeRequest

NVENC, QSV, VAAPI, AMF, VIDEOTOOLBOX = "nvenc", "qsv", "vaapi", "amf", "videotoolbox"
API_TITLES = {
    NVENC: "NVENC (NVIDIA)",
    QSV: "Quick Sync (Intel)",
    VAAPI: "VAAPI (Intel, AMD)",
    AMF: "AMF (AMD)",
    VIDEOTOOLBOX: "VideoToolbox (Apple)",
}
CODEC_TITLES = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}
NOT_TRIED = "not tried on hardware"
DEFAULT_RENDER_NODE = "/dev/dri/renderD128"
_SURFACES = {8: "nv12", 10: "p010le"}
_HEVC_PROFILES = {8: "main", 10: "main10"}


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """What names the device: before the inputs, and beside the options of the video."""

    before_input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


def device_options(encoder: VideoEncoder, device: str) -> DeviceOptions:
    """`device`: a render node, a GPU's number for NVENC; "" where there is one only."""
    if encoder.api == VAAPI:
        return DeviceOptions(("-vaapi_device", device or DEFAULT_RENDER_NODE))
    if not device:
        return DeviceOptions()
    if encoder.api == QSV:
        return DeviceOptions(("-qsv_device", device))
    if encoder.api == NVENC:
        return DeviceOptions(output=("-gpu:v:0", device))
    return DeviceOptions()


def _hevc_profile(encoder_codec: str, request: EncodeRequest) -> tuple[str, ...]:
    if encoder_codec != "hevc":
        return ()
    return ("-profile:v:0", _HEVC_PROFILES[request.bit_depth])


def _nvenc(codec: str) -> VideoEncoder:
    def options(request: EncodeRequest) -> tuple[str, ...]:
        # Hyphens: the AV1 encoder knows no other spelling of the AQ options.
        return (
            *("-tune:v:0", "hq", "-multipass:v:0", "qres"),
            *("-spatial-aq:v:0", "1", "-aq-strength:v:0", "8", "-temporal-aq:v:0", "1"),
            *("-rc-lookahead:v:0", "32", "-bf:v:0", "4", "-b_ref_mode:v:0", "middle"),
            *_hevc_profile(codec, request),
        )

    return VideoEncoder(
        family=f"{codec}_nvenc",
        ffmpeg_name=f"{codec}_nvenc",
        codec=codec,
        api=NVENC,
        title=f"NVENC {CODEC_TITLES[codec]}",
        quality_option="-cq",
        quality_range=(1, 63 if codec == "av1" else 51),
        quality_step=0.5,
        quality_mode=("-rc:v:0", "vbr", "-b:v:0", "0"),  # without the 0 the bit rate rules
        bit_rate_mode=("-rc:v:0", "vbr"),
        speeds=dict(zip(SPEEDS, ("p1", "p3", "p5", "p6", "p7"), strict=True)),
        # H.264 in 10 bits is for the newest chips only; who wants depth takes HEVC or AV1.
        pix_fmts=_surfaces(codec),
        private_options=options,
        mp4_tag=_tag(codec),
        carries_hdr=codec != "h264",
    )


def _qsv(codec: str) -> VideoEncoder:
    def options(request: EncodeRequest) -> tuple[str, ...]:
        per_block = ("-mbbrc:v:0", "1") if codec != "av1" else ()
        return (
            *("-bf:v:0", "4", "-b_strategy:v:0", "1"),
            *("-adaptive_i:v:0", "1", "-adaptive_b:v:0", "1"),
            *per_block,
            *_hevc_profile(codec, request),
        )

    return VideoEncoder(
        family=f"{codec}_qsv",
        ffmpeg_name=f"{codec}_qsv",
        codec=codec,
        api=QSV,
        title=f"Quick Sync {CODEC_TITLES[codec]}",
        quality_option="-global_quality",  # ICQ, as long as no bit rate stands beside it
        quality_range=(1, 51),
        quality_step=1,
        speeds=dict(zip(SPEEDS, ("veryfast", "fast", "medium", "slower", "veryslow"), strict=True)),
        pix_fmts=_surfaces(codec),
        private_options=options,
        mp4_tag=_tag(codec),
        carries_hdr=codec != "h264",
        carries_captions=codec == "h264",
    )


def _vaapi(codec: str) -> VideoEncoder:
    def options(request: EncodeRequest) -> tuple[str, ...]:
        return (*("-bf:v:0", "2", "-b_depth:v:0", "2"), *_hevc_profile(codec, request))

    return VideoEncoder(
        family=f"{codec}_vaapi",
        ffmpeg_name=f"{codec}_vaapi",
        codec=codec,
        api=VAAPI,
        title=f"VAAPI {CODEC_TITLES[codec]}",
        # A constant quantizer is what Intel's and AMD's drivers both have; ICQ is Intel's alone.
        quality_option="-global_quality",
        quality_range=(1, 255 if codec == "av1" else 51),
        quality_step=1,
        quality_mode=("-rc_mode:v:0", "CQP"),
        bit_rate_mode=("-rc_mode:v:0", "VBR"),
        # `compression_level` means another thing to each driver, so there is one speed.
        speed_option="",
        speeds=dict.fromkeys(SPEEDS, ""),
        pix_fmts=_surfaces(codec),
        upload_filters={
            depth: (f"format={_SURFACES[depth]}", "hwupload") for depth in _surfaces(codec)
        },
        private_options=options,
        mp4_tag=_tag(codec),
        carries_hdr=codec == "hevc",
        carries_captions=codec != "av1",
    )


def _amf(codec: str) -> VideoEncoder:
    has_b_frames = codec != "hevc"

    def options(request: EncodeRequest) -> tuple[str, ...]:
        found = ["-usage:v:0", "high_quality", *_hevc_profile(codec, request)]
        if has_b_frames:
            found += ["-bf:v:0", "3"]
        if codec == "av1":
            found += ["-aq_mode:v:0", "caq"]
        elif request.rule.bit_rate_kbps is not None:
            found += ["-vbaq:v:0", "1"]  # not together with constant quantizers
        return tuple(found)

    return VideoEncoder(
        family=f"{codec}_amf",
        ffmpeg_name=f"{codec}_amf",
        codec=codec,
        api=AMF,
        title=f"AMF {CODEC_TITLES[codec]}",
        quality_option="-qp_i",
        more_quality_options=("-qp_p", "-qp_b") if has_b_frames else ("-qp_p",),
        quality_range=(1, 255 if codec == "av1" else 51),
        quality_step=1,
        quality_mode=("-rc:v:0", "cqp"),
        bit_rate_mode=("-rc:v:0", "vbr_peak"),
        speed_option="-quality",
        speeds=dict(
            zip(SPEEDS, ("speed", "speed", "balanced", "quality", "high_quality"), strict=True)
        ),
        pix_fmts=_surfaces(codec),
        private_options=options,
        mp4_tag=_tag(codec),
        carries_captions=False,
    )


def _videotoolbox(codec: str) -> VideoEncoder:
    def options(request: EncodeRequest) -> tuple[str, ...]:
        return (
            *("-allow_sw:v:0", "1", "-realtime:v:0", "0", "-bf:v:0", "2"),
            *_hevc_profile(codec, request),
        )

    return VideoEncoder(
        family=f"{codec}_videotoolbox",
        ffmpeg_name=f"{codec}_videotoolbox",
        codec=codec,
        api=VIDEOTOOLBOX,
        title=f"VideoToolbox {CODEC_TITLES[codec]}",
        quality_option="-q",
        quality_range=(1, 100),
        quality_step=1,
        is_higher_better=True,
        speed_option="",
        speeds=dict.fromkeys(SPEEDS, ""),
        pix_fmts=_surfaces(codec),
        private_options=options,
        mp4_tag=_tag(codec),
    )


def _surfaces(codec: str) -> dict[int, str]:
    return {8: _SURFACES[8]} if codec == "h264" else dict(_SURFACES)


def _tag(codec: str) -> str:
    return "hvc1" if codec == "hevc" else ""  # Apple's players take no other


HARDWARE_ENCODERS = (
    *(make(codec) for make in (_nvenc, _qsv, _vaapi, _amf) for codec in ("h264", "hevc", "av1")),
    *(_videotoolbox(codec) for codec in ("h264", "hevc")),  # Apple has no AV1 encoder
)
