"""How long an encode takes on this machine: learned from finished jobs, else from a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transcode.prediction.keys import PredictionKey

# Jobs of the same kind that make a learned speed.
MIN_JOBS: Final = 2
# Million pixels that a second of one core encodes; 1080p of an easy film, measured in CPU time
# (x265's two slowest are reckoned), so grainy ones take longer. Finished jobs replace it soon.
MPIXELS_PER_CORE_S: Final = {
    "x264": {"fastest": 70.0, "fast": 22.0, "medium": 18.0, "slow": 12.0, "slowest": 3.5},
    "x265": {"fastest": 22.0, "fast": 12.0, "medium": 9.0, "slow": 3.5, "slowest": 1.3},
    "svtav1": {"fastest": 60.0, "fast": 50.0, "medium": 25.0, "slow": 11.0, "slowest": 7.0},
}
# Small pictures keep fewer cores busy and cost more per pixel.
_CORES_PER_LINES: Final = ((2160, 32), (1080, 16), (720, 8), (0, 4))


@dataclass(frozen=True, slots=True)
class SpeedSample:
    """Finished encodes of one kind, all pixels and seconds together."""

    encoder: str
    speed: str
    resolution_class: int
    jobs: int
    pixels: float
    seconds: float


class EncodeSpeeds:
    """What finished jobs say; coarser kinds where a fine one has too few."""

    def __init__(self, samples: Iterable[SpeedSample] = ()) -> None:
        self._groups: dict[tuple[str | int, ...], tuple[int, float, float]] = {}
        for sample in samples:
            if sample.pixels <= 0 or sample.seconds <= 0:
                continue
            kind = (sample.encoder, sample.speed, sample.resolution_class)
            for depth in (2, 3):
                jobs, pixels, seconds = self._groups.get(kind[:depth], (0, 0.0, 0.0))
                self._groups[kind[:depth]] = (
                    jobs + sample.jobs,
                    pixels + sample.pixels,
                    seconds + sample.seconds,
                )

    def seconds(self, key: PredictionKey, pixels: int, *, cores: int) -> float | None:
        """None: nothing is known about this encoder, or the film's length is not."""
        if pixels <= 0:
            return None
        kind = (key.encoder, key.speed, key.resolution_class)
        for depth in (3, 2):
            jobs, done_pixels, done_seconds = self._groups.get(kind[:depth], (0, 0.0, 0.0))
            if jobs >= MIN_JOBS:
                return pixels * done_seconds / done_pixels
        per_core = MPIXELS_PER_CORE_S.get(key.encoder, {}).get(key.speed)
        if per_core is None:
            return None
        return pixels / (per_core * 1e6 * busy_cores(cores, key.resolution_class))


def busy_cores(cores: int, lines: int) -> int:
    """How many of the cores one film of this size keeps busy."""
    most = next(count for least, count in _CORES_PER_LINES if lines >= least)
    return max(1, min(cores, most))
