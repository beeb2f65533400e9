"""Bytes of the output that are not the picture: known almost exactly once there is a plan. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transcode.planning.model import Action, StreamKind

if TYPE_CHECKING:
    from transcode.planning.model import Plan, PlannedStream
    from transcode.planning.packet_index import PacketIndex

# A header before each packet, an index, the header of the file.
OVERHEAD_PER_PACKET_BYTES: Final = 10
OVERHEAD_BYTES: Final = 20_000
# FLAC of usual film sound, by channel; and what a track gets of which nothing is known.
_LOSSLESS_KBPS_PER_CHANNEL: Final = 350
_DEFAULT_KBPS: Final = 192


def bytes_beside_picture(plan: Plan, index: PacketIndex) -> int:
    """Sound, subtitles, attachments and the container around everything."""
    packets = index.frames
    size = 0
    for stream in plan.kept:
        span = index.spans.get(stream.source_index)
        if stream.kind == StreamKind.VIDEO:
            continue
        packets += span.packets if span else 0
        if stream.action == Action.ENCODE and stream.kind == StreamKind.AUDIO:
            size += round(_kbps(stream) * 125 * plan.duration_s)
        elif span is not None:
            size += span.size_bytes
    return size + packets * OVERHEAD_PER_PACKET_BYTES + OVERHEAD_BYTES


def _kbps(stream: PlannedStream) -> int:
    if stream.bit_rate_kbps:
        return stream.bit_rate_kbps
    if stream.output_codec in ("flac", "alac"):
        return _LOSSLESS_KBPS_PER_CHANNEL * max(1, stream.channels)
    return _DEFAULT_KBPS
