"""The options of the film's video stream, for any encoder. Pure.

Whatever reaches VPS, SPS or PPS is fixed here and never derived from a machine's cores, so that
chunks made on different machines join (measured: x265 with and without WPP differ in the PPS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders import extra_options

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
    options += encoder.private_options(request)
    extra = extra_options.parse(encoder.family, rule.extra_options)
    return extra_options.with_extra_options(encoder, options, extra)


def pass_options(encoder: VideoEncoder, number: int, stats_path: str) -> tuple[str, ...]:
    """For the first or second of two passes, beside the video's options; added at run time.

    All software encoders of the bundled ffmpeg take them (tried); they write `<stats_path>-0.log`
    and one more beside it. The first pass writes nothing else that is needed.
    """
    if encoder.is_hardware:
        raise ValueError(f"{encoder.title} does not encode in two passes.")
    return ("-pass:v:0", str(number), "-passlogfile:v:0", stats_path)
