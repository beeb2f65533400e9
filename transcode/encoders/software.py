"""x264, x265 and SVT-AV1: the encoders that run on the processor. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.model import VideoEncoder

if TYPE_CHECKING:
    from library.media_info import MasteringDisplay
    from transcode.encoders.model import EncodeRequest, HdrMetadata

# H.264 levels with the bit rates (kbit/s) that High profile allows there (ITU-T H.264, table A-1).
H264_LEVELS = {
    "3.0": 12_500,
    "3.1": 17_500,
    "4.0": 25_000,
    "4.1": 62_500,
    "4.2": 62_500,
    "5.1": 300_000,
}


def _x264_options(request: EncodeRequest) -> tuple[str, ...]:
    rule = request.rule
    options = ["-a53cc:v:0", "1"]
    if rule.profile:
        options += ["-profile:v:0", rule.profile]
    if rule.level:
        cap = H264_LEVELS[rule.level]
        options += ["-level:v:0", rule.level]
        # Without a buffer model CRF may exceed what the level's decoders take.
        options += ["-maxrate:v:0", f"{cap}k", "-bufsize:v:0", f"{cap}k"]
    if rule.tune_grain:
        options += ["-tune:v:0", "grain"]
    if request.is_interlaced:
        options += ["-flags:v:0", "+ilme+ildct"]
    return tuple(options)


def _x265_options(request: EncodeRequest) -> tuple[str, ...]:
    params = [
        "log-level=error",
        "info=0",  # the settings SEI names the machine's threads
        "wpp=1",
        "repeat-headers=0",
        "aud=0",
        "hrd=0",
    ]
    hdr = request.hdr
    if hdr.is_pq and request.bit_depth >= 10:
        params += ["hdr10=1", "hdr10-opt=1"]
    if hdr.mastering_display is not None:
        params.append(f"master-display={_x265_display(hdr.mastering_display)}")
    if hdr.light_level:
        params.append(f"max-cll={hdr.light_level}")
    if hdr.hdr10_plus_file:
        params.append(f"dhdr10-info={hdr.hdr10_plus_file}")
    tune = ("-tune:v:0", "grain") if request.rule.tune_grain else ()
    # Closed captions are off by default in libx265 (measured), on in the others.
    options = [*tune, "-a53cc:v:0", "1", *dolby_vision_options(hdr)]
    if hdr.dolby_vision_cap_kbps:
        # Without a buffer model x265 refuses Dolby Vision.
        cap = f"{hdr.dolby_vision_cap_kbps}k"
        options += ["-maxrate:v:0", cap, "-bufsize:v:0", cap]
    return (*options, "-x265-params:v:0", ":".join(params))


def dolby_vision_options(hdr: HdrMetadata) -> tuple[str, ...]:
    """Said aloud: ffmpeg's "auto" drops the metadata without a word (measured, ffmpeg 9).

    With 1, a picture that comes without metadata ends the encode with an error.
    """
    return ("-dolbyvision:v:0", "1") if hdr.dolby_vision_cap_kbps else ()


def _svtav1_options(request: EncodeRequest) -> tuple[str, ...]:
    params = ["tune=0"]  # 0: by eye; the default follows PSNR
    hdr = request.hdr
    if request.rule.tune_grain:
        params += ["film-grain=10", "film-grain-denoise=0"]
    if hdr.mastering_display is not None:
        params.append(f"mastering-display={_svt_display(hdr.mastering_display)}")
    if hdr.light_level:
        params.append(f"content-light={hdr.light_level}")
    return (*dolby_vision_options(hdr), "-svtav1-params:v:0", ":".join(params))


def _x265_display(display: MasteringDisplay) -> str:
    """x265 takes the integers of SMPTE ST 2086 as they are."""
    d = display
    return (
        f"G({d.green_x},{d.green_y})B({d.blue_x},{d.blue_y})R({d.red_x},{d.red_y})"
        f"WP({d.white_x},{d.white_y})L({d.max_luminance},{d.min_luminance})"
    )


def _svt_display(display: MasteringDisplay) -> str:
    """SVT-AV1 takes chromaticities from 0 to 1 and luminance in cd/m²."""

    def xy(x: int, y: int) -> str:
        return f"({x / 50_000:.5f},{y / 50_000:.5f})"

    d = display
    return (
        f"G{xy(d.green_x, d.green_y)}B{xy(d.blue_x, d.blue_y)}R{xy(d.red_x, d.red_y)}"
        f"WP{xy(d.white_x, d.white_y)}"
        f"L({d.max_luminance / 10_000:.4f},{d.min_luminance / 10_000:.4f})"
    )


SOFTWARE_ENCODERS = (
    VideoEncoder(
        family="x264",
        ffmpeg_name="libx264",
        codec="h264",
        params_option="-x264-params",
        quality_option="-crf",
        quality_range=(1, 51),
        quality_step=0.5,
        title="x264 (H.264)",
        speeds={
            "fastest": "superfast",
            "fast": "fast",
            "medium": "medium",
            "slow": "slow",
            "slowest": "veryslow",
        },
        pix_fmts={8: "yuv420p", 10: "yuv420p10le"},
        private_options=_x264_options,
        encodes_fields=True,
    ),
    VideoEncoder(
        family="x265",
        ffmpeg_name="libx265",
        codec="hevc",
        params_option="-x265-params",
        quality_option="-crf",
        quality_range=(1, 51),
        quality_step=0.5,
        title="x265 (HEVC)",
        speeds={
            "fastest": "superfast",
            "fast": "fast",
            "medium": "medium",
            "slow": "slow",
            "slowest": "slower",
        },
        pix_fmts={8: "yuv420p", 10: "yuv420p10le", 12: "yuv420p12le"},
        private_options=_x265_options,
        mp4_tag="hvc1",  # Apple's players take no other
        carries_hdr=True,
        dolby_vision_profile="8",
        carries_hdr10_plus=True,
    ),
    VideoEncoder(
        family="svtav1",
        ffmpeg_name="libsvtav1",
        codec="av1",
        params_option="-svtav1-params",
        quality_option="-crf",
        quality_range=(1, 63),
        quality_step=1,
        title="SVT-AV1",
        speeds={"fastest": "12", "fast": "10", "medium": "8", "slow": "6", "slowest": "4"},
        carries_captions=False,  # measured: the wrapper hands none on (ffmpeg 9)
        pix_fmts={8: "yuv420p", 10: "yuv420p10le"},
        private_options=_svtav1_options,
        carries_hdr=True,
        dolby_vision_profile="10",
    ),
)
