"""Which of a film's first packets become pictures: recordings often begin within a group.

A transport stream that was cut anywhere has packets before its first keyframe, and pictures after
it that refer to what was cut off: decoders leave them out, so they must not be counted as frames.
And H.264 broadcast as separate fields has two packets per picture. Both are only seen by decoding,
so the first pictures of suspicious films are decoded (measured: the same pictures as ffmpeg gives).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

WANTED_FRAMES = 24
MAX_PACKETS = 400
# Containers that hold recordings, and the codecs of broadcasts.
_RECORDING_FORMATS = frozenset({"mpegts", "mpeg", "mpegvideo"})
# 2 with separate fields, 1 without; opening packets that give no picture are not in the ratio.
FIELD_PACKETS_PER_FRAME = 1.6


class OpeningFrames:
    """Fed with the film's video packets in their order, until it has seen enough."""

    def __init__(self, stream: VideoStream, format_name: str, *, decodes_all: bool = False) -> None:
        self._stream = stream
        self._is_recording = format_name in _RECORDING_FORMATS
        self._decodes_all = decodes_all
        self._first_key: int | None = None
        self._held: list[Packet[Any]] = []
        self._is_suspicious = self._is_recording or decodes_all
        self._packet_pts: list[int] = []
        self.frame_pts: list[int] = []
        self._is_done = False

    @property
    def is_done(self) -> bool:
        return self._is_done

    def feed(self, packet: Packet[Any]) -> bool:
        """True when it has seen enough. A picture that cannot be decoded is simply not there."""
        if packet.pts is None:
            return False
        self._packet_pts.append(packet.pts)
        if packet.is_keyframe and self._first_key is None:
            self._first_key = packet.pts
        if self._first_key is None or packet.pts < self._first_key:
            self._is_suspicious = True
        self._held.append(packet)
        if self._is_suspicious:
            for held in self._held:
                self._decode(held)
            self._held.clear()
        if self._decodes_all:
            return False
        enough = len(self.frame_pts) >= WANTED_FRAMES or len(self._packet_pts) >= MAX_PACKETS
        if enough or (not self._is_suspicious and len(self._packet_pts) >= WANTED_FRAMES):
            self.finish()
        return self._is_done

    def finish(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        if self._is_suspicious:
            self._decode(None)
        self._held.clear()

    @property
    def first_frame(self) -> int | None:
        """PTS of the first picture that came out; None where nothing was decoded."""
        return min(self.frame_pts, default=None)

    @property
    def has_field_packets(self) -> bool:
        """Two packets per picture: packets cannot be counted, pictures must be."""
        if self._decodes_all or len(self.frame_pts) < 2:
            return False
        first, last = min(self.frame_pts), max(self.frame_pts)
        packets = sum(first <= pts <= last for pts in self._packet_pts)
        return packets / len(self.frame_pts) >= FIELD_PACKETS_PER_FRAME

    def _decode(self, packet: Packet[Any] | None) -> None:
        try:
            frames = self._stream.codec_context.decode(packet)
        except (av.error.FFmpegError, EOFError):
            return
        self.frame_pts.extend(f.pts for f in frames if f.pts is not None)
