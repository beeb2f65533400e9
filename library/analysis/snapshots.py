"""A library on one day: written after scans and once a day, for growth over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from library.analysis.health import score_health
from library.models import Library, LibrarySnapshot

if TYPE_CHECKING:
    from library.analysis.figures import Figures


def store_snapshots(figures: Figures) -> int:
    """One row per library and day, the newest count wins. Returns how many libraries."""
    day = timezone.localdate(figures.made_at)
    libraries = list(Library.objects.only("name"))
    with transaction.atomic():
        for library in libraries:
            own = figures.of_library(library.pk)
            LibrarySnapshot.objects.update_or_create(
                library=library, day=day, defaults=_snapshot_values(library.name, own)
            )
    return len(libraries)


def _snapshot_values(name: str, own: Figures) -> dict[str, object]:
    by_codec: dict[str, list[int]] = {}
    for group in own.pictures:
        entry = by_codec.setdefault(group.codec, [0, 0])
        entry[0] += group.files
        entry[1] += group.bytes
    health = score_health(own)
    return {
        "library_name": name,
        "file_count": own.files,
        "total_bytes": own.bytes,
        "by_codec": by_codec,
        "health_score": health.score if health else None,
    }
