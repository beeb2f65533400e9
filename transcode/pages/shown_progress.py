"""What pages print of a job's progress: no 0 % that nobody counted, and a remaining time that
stands still enough to be read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from transcode.models import JobPhase

if TYPE_CHECKING:
    from collections.abc import Callable

# Before this much is done the speed of the first seconds would stand for the whole film.
SURE_FROM_PCT: Final = 5.0
# How long a new estimate needs to move the one that is shown most of the way.
SETTLE_S: Final = 20.0
FORGET_AFTER_S: Final = 600.0
PHASE_WORDS: Final[dict[str, str]] = {
    JobPhase.PLAN: "planning",
    JobPhase.ENCODE: "encoding",
    JobPhase.ASSEMBLE: "assembling",
    JobPhase.VERIFY: "verifying",
    JobPhase.REPLACE: "replacing",
}


def shown_percent(phase: str, percent: float | None) -> float | None:
    """None where the bar only says that something goes on: most rungs of verifying count nothing,
    and 0 % beside them looks like standing still."""
    if percent is None or (phase != JobPhase.ENCODE and percent < 1):
        return None
    return percent


def phase_word(phase: str) -> str:
    """What it does now, for the place of the per cent: "verifying"."""
    return PHASE_WORDS.get(phase, "working")


def rounded_eta_s(eta_s: float) -> float:
    """As coarse as it is long: 3 h 40, 29 min, 85 s."""
    step_s = 300 if eta_s >= 7_200 else 60 if eta_s >= 300 else 5
    return max(1, round(eta_s / step_s)) * step_s  # never "0 s": it has not ended


@dataclass(frozen=True, slots=True)
class _Shown:
    phase: str
    eta_s: float
    at: float


class SteadyEtas:
    """The remaining times that this process shows, by job. Each goes down with the clock; a new
    estimate pulls it only as fast as `SETTLE_S` says, however many pages ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shown: dict[int, _Shown] = {}

    def shown(
        self, job_id: int, phase: str, percent: float | None, eta_s: float | None
    ) -> float | None:
        """What to print. None while nobody can know."""
        if eta_s is None or percent is None or percent < SURE_FROM_PCT:
            self._shown.pop(job_id, None)
            return None
        now = self._clock()
        before = self._shown.get(job_id)
        if before is not None and before.phase == phase:
            elapsed_s = now - before.at
            expected_s = max(0.0, before.eta_s - elapsed_s)
            pull = 1 - math.exp(-elapsed_s / SETTLE_S)
            eta_s = expected_s + pull * (eta_s - expected_s)
        self._forget_old(now)
        self._shown[job_id] = _Shown(phase, eta_s, now)
        return rounded_eta_s(eta_s)

    def forget(self) -> None:
        self._shown = {}

    def _forget_old(self, now: float) -> None:
        # A copy: other threads may add to it meanwhile.
        for job_id, entry in list(self._shown.items()):
            if now - entry.at > FORGET_AFTER_S:
                self._shown.pop(job_id, None)
