"""Packet indexes of films that are nowhere on a disk."""

from __future__ import annotations

from array import array
from fractions import Fraction
from typing import TYPE_CHECKING

from transcode.planning.packet_index import PacketIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 25


def film(sizes: Sequence[int], *, keys: Sequence[int] = (), sha256: str = "") -> PacketIndex:
    """25 pictures a second; `keys` are numbers of pictures (every tenth second by itself)."""
    frames = len(sizes)
    chosen = keys or range(0, frames, 10 * RATE)
    return PacketIndex(
        video_index=0,
        video_pts=array("q", range(0, 40 * frames, 40)),
        video_keys=array("q", (40 * key for key in chosen)),
        time_base=Fraction(1, 1000),
        spans={},
        is_truncated=False,
        problems=(),
        sha256=sha256,
        video_sizes=array("q", sizes),
    )


def even(seconds: float, size: int = 1000) -> list[int]:
    return [size] * round(seconds * RATE)
