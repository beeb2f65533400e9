"""How many chunks of a film are encoded at once on this machine, with how many threads each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaflow.base.settings_store import get_setting
from transcode.encoders.parallel_here import parallelism_here
from transcode.encoders.threads import with_threads
from transcode.encoding.passed_over import encoder_of
from transcode.queue.slots import parallel_limit

if TYPE_CHECKING:
    from transcode.planning.model import Plan


@dataclass(frozen=True, slots=True)
class CrewSize:
    """`video_options`: the plan's, with the threads of one ffmpeg put in."""

    processes: int
    video_options: tuple[str, ...]
    # The same for the chunks that are started last, by how many are still to be started: with more
    # threads, as the others leave their cores to them. Parameter sets are alike (measured).
    last_options: tuple[tuple[str, ...], ...] = ()
    gpu_sessions: int = 0  # at once on one GPU, whoever runs them; 0: what suits it

    def options(self, left: int) -> tuple[str, ...]:
        """`left`: chunks that are not started yet, this one included."""
        if 0 < left <= len(self.last_options):
            return self.last_options[left - 1]
        return self.video_options


def crew_size(plan: Plan) -> CrewSize:
    """As the settings say, else as many as the encoder, the cores and the memory allow."""
    encoder = encoder_of(plan)
    if encoder is None or plan.video is None:
        return CrewSize(1, plan.video_options)
    found = parallelism_here(
        encoder, plan.video.width, plan.video.height, jobs_at_once=parallel_limit()
    )
    threads = found.processes * found.threads_each
    last = tuple(
        with_threads(encoder, plan.video_options, threads // left)
        for left in range(1, found.processes)
    )
    options = with_threads(encoder, plan.video_options, found.threads_each)
    return CrewSize(found.processes, options, last, get_setting("gpu_sessions") or 0)
