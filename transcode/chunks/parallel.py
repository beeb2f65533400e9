"""How many chunks of a film are encoded at once on this machine, with how many threads each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaflow.base.settings_store import get_setting
from transcode.encoders.parallel_here import parallelism_here
from transcode.encoders.threads import Parallelism, threads_of_next, with_threads
from transcode.encoding.passed_over import encoder_of
from transcode.queue.slots import parallel_limit

if TYPE_CHECKING:
    from transcode.encoders.model import VideoEncoder
    from transcode.encoders.threads import Rest
    from transcode.planning.model import Plan


@dataclass(frozen=True, slots=True)
class CrewSize:
    """How many at once, and the options of the plan's video, without threads."""

    processes: int
    plan_options: tuple[str, ...]
    encoder: VideoEncoder | None = None
    threads: Parallelism | None = None  # None: as ffmpeg likes
    gpu_sessions: int = 0  # at once on one GPU, whoever runs them; 0: what suits it

    def options(self, rest: Rest) -> tuple[str, ...]:
        """For the chunk that starts now. Parameter sets are alike for any threads (measured)."""
        if self.encoder is None or self.threads is None:
            return self.plan_options
        threads = threads_of_next(self.encoder.family, self.threads, rest)
        return with_threads(self.encoder, self.plan_options, threads)


def crew_size(plan: Plan) -> CrewSize:
    """As the settings say, else as many as the encoder, the cores and the memory allow."""
    encoder = encoder_of(plan)
    if encoder is None or plan.video is None:
        return CrewSize(1, plan.video_options)
    found = parallelism_here(
        encoder, plan.video.width, plan.video.height, jobs_at_once=parallel_limit()
    )
    return CrewSize(
        found.processes,
        plan.video_options,
        encoder,
        found,
        get_setting("gpu_sessions") or 0,
    )
