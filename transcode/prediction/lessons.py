"""What finished jobs teach, read from the database: a few grouped rows, kept until a job ends.

A page asks once for all its films. While nothing has ended since, that costs one look at an index.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, F, FloatField, Sum
from django.db.models.functions import Cast, Greatest, Least, Ln

from transcode.models import Prediction
from transcode.prediction.learning import (
    MOST_LOG,
    NO_CORRECTION,
    Correction,
    LearnedRatios,
    PastPrediction,
    Tally,
    corrections,
)
from transcode.prediction.speed import EncodeSpeeds, SpeedSample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

# What a source of predictions does wrong is judged by its newest jobs.
NEWEST_JOBS: Final = 400
_COLUMNS: Final = ("basis", "actual_bytes", "plain_bytes", "low_bytes", "high_bytes")


@dataclass(frozen=True, slots=True)
class Lessons:
    """All that was learned; an empty one corrects nothing."""

    ratios: LearnedRatios = field(default_factory=lambda: LearnedRatios({}))
    speeds: EncodeSpeeds = field(default_factory=EncodeSpeeds)
    by_basis: dict[str, Correction] = field(default_factory=dict)

    def correction(self, basis: str) -> Correction:
        return self.by_basis.get(basis, NO_CORRECTION)


NO_LESSONS: Final = Lessons()
_lock = threading.Lock()
_known: tuple[object, Lessons] = (None, NO_LESSONS)


def current_lessons() -> Lessons:
    """One statement; three more when a job has ended since the last call."""
    global _known
    newest = closed_predictions().order_by("-ended_at", "-id").values_list("ended_at", "id").first()
    if newest is None:
        return NO_LESSONS
    with _lock:
        version, lessons = _known
    if version == newest:
        return lessons
    lessons = read_lessons()
    with _lock:
        _known = (newest, lessons)
    return lessons


def read_lessons() -> Lessons:
    """Three statements, whatever the number of jobs."""
    return Lessons(
        ratios=LearnedRatios(dict(_tallies())),
        speeds=EncodeSpeeds(_speed_samples()),
        by_basis=corrections(_past_predictions()),
    )


def closed_predictions() -> QuerySet[Prediction]:
    """Those whose job was completed: a failed or skipped one says nothing about sizes."""
    return Prediction.objects.filter(ended_at__isnull=False, actual_bytes__gt=0)


def _tallies() -> Iterator[tuple[tuple[str | int, ...], Tally]]:
    error = Ln(Cast("actual_bytes", FloatField()) / Cast("rule_bytes", FloatField()))
    bounded = Greatest(Least(error, MOST_LOG), -MOST_LOG, output_field=FloatField())
    rows = (
        closed_predictions()
        .filter(rule_bytes__gt=0)
        .annotate(log_error=bounded)
        .values_list("encoder", "source_codec", "resolution_class", "quality_key")
        .annotate(
            jobs=Count("id"),
            total=Sum("log_error"),
            squares=Sum(F("log_error") * F("log_error"), output_field=FloatField()),
        )
        .order_by()
    )
    for row in rows:
        *key, jobs, total, squares = row
        yield tuple(key), Tally(jobs, float(total), float(squares))


def _speed_samples() -> Iterator[SpeedSample]:
    rows: QuerySet[Prediction, tuple[Any, ...]] = (
        closed_predictions()
        .filter(pixels__gt=0, actual_seconds__gt=0)
        .values_list("encoder", "speed", "resolution_class")
        .annotate(jobs=Count("id"), all_pixels=Sum("pixels"), all_seconds=Sum("actual_seconds"))
        .order_by()
    )
    for encoder, speed, lines, jobs, pixels, seconds in rows:
        yield SpeedSample(encoder, speed, lines, jobs, float(pixels), float(seconds))


def _past_predictions() -> Iterator[PastPrediction]:
    rows = (
        closed_predictions()
        .filter(plain_bytes__gt=0, low_bytes__gt=0, high_bytes__gt=0)
        .order_by("-ended_at", "-id")
        .values_list(*_COLUMNS, "range_factor")[:NEWEST_JOBS]
    )
    for basis, actual, plain, low, high, factor in rows:
        half = math.log(high / low) / 2 / (factor or 1.0) if high > low else 0.0
        yield PastPrediction(basis, math.log(actual / plain), half)
