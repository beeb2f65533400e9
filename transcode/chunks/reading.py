"""Reads finished chunks in a worker process: their parameter sets and how many pictures they hold.

No Django here: workers import this module.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av.error

from library.probing.pool import run_guarded_worker
from library.probing.probe import ProbeProblem
from mediaflow.base.input_guard import open_guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class ChunkFacts:
    """What lies in a chunk's file; `problem` when it cannot be read."""

    extradata_sha256: str = ""  # of VPS, SPS and PPS, or what the codec has instead
    packets: int = 0
    problem: str = ""


def chunk_facts(
    paths: Sequence[bytes], *, checkpoint: Callable[[], None] | None = None
) -> tuple[ChunkFacts, ...]:
    """Read several chunks in one worker. A worker that dies gives the problem to all of them."""
    try:
        return run_guarded_worker(
            read_chunks, tuple(paths), timeout_s=TIMEOUT_S, checkpoint=checkpoint
        )
    except ProbeProblem as problem:
        return tuple(ChunkFacts(problem=problem.text) for _path in paths)


def read_chunks(paths: tuple[bytes, ...]) -> tuple[ChunkFacts, ...]:
    """The same in this process."""
    return tuple(_read(path) for path in paths)


def _read(path: bytes) -> ChunkFacts:
    try:
        with open_guarded(path) as film:
            if not film.streams.video:
                return ChunkFacts(problem="it holds no picture")
            stream = film.streams.video[0]
            context = stream.codec_context
            extradata = (context.extradata if context is not None else None) or b""
            packets = sum(1 for packet in film.demux(stream) if packet.size)
    except (av.error.FFmpegError, OSError) as error:
        return ChunkFacts(problem=error.strerror or type(error).__name__)
    return ChunkFacts(hashlib.sha256(extradata).hexdigest(), packets)
