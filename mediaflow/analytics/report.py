"""The storage and quality report: what the library is made of, what it could be, how it grows.

Everything that counts files comes from one grouped count (`library.analysis.figures`), so the
report of a million files costs what that of a thousand does; its stamp says how old the count is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.db.models import Max, Min

from library.analysis.figures import read_figures
from library.analysis.health import score_health
from library.models import Availability, FileKind, Library, MediaFile
from mediaflow.analytics.capacity import read_capacity
from mediaflow.analytics.dimensions import average_kbps, make_dimensions
from mediaflow.analytics.growth import read_growth
from mediaflow.analytics.savings import read_savings
from mediaflow.base.film_hooks import SavingsEstimate, estimate_savings, total_savings
from mediaflow.base.ids import read_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from library.analysis.figures import Figures, PictureGroup, SoundGroup
    from library.analysis.health import Health
    from mediaflow.analytics.capacity import Capacity
    from mediaflow.analytics.dimensions import Dimension
    from mediaflow.analytics.growth import Growth
    from mediaflow.analytics.savings import Savings

SAMPLED_FILMS: Final = 400
SAMPLE_IDS: Final = 20_000
SAMPLE_S: Final = 600


class ReportProblem(Exception):
    """A report that cannot be made; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class HevcPotential:
    """What H.264 would save as HEVC. `sampled` 0: every film was reckoned."""

    files: int
    bytes: int
    saving: SavingsEstimate
    sampled: int


@dataclass(frozen=True, slots=True)
class Report:
    made_at: datetime
    counted_s: float
    library: Library | None
    files: int
    bytes: int
    average_kbps: int | None
    dimensions: tuple[Dimension, ...]
    potential: HevcPotential | None
    health: Health | None
    capacity: Capacity
    growth: Growth
    savings: Savings


def find_library(text: str) -> Library | None:
    """By number or name; None for "". Raises ReportProblem for one that is not there."""
    wanted = text.strip()
    if not wanted:
        return None
    found = Library.objects.filter(pk=read_id(wanted) or 0).first()
    found = found or Library.objects.filter(name__iexact=wanted).first()
    if found is None:
        raise ReportProblem(f"There is no library {wanted[:60]!r}.")
    return found


def make_report(library: Library | None = None) -> Report | None:
    """Of one library or all; None while a large library was never counted."""
    counted = read_figures()
    if counted is None:
        return None
    library_id = library.pk if library else None
    figures = counted.of_library(library_id)
    return Report(
        made_at=figures.made_at,
        counted_s=figures.seconds,
        library=library,
        files=figures.files,
        bytes=figures.bytes,
        average_kbps=_average(figures.pictures),
        dimensions=make_dimensions(figures, with_libraries=library is None),
        potential=_potential(figures, library_id),
        health=score_health(figures),
        capacity=read_capacity(library),
        growth=read_growth(library_id),
        savings=read_savings(library_id),
    )


def _average(groups: Sequence[PictureGroup] | Sequence[SoundGroup]) -> int | None:
    return average_kbps(
        sum(group.bytes for group in groups), sum(group.duration_ms for group in groups)
    )


def _potential(figures: Figures, library_id: int | None) -> HevcPotential | None:
    """Reckoned film by film for a few hundred, which stand for the rest by their bytes."""
    chosen = [group for group in figures.pictures if group.codec == "h264"]
    files, size = sum(group.files for group in chosen), sum(group.bytes for group in chosen)
    if not size:  # no films, or only empty ones
        return None
    key = f"hevc-potential:{library_id or 'all'}:{figures.made_at:%Y%m%d%H%M%S}"
    found: tuple[SavingsEstimate, int] | None = cache.get(key)
    if found is None:
        found = _reckon(files, size, library_id)
        cache.set(key, found, SAMPLE_S)
    return HevcPotential(files, size, *found)


def _reckon(files: int, size: int, library_id: int | None) -> tuple[SavingsEstimate, int]:
    sample = _sample(files, library_id)
    savings = estimate_savings(sample, "balanced")
    nothing = SavingsEstimate(0, 0, 0, "rule")
    total = total_savings(savings.values()) or nothing
    sampled_bytes = sum(file.size_bytes for file in sample)
    if len(sample) >= files or not sampled_bytes:
        return total, 0
    factor = size / sampled_bytes
    scaled = SavingsEstimate(
        round(total.expected * factor),
        round(total.low * factor),
        round(total.high * factor),
        total.basis,
    )
    return scaled, len(sample)


def _sample(files: int, library_id: int | None) -> list[MediaFile]:
    """All H.264 films where they are few; else some, drawn by number, the same every time."""
    rows = MediaFile.objects.filter(
        video_codec="h264", removed_from_list_at=None, availability=Availability.PRESENT,
        kind=FileKind.VIDEO,
    )  # fmt: skip
    if library_id is not None:
        rows = rows.filter(library=library_id)
    if files <= SAMPLED_FILMS:
        return list(rows)
    ends = MediaFile.objects.aggregate(first=Min("pk"), last=Max("pk"))
    span = range(ends["first"], ends["last"] + 1)
    drawn = random.Random(1).sample(span, min(SAMPLE_IDS, len(span)))
    found: list[MediaFile] = []
    for start in range(0, len(drawn), 1_000):
        found += rows.filter(pk__in=drawn[start : start + 1_000])
        if len(found) >= SAMPLED_FILMS:
            break
    return found[:SAMPLED_FILMS]
