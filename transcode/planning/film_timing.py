"""What a worker process reads of a film for the ladder: its packets, its bytes, its first sounds.

A sound begins with its first decoded frame, not with its first packet: AAC in MP4 begins with a
packet at −21 ms that is never heard, Opus in Matroska at −7 ms, AC-3 at −5 ms (measured); the
decoder drops that priming and moves the timestamp. No Django here: workers import this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av.error

from library.probing.pool import run_guarded_worker
from library.probing.probe import ProbeProblem
from mediaflow.base.input_guard import is_decoder_allowed, open_guarded
from transcode.planning.packet_index import PacketIndex, read_packet_index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from av.packet import Packet

MAX_PACKETS = 4000  # read until every wanted stream spoke, but never a whole film for it
TIMEOUT_S = 6 * 3600.0  # a hundred gigabytes from a slow disk


@dataclass(frozen=True, slots=True)
class FilmTiming:
    index: PacketIndex | None
    sound_starts_s: dict[int, float]  # stream index to its first heard moment, where decodable


def film_timing(
    path: bytes,
    sounds: Sequence[int],
    *,
    with_index: bool,
    checkpoint: Callable[[], None] | None = None,
) -> FilmTiming:
    """Read a film in a worker process; the index carries the SHA-256 of the file.

    Raises ProbeProblem when it cannot be read or the worker dies, and what `checkpoint` raises.
    """
    return run_guarded_worker(
        read_film_timing,
        path,
        tuple(sounds),
        with_index,
        timeout_s=TIMEOUT_S,
        checkpoint=checkpoint,
    )


def read_film_timing(path: bytes, sounds: tuple[int, ...], with_index: bool) -> FilmTiming:
    """The same in this process. Raises ProbeProblem."""
    try:
        index = read_packet_index(path, with_sha256=True) if with_index else None
        return FilmTiming(index, read_sound_starts(path, sounds))
    except av.error.FFmpegError as error:
        text = f"Its packets cannot be read: {error.strerror or type(error).__name__}."
        raise ProbeProblem("unreadable", text) from error


def read_sound_starts(path: bytes, sounds: Sequence[int]) -> dict[int, float]:
    """Seconds on the container's clock. Raises InputRefused and av.error.FFmpegError."""
    found: dict[int, float] = {}
    with open_guarded(path) as film:
        wanted = [s for s in film.streams.audio if s.index in sounds and is_decoder_allowed(s)]
        missing = {stream.index for stream in wanted}
        for number, packet in enumerate(film.demux(wanted) if wanted else ()):
            if not missing or number >= MAX_PACKETS:
                break
            start_s = _first_frame_s(packet) if packet.stream.index in missing else None
            if start_s is not None:
                found[packet.stream.index] = start_s
                missing.discard(packet.stream.index)
    return found


def _first_frame_s(packet: Packet[Any]) -> float | None:
    """None while the decoder gives nothing. The decode rung judges broken packets."""
    try:
        frames: list[Any] = packet.decode()
    except av.error.FFmpegError:
        return None
    for frame in frames:
        if frame.pts is not None and frame.time_base is not None:
            return float(frame.pts * frame.time_base)
    return None
