"""Every encoder that a preset may name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.hardware import HARDWARE_ENCODERS, device_options
from transcode.encoders.software import SOFTWARE_ENCODERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.encoders.model import VideoEncoder

ENCODERS: dict[str, VideoEncoder] = {
    encoder.family: encoder for encoder in (*SOFTWARE_ENCODERS, *HARDWARE_ENCODERS)
}


def hardware_for(codec: str) -> tuple[VideoEncoder, ...]:
    """The hardware encoders of a codec, in the order in which they are tried."""
    return tuple(e for e in HARDWARE_ENCODERS if e.codec == codec)


def encoder_named(ffmpeg_name: str) -> VideoEncoder | None:
    """The encoder by ffmpeg's name for it; None: "copy", or one that is none of ours."""
    return next((e for e in ENCODERS.values() if e.ffmpeg_name == ffmpeg_name), None)


def device_before_input(video_options: Sequence[str], device: str = "") -> tuple[str, ...]:
    """What must stand before the inputs for the encoder in a plan's `video_options`; mostly ()."""
    if "-c:v:0" not in video_options:
        return ()
    encoder = encoder_named(video_options[video_options.index("-c:v:0") + 1])
    return device_options(encoder, device).before_input if encoder is not None else ()
