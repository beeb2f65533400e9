"""In which order the chunks of a film are encoded. Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.chunks.encoding import ChunkTask
    from transcode.planning.packet_index import PacketIndex


def in_good_order(tasks: Sequence[ChunkTask], index: PacketIndex, *, last: int) -> list[ChunkTask]:
    """In the film's order, but of the `last` ones the heaviest first.

    So all slots end at about the same time, and what is done tells of the film from its beginning.
    What was heavy in the source is heavy to encode.
    """
    head, tail = list(tasks[:-last]), list(tasks[-last:])
    return head + sorted(tail, key=lambda task: (-source_bytes(task, index), task.number))


def source_bytes(task: ChunkTask, index: PacketIndex) -> int:
    """Of the chunk's pictures; 0 where their sizes are not known."""
    first = bisect_left(index.video_pts, task.chunk.start_pts)
    return sum(index.video_sizes[first : first + task.chunk.frames])
