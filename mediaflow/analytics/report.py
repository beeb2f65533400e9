"""The storage and quality report: what the library is made of, what it could be, how it grows.

Everything that counts files comes from one grouped count (`library.analysis.figures`), so the
report of a million files costs what that of a thousand does; its stamp says how old the count is.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from django.core.cache import cache
from django.db.models import Max, Min
from django.http import QueryDict

from library.analysis.figures import read_figures
from library.analysis.health import score_health
from library.listing.labels import (
    AUDIO_CODECS,
    AUDIO_LABELS,
    CONTAINERS,
    HDR_KINDS,
    RESOLUTIONS,
    VIDEO_CODECS,
    audio_codec_label,
    container_label,
    resolution_label,
    video_codec_label,
)
from library.models import Availability, FileKind, Library, MediaFile
from mediaflow.analytics.capacity import read_capacity
from mediaflow.analytics.growth import read_growth
from mediaflow.analytics.savings import read_savings
from mediaflow.base.film_hooks import SavingsEstimate, estimate_savings, total_savings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from library.analysis.figures import Figures, PictureGroup, SoundGroup
    from library.analysis.health import Health
    from mediaflow.analytics.capacity import Capacity
    from mediaflow.analytics.growth import Growth
    from mediaflow.analytics.savings import Savings

SAMPLED_FILMS: Final = 400
SAMPLE_IDS: Final = 20_000
SAMPLE_S: Final = 600
UNKNOWN: Final = "Unknown"

Group = TypeVar("Group", "PictureGroup", "SoundGroup")


class ReportProblem(Exception):
    """A report that cannot be made; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One value of a dimension. `query` finds its files in the library; "" where no filter can."""

    key: str
    label: str
    files: int
    bytes: int
    share_pct: float  # of all bytes
    average_kbps: int | None
    query: str


@dataclass(frozen=True, slots=True)
class Dimension:
    name: str
    title: str
    rows: tuple[ReportRow, ...]


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
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= 18
    found = Library.objects.filter(pk=int(wanted)).first() if is_number else None
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
        dimensions=_dimensions(figures, with_libraries=library is None),
        potential=_potential(figures, library_id),
        health=score_health(figures),
        capacity=read_capacity(library),
        growth=read_growth(library_id),
        savings=read_savings(library_id),
    )


def _dimensions(figures: Figures, *, with_libraries: bool) -> tuple[Dimension, ...]:
    names = dict(Library.objects.values_list("pk", "name"))
    # The filter by such a codec finds the films with the label, too, which have a row of their own.
    labelled = {group.audio_codec for group in figures.sounds if group.audio_label}
    by_library = _rows(
        figures.pictures,
        lambda g: str(g.library_id),
        lambda key: names.get(int(key), UNKNOWN),
        lambda key: _query("library", key),
    )
    own = (
        Dimension(
            "codec", "Video codec",
            _rows(
                figures.pictures, lambda g: g.codec, video_codec_label,
                lambda key: _query("codec", key) if key in VIDEO_CODECS else "",
            ),
        ),
        Dimension(
            "resolution", "Resolution",
            _rows(
                figures.pictures, lambda g: str(g.resolution or ""),
                lambda key: resolution_label(int(key or 0)),
                lambda key: _query("resolution", key) if int(key or 0) in RESOLUTIONS else "",
            ),
        ),
        Dimension(
            "hdr", "Dynamic range",
            _rows(
                figures.pictures, lambda g: g.hdr, lambda key: HDR_KINDS.get(key, key.upper()),
                lambda key: _query("hdr", key) if key in HDR_KINDS else "",
            ),
        ),
        Dimension(
            "container", "Container",
            _rows(
                figures.sounds, lambda g: g.container, container_label,
                lambda key: _query("container", key) if key in CONTAINERS else "",
            ),
        ),
        Dimension(
            "audio", "Best sound",
            _rows(
                figures.sounds, lambda g: g.audio_label or g.audio_codec,
                lambda key: key if key in AUDIO_LABELS else audio_codec_label(key),
                lambda key: _query("audio", key)
                if key in AUDIO_LABELS or key in AUDIO_CODECS.keys() - labelled else "",
            ),
        ),
    )  # fmt: skip
    return (*own, Dimension("library", "Library", by_library)) if with_libraries else own


def _query(name: str, value: str) -> str:
    query = QueryDict(mutable=True)
    query[name] = value
    return query.urlencode()


def _rows(
    groups: Iterable[Group],
    key_of: Callable[[Group], str],
    label_of: Callable[[str], str],
    query_of: Callable[[str], str],
) -> tuple[ReportRow, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for group in groups:
        entry = sums[key_of(group)]
        entry[0] += group.files
        entry[1] += group.bytes
        entry[2] += group.duration_ms
    whole = sum(entry[1] for entry in sums.values())
    rows = [
        ReportRow(
            key=key,
            label=(label_of(key) or UNKNOWN) if key else UNKNOWN,
            files=files,
            bytes=size,
            share_pct=round(100 * size / whole, 2) if whole else 0.0,
            average_kbps=_kbps(size, ms),
            query=query_of(key) if key else "",
        )
        for key, (files, size, ms) in sums.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.bytes, row.label)))


def _kbps(size: int, ms: int) -> int | None:
    """Bytes times eight per millisecond are kilobits a second."""
    return round(8 * size / ms) if ms else None


def _average(groups: Sequence[PictureGroup] | Sequence[SoundGroup]) -> int | None:
    return _kbps(sum(group.bytes for group in groups), sum(group.duration_ms for group in groups))


def _potential(figures: Figures, library_id: int | None) -> HevcPotential | None:
    """Reckoned film by film for a few hundred, which stand for the rest by their bytes."""
    chosen = [group for group in figures.pictures if group.codec == "h264"]
    files, size = sum(group.files for group in chosen), sum(group.bytes for group in chosen)
    if not files:
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
