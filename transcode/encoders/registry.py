"""Every encoder that a preset may name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.hardware import HARDWARE_ENCODERS
from transcode.encoders.software import SOFTWARE_ENCODERS

if TYPE_CHECKING:
    from transcode.encoders.model import VideoEncoder

ENCODERS: dict[str, VideoEncoder] = {
    encoder.family: encoder for encoder in (*SOFTWARE_ENCODERS, *HARDWARE_ENCODERS)
}


def hardware_for(codec: str) -> tuple[VideoEncoder, ...]:
    """The hardware encoders of a codec, in the order in which they are tried."""
    return tuple(e for e in HARDWARE_ENCODERS if e.codec == codec)
