"""How many encodes run at once on this machine: its cores and memory, and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaflow.base.settings_store import get_settings
from transcode.encoders.machine import free_memory_bytes, usable_cores
from transcode.encoders.threads import Parallelism, how_many_at_once

if TYPE_CHECKING:
    from transcode.encoders.model import VideoEncoder


def parallelism_here(
    encoder: VideoEncoder, width: int, height: int, *, jobs_at_once: int = 1
) -> Parallelism:
    """For one job; cores and memory are shared with the other jobs that may run. One query."""
    wanted = get_settings("chunks_parallel", "threads_per_chunk")
    share = max(1, jobs_at_once)
    return how_many_at_once(
        encoder,
        width,
        height,
        max(1, usable_cores() // share),
        free_memory_bytes() // share,
        wanted_processes=wanted["chunks_parallel"] or 0,
        wanted_threads=wanted["threads_per_chunk"] or 0,
    )
