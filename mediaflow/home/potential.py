"""What could be saved, by reason, and the first ten to queue.

Where an analysis has run, from its recommendations and their kept sums; else from estimates of the
largest films.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.db.models import Count, Max

from library.analysis import sums
from library.analysis.kinds import KINDS
from library.listing.labels import quality_badges
from library.listing.rows import shown_title
from library.models import (
    AnalysisRun,
    Availability,
    FileKind,
    FileState,
    Library,
    MediaFile,
    Recommendation,
    RecommendationState,
)
from mediaflow.base.film_hooks import SavingsEstimate, estimate_savings, total_savings
from mediaflow.insights.rows import with_films
from transcode.models import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from library.listing.labels import QualityBadges
    from library.models import RecommendationSum

LOOKED_AT = 2_000  # the largest films hold most of what can be saved; more would cost a slow page
FIRST_QUEUED = 10
SHOWN = 5
BEST_LOOKED_AT = 500  # of so many that save most, some wait or are encoded already
DEFAULT_PRESET = "balanced"
CACHE_S = 60
OLD_CODECS = frozenset(
    {"mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v2", "msmpeg4v3", "vc1", "wmv1", "wmv2", "wmv3"}
)
COLUMNS = (
    "title", "year", "path", "size_bytes", "duration_ms", "video_codec", "width", "height",
    "resolution", "frame_rate_milli", "audio_codec", "audio_label", "audio_channels",
    "audio_languages", "hdr", "dolby_vision_profile", "bit_rate_kbps", "mediaflow_tag", "bit_depth",
    "show_title", "season", "episode", "kind", "container", "is_interlaced", "library_id", "state",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    label: str
    count: int
    saving: SavingsEstimate


@dataclass(frozen=True, slots=True)
class Candidate:
    """A film worth queueing."""

    id: int
    title: str
    year: int
    badges: QualityBadges
    saving: SavingsEstimate


@dataclass(frozen=True, slots=True)
class Potential:
    """`preset`: what the first are queued with; their savings are those of it.

    `is_whole` False: only the LOOKED_AT largest films were estimated.
    """

    total: SavingsEstimate
    reasons: tuple[Reason, ...]
    shown: tuple[Candidate, ...]
    first_ids: tuple[int, ...]
    first_total: SavingsEstimate
    is_whole: bool
    is_analysed: bool = False
    preset: str = DEFAULT_PRESET


def read_potential() -> Potential | None:
    """None when nothing would get smaller. Kept for a minute, or until a scan or a job ends."""
    if AnalysisRun.objects.filter(finished_at__isnull=False).exists():
        return _from_analysis()
    marks = Library.objects.aggregate(n=Count("id"), scanned=Max("last_scan_at"))
    last_job = Job.objects.order_by("-finished_at").values_list("id", flat=True).first()
    # Keys of a cache may hold no spaces.
    key = f"home-potential:{marks['n']}:{marks['scanned']}:{last_job}".replace(" ", "_")
    found: Potential | str | None = cache.get(key, "unknown")
    if isinstance(found, str):
        found = _estimate()
        cache.set(key, found, CACHE_S)
    return found


def _from_analysis() -> Potential | None:
    """Four statements, however many recommendations are open."""
    tallies = [row for row in sums.read_tallies() if row.state == RecommendationState.OPEN]
    total = sums.tally(row for row in tallies if row.kind == sums.ALL_KINDS)
    if total.savings_bytes <= 0:
        return None
    best = _best_films()
    savings = [_saving(row) for row in best]
    first_total = total_savings(savings)
    whole = SavingsEstimate(
        total.savings_bytes, total.savings_low_bytes, total.savings_high_bytes,
        _basis(tallies),
    )  # fmt: skip
    return Potential(
        total=whole,
        reasons=_kind_reasons(tallies),
        shown=tuple(
            _candidate(row.file, saving)
            for row, saving in zip(best[:SHOWN], savings, strict=False)
            if row.file is not None
        ),
        first_ids=tuple(row.file_id for row in best if row.file_id is not None),
        first_total=first_total or whole,
        is_whole=True,
        is_analysed=True,
        preset=KINDS[best[0].kind].preset if best else DEFAULT_PRESET,
    )


def _best_films() -> list[Recommendation]:
    """What saves most with one preset, each film once.

    First by an index alone; then the films of these are looked at.
    """
    kinds = [slug for slug, kind in KINDS.items() if kind.can_queue and not kind.is_group]
    rows = Recommendation.objects.filter(state=RecommendationState.OPEN, kind__in=kinds)
    first = rows.order_by("-savings_bytes", "-pk").values("pk")[:BEST_LOOKED_AT]
    ready = with_films(Recommendation.objects.filter(pk__in=first, savings_bytes__gt=0)).filter(
        file__state=FileState.NEW, file__availability=Availability.PRESENT
    )
    by_preset: dict[str, dict[int, Recommendation]] = {}
    # A film has at most a handful of them, one after the other.
    for row in ready.order_by("-savings_bytes", "-pk")[: 4 * FIRST_QUEUED]:
        films = by_preset.setdefault(KINDS[row.kind].preset, {})
        if row.file_id is not None and len(films) < FIRST_QUEUED:
            films.setdefault(row.file_id, row)
    found = [list(films.values()) for films in by_preset.values()]
    return max(found, key=lambda rows: sum(row.savings_bytes for row in rows), default=[])


def _saving(row: Recommendation) -> SavingsEstimate:
    basis = "learned" if row.basis == "learned" else "rule"
    return SavingsEstimate(
        row.savings_bytes, row.savings_low_bytes, row.savings_high_bytes, basis
    )  # fmt: skip


def _basis(tallies: Sequence[RecommendationSum]) -> str:
    """The weakest of them."""
    found = {row.basis for row in tallies if row.kind and row.savings_bytes}
    return "learned" if found == {"learned"} else "rule"


def _kind_reasons(tallies: Sequence[RecommendationSum]) -> tuple[Reason, ...]:
    by_kind: dict[str, list[RecommendationSum]] = {}
    for row in tallies:
        kind = KINDS.get(row.kind)
        if kind is not None and not kind.is_group and row.savings_bytes > 0:
            by_kind.setdefault(row.kind, []).append(row)
    rows = []
    for slug, found in by_kind.items():
        tally = sums.tally(found)
        saving = SavingsEstimate(
            tally.savings_bytes, tally.savings_low_bytes, tally.savings_high_bytes, _basis(found)
        )
        rows.append(Reason(f": {KINDS[slug].phrase}", tally.count, saving))
    return tuple(sorted(rows, key=lambda row: -row.saving.expected)[:4])


def _estimate() -> Potential | None:
    files = list(
        MediaFile.objects.filter(
            state=FileState.NEW,
            availability=Availability.PRESENT,
            kind=FileKind.VIDEO,
            removed_from_list_at=None,
        )
        .only(*COLUMNS)
        .order_by("-size_bytes")[: LOOKED_AT + 1]
    )
    looked_at = files[:LOOKED_AT]
    savings = estimate_savings(looked_at)
    total = total_savings(savings.values())
    if total is None or total.expected <= 0:
        return None
    best = sorted(
        (file for file in looked_at if file.pk in savings),
        key=lambda file: -savings[file.pk].expected,
    )[:FIRST_QUEUED]
    first_total = total_savings([savings[file.pk] for file in best])
    return Potential(
        total=total,
        reasons=_reasons(looked_at, savings),
        shown=tuple(_candidate(file, savings[file.pk]) for file in best[:SHOWN]),
        first_ids=tuple(file.pk for file in best),
        first_total=first_total or total,
        is_whole=len(files) <= LOOKED_AT,
    )


def _reasons(
    files: Sequence[MediaFile], savings: Mapping[int, SavingsEstimate]
) -> tuple[Reason, ...]:
    groups: dict[str, list[SavingsEstimate]] = {}
    for file in files:
        if file.pk in savings:
            groups.setdefault(_reason(file), []).append(savings[file.pk])
    rows = [
        Reason(label, len(members), saving)
        for label, members in groups.items()
        if (saving := total_savings(members)) is not None
    ]
    return tuple(sorted(rows, key=lambda row: -row.saving.expected)[:4])


def _reason(file: MediaFile) -> str:
    if file.video_codec in OLD_CODECS:
        return "in old codecs"
    if file.video_codec == "h264":
        return "in H.264"
    return "larger than needed"


def _candidate(file: MediaFile, saving: SavingsEstimate) -> Candidate:
    return Candidate(file.pk, shown_title(file), file.year, quality_badges(file), saving)
