"""What could be saved: estimates of the largest films, by reason, and the first ten to queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.db.models import Count, Max

from library.listing.labels import quality_badges
from library.listing.rows import shown_title
from library.models import Availability, FileKind, FileState, Library, MediaFile
from mediaflow.base.film_hooks import estimate_savings, total_savings
from transcode.models import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from library.listing.labels import QualityBadges
    from mediaflow.base.film_hooks import SavingsEstimate

LOOKED_AT = 2_000  # the largest films hold most of what can be saved; more would cost a slow page
FIRST_QUEUED = 10
SHOWN = 5
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
    """`is_whole` False: only the LOOKED_AT largest films were estimated."""

    total: SavingsEstimate
    reasons: tuple[Reason, ...]
    shown: tuple[Candidate, ...]
    first_ids: tuple[int, ...]
    first_total: SavingsEstimate
    is_whole: bool


def read_potential() -> Potential | None:
    """None when nothing would get smaller. Kept for a minute, or until a scan or a job ends."""
    marks = Library.objects.aggregate(n=Count("id"), scanned=Max("last_scan_at"))
    last_job = Job.objects.order_by("-finished_at").values_list("id", flat=True).first()
    # Keys of a cache may hold no spaces.
    key = f"home-potential:{marks['n']}:{marks['scanned']}:{last_job}".replace(" ", "_")
    found: Potential | str | None = cache.get(key, "unknown")
    if isinstance(found, str):
        found = _estimate()
        cache.set(key, found, CACHE_S)
    return found


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
