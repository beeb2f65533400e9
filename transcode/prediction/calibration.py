"""How good the predictions were: each against what came out, by where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from transcode.prediction.learning import quantile
from transcode.prediction.lessons import closed_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

BASES: Final = ("sampled", "learned", "rule")
# The newest finished jobs; older ones were predicted by what is no longer.
NEWEST: Final = 500
WORST: Final = 10
PROMISED_PCT: Final = 80.0
_FIELDS: Final = (
    *("job_id", "basis", "source_bytes", "predicted_bytes", "low_bytes", "high_bytes"),
    *("actual_bytes", "error_pct", "is_in_range", "predicted_vmaf", "actual_vmaf"),
    *("predicted_seconds", "actual_seconds", "encoder", "quality_key", "ended_at"),
    *("job__file_path", "job__preset_name"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished job."""

    job_id: int
    basis: str
    source_bytes: int
    predicted_bytes: int
    low_bytes: int
    high_bytes: int
    actual_bytes: int
    error_pct: float  # above 0: came out larger
    is_in_range: bool
    predicted_vmaf: float | None
    actual_vmaf: float | None
    predicted_seconds: float | None
    actual_seconds: float | None
    encoder: str
    quality_key: str
    ended_at: datetime
    file_path: str
    preset_name: str

    @property
    def name(self) -> str:
        return self.file_path.rpartition("/")[2]

    def share_pct(self, size: int) -> float:
        """Of the original."""
        return 100 * size / self.source_bytes if self.source_bytes else 0.0


@dataclass(frozen=True, slots=True)
class BasisScore:
    """One source of predictions; "" is all of them."""

    basis: str
    jobs: int
    in_range: int
    coverage_pct: float
    median_error_pct: float  # without its sign
    bias_pct: float  # median with its sign: above 0, films come out larger than said
    vmaf_error: float | None  # median distance in points, of those that were sampled
    time_error_pct: float | None  # median, without its sign


@dataclass(frozen=True, slots=True)
class Calibration:
    outcomes: tuple[Outcome, ...]  # newest first
    total: BasisScore | None  # None: no job is finished
    by_basis: tuple[BasisScore, ...]
    worst: tuple[Outcome, ...]


def read_calibration() -> Calibration:
    """One statement."""
    rows = closed_predictions().filter(error_pct__isnull=False).order_by("-ended_at", "-id")
    outcomes = tuple(Outcome(*row) for row in rows.values_list(*_FIELDS)[:NEWEST])
    groups = {basis: [o for o in outcomes if o.basis == basis] for basis in BASES}
    return Calibration(
        outcomes=outcomes,
        total=score("", outcomes) if outcomes else None,
        by_basis=tuple(score(basis, group) for basis, group in groups.items() if group),
        worst=tuple(sorted(outcomes, key=lambda o: -_misfit(o))[:WORST]),
    )


def score(basis: str, outcomes: Sequence[Outcome]) -> BasisScore:
    """At least one outcome."""
    inside = sum(outcome.is_in_range for outcome in outcomes)
    errors = [outcome.error_pct for outcome in outcomes]
    vmaf = [
        abs(outcome.actual_vmaf - outcome.predicted_vmaf)
        for outcome in outcomes
        if outcome.actual_vmaf is not None and outcome.predicted_vmaf is not None
    ]
    times = [
        100 * abs(outcome.actual_seconds / outcome.predicted_seconds - 1)
        for outcome in outcomes
        if outcome.actual_seconds and outcome.predicted_seconds
    ]
    return BasisScore(
        basis=basis,
        jobs=len(outcomes),
        in_range=inside,
        coverage_pct=100 * inside / len(outcomes),
        median_error_pct=quantile([abs(error) for error in errors], 0.5),
        bias_pct=quantile(errors, 0.5),
        vmaf_error=quantile(vmaf, 0.5) if vmaf else None,
        time_error_pct=quantile(times, 0.5) if times else None,
    )


def _misfit(outcome: Outcome) -> float:
    """Half as large is as wrong as twice as large."""
    ratio = outcome.actual_bytes / max(1, outcome.predicted_bytes)
    return max(ratio, 1 / ratio) if ratio > 0 else float("inf")
