"""Every encoder that a preset may name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.software import SOFTWARE_ENCODERS

if TYPE_CHECKING:
    from transcode.encoders.model import VideoEncoder

ENCODERS: dict[str, VideoEncoder] = {encoder.family: encoder for encoder in SOFTWARE_ENCODERS}
