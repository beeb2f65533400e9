"""Watches a running encode: will it be worth it, now that a part of it is there? Pure.

What is done is weighed by what the source needed for the same part: an easy first half says little
about a hard second one. Nothing is stopped before a tenth and half a minute, nor for one bad look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from transcode.outcomes import JobSkipped
from transcode.prediction.verdict import NOT_WORTH_IT, largest_worth_it

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SHARE: Final = 0.10
MIN_SECONDS: Final = 30.0
# Then the hours are spent: the ladder weighs the finished film.
MAX_SHARE: Final = 0.95
# So much may the rest differ from what is done: at a tenth, and at the end.
MARGIN_AT_START, MARGIN_AT_END = 0.25, 0.03
# Of the source's time; finer than any progress.
STEPS: Final = 1000
# Looks in a row, and how much of the film must lie between the first and the last of them.
LOOKS_NEEDED: Final = 3
SHARE_BETWEEN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Projection:
    """Bytes that the whole output will have."""

    bytes: int
    at_least: int  # even if the rest is as much easier as films usually get
    limit: int


class SourceEffort:
    """How much of the source's picture lies before a place: its packet sizes, added up.

    Time and effort are shares, 0 to 1. A source at constant bit rate says no more than the time.
    """

    def __init__(self, times: Sequence[float], sizes: Sequence[int]) -> None:
        """Both in order of time, of equal length; `PacketIndex.video_pts` and `video_sizes`."""
        self._before: list[float] = []  # of each of STEPS steps of time, and of the end
        total = sum(sizes)
        length = times[-1] - times[0] if times else 0
        if total <= 0 or length <= 0 or len(times) != len(sizes):
            return
        steps = [0] * STEPS
        for time, size in zip(times, sizes, strict=True):
            steps[min(STEPS - 1, int(STEPS * (time - times[0]) / length))] += size
        self._before = [done / total for done in accumulate(steps, initial=0)]

    def before(self, share: float) -> float:
        """The share of the source's bytes before this share of its time."""
        place = min(1.0, max(0.0, share)) * STEPS
        if not self._before:
            return place / STEPS
        step = min(STEPS - 1, int(place))
        part = self._before[step + 1] - self._before[step]
        return self._before[step] + (place - step) * part

    def between(self, start: float, end: float) -> float:
        """For chunks that are done out of order."""
        return max(0.0, self.before(end) - self.before(start))


# Half effort, half time: encoders at constant quality follow the source, but not wholly.
EFFORT_WEIGHT: Final = 0.5


def weighed_share(time_share: float, effort_share: float) -> float:
    """How much of the output's bytes should be there."""
    return EFFORT_WEIGHT * effort_share + (1 - EFFORT_WEIGHT) * time_share


@dataclass(slots=True)
class EarlyStop:
    """Feed it with progress; `look` says when it is no longer worth going on.

    `rest_bytes`: what comes to the encoded picture that is not in `bytes_so_far` (copied sound that
    is joined later); 0 where one ffmpeg writes all tracks.
    """

    limit_bytes: int
    rest_bytes: int = 0
    effort: SourceEffort = field(default_factory=lambda: SourceEffort((), ()))
    _over_since: float | None = None
    _looks: int = 0
    _last_share: float = -1.0

    def look(
        self,
        share: float,
        bytes_so_far: int,
        elapsed_s: float,
        *,
        effort_share: float | None = None,
    ) -> Projection | None:
        """The projection once it has been too large for a while, else None. `share` of the film's
        time is done; `effort_share` where that is not its beginning (chunks)."""
        if not MIN_SHARE <= share <= MAX_SHARE or elapsed_s < MIN_SECONDS:
            return None
        projection = self.project(share, bytes_so_far, effort_share=effort_share)
        if projection.at_least <= self.limit_bytes:
            self._over_since, self._looks = None, 0
            return None
        if share <= self._last_share:  # nothing new since the last look
            return None
        self._last_share = share
        self._looks += 1
        if self._over_since is None:
            self._over_since = share
        is_long = share - self._over_since >= SHARE_BETWEEN
        return projection if self._looks >= LOOKS_NEEDED and is_long else None

    def project(
        self, share: float, bytes_so_far: int, *, effort_share: float | None = None
    ) -> Projection:
        effort = self.effort.before(share) if effort_share is None else effort_share
        done = min(1.0, max(0.01, weighed_share(share, effort)))
        whole = bytes_so_far / done
        least = bytes_so_far + (whole - bytes_so_far) * (1 - 2 * margin(share))
        return Projection(
            round(whole) + self.rest_bytes, round(least) + self.rest_bytes, self.limit_bytes
        )


def margin(share: float) -> float:
    """Less and less as the film goes by."""
    way = min(1.0, max(0.0, (share - MIN_SHARE) / (1 - MIN_SHARE)))
    return MARGIN_AT_START + way * (MARGIN_AT_END - MARGIN_AT_START)


@dataclass(slots=True)
class EncodeWatch:
    """What the encode calls with its progress. Raises JobSkipped when it should stop."""

    stop: EarlyStop
    source_bytes: int
    min_saving_pct: int

    def __call__(
        self,
        share: float | None,
        bytes_so_far: int | None,
        elapsed_s: float,
        *,
        effort_share: float | None = None,
    ) -> None:
        """Unknown progress says nothing."""
        if share is None or bytes_so_far is None:
            return
        found = self.stop.look(share, bytes_so_far, elapsed_s, effort_share=effort_share)
        if found is None:
            return
        change = 100 * found.bytes / self.source_bytes - 100
        size = f"{abs(change):.0f} % {'larger' if change >= 0 else 'smaller'}"
        need = self.min_saving_pct
        wish = f"at least {need} % smaller" if need > 0 else f"at most {-need} % larger"
        raise JobSkipped(
            NOT_WORTH_IT,
            f"Stopped at {100 * share:.0f} %: it is heading for {found.bytes:,} bytes of"
            f" {self.source_bytes:,}, {size}, and the preset asks for {wish}. The original stays.",
        )


def watch_encode(
    source_bytes: int,
    min_saving_pct: int,
    *,
    is_encoded: bool = True,
    rest_bytes: int = 0,
    effort: SourceEffort | None = None,
) -> EncodeWatch | None:
    """None where nothing is to be watched: the picture is only copied, or the size is unknown."""
    if not is_encoded or source_bytes <= 0:
        return None
    limit = largest_worth_it(source_bytes, min_saving_pct)
    stop = EarlyStop(limit, rest_bytes, effort or SourceEffort((), ()))
    return EncodeWatch(stop, source_bytes, min_saving_pct)
