"""The options of the film's video stream, for any encoder. Pure.

Whatever reaches VPS, SPS or PPS is fixed here and never derived from a machine's cores, so that
chunks made on different machines join (measured: x265 with and without WPP differ in the PPS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transcode.encoders.model import EncodeRequest, VideoEncoder

KEYFRAME_INTERVAL_S = 10


def video_options(encoder: VideoEncoder, request: EncodeRequest) -> tuple[str, ...]:
    """Output options of the film's video stream, which is output stream v:0."""
    rule = request.rule
    options = ["-c:v:0", encoder.ffmpeg_name]
    if encoder.speed_option:
        options += [f"{encoder.speed_option}:v:0", encoder.speeds[rule.speed]]
    if rule.crf is not None:
        options += encoder.quality_mode
        for option in (encoder.quality_option, *encoder.more_quality_options):
            options += [f"{option}:v:0", f"{rule.crf:g}"]
    elif rule.bit_rate_kbps is not None:
        options += encoder.bit_rate_mode
        options += ["-b:v:0", f"{rule.bit_rate_kbps}k"]
    if not encoder.upload_filters:
        options += ["-pix_fmt:v:0", encoder.pix_fmts[request.bit_depth]]
    options += ["-g:v:0", str(max(1, round(request.frame_rate * KEYFRAME_INTERVAL_S)))]
    if encoder.mp4_tag and request.container == "mp4":
        options += ["-tag:v:0", encoder.mp4_tag]
    return (*options, *encoder.private_options(request))
