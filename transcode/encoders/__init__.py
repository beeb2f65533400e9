"""What differs between video encoders, and which of them work here: the one room that knows.

Pure except `availability` and `checking` (processes, rows) and `gpu` (nvidia-smi).
"""

from transcode.encoders.model import EncodeRequest, HdrMetadata, VideoEncoder
from transcode.encoders.options import video_options
from transcode.encoders.registry import ENCODERS
from transcode.encoders.software import H264_LEVELS

__all__ = [
    "ENCODERS",
    "H264_LEVELS",
    "EncodeRequest",
    "HdrMetadata",
    "VideoEncoder",
    "video_options",
]
