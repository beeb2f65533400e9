"""How many chunks of a film are encoded at once on this machine, with how many threads each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaflow.base.settings_store import get_setting

if TYPE_CHECKING:
    from transcode.planning.model import Plan


@dataclass(frozen=True, slots=True)
class CrewSize:
    """`thread_options` set the threads of one ffmpeg without reaching its parameter sets."""

    processes: int
    thread_options: tuple[str, ...] = ()


def crew_size(plan: Plan) -> CrewSize:
    """As the setting says, else as many as the encoder, the cores and the memory allow."""
    chosen: int | None = get_setting("chunks_parallel")
    return CrewSize(chosen or usable_cores())


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
