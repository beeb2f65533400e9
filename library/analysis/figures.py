"""The whole list counted in groups, with one look at every file: for report, health and growth.

A count is two statements, whatever is asked of it later. Small libraries are counted when somebody
looks; large ones after a scan and once a day, and every page says how old the figures are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone

from library.models import Library, MediaFile, StorageFigures
from mediaflow.base.models import ACTIVE, Operation
from mediaflow.base.operations import OperationContext, start_operation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.contrib.auth.models import AbstractBaseUser

COUNT_KIND: Final = "storage_figures"
# So many files are counted while a page waits; of more, the last count is shown with its age.
LIVE_UP_TO: Final = 20_000
LIVE_S: Final = 60


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Files alike in library, resolution, codec, HDR and step of the bit rate."""

    library_id: int
    resolution: int
    codec: str
    hdr: str
    rate_step: int
    files: int
    bytes: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SoundGroup:
    """Files alike in library, container and best audio track."""

    library_id: int
    container: str
    audio_codec: str
    audio_label: str
    files: int
    bytes: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A count, and when it was made."""

    made_at: datetime
    pictures: tuple[PictureGroup, ...]
    sounds: tuple[SoundGroup, ...]
    seconds: float = 0.0

    def of_library(self, library_id: int | None) -> Figures:
        """Only one library's groups; all for None."""
        if library_id is None:
            return self
        return Figures(
            self.made_at,
            tuple(group for group in self.pictures if group.library_id == library_id),
            tuple(group for group in self.sounds if group.library_id == library_id),
            self.seconds,
        )

    @property
    def files(self) -> int:
        return sum(group.files for group in self.pictures)

    @property
    def bytes(self) -> int:
        return sum(group.bytes for group in self.pictures)

    @property
    def library_ids(self) -> list[int]:
        return sorted({group.library_id for group in self.pictures})


def count_figures() -> Figures:
    """Now: two statements that read every listed file."""
    begun = time.monotonic()
    sums = {"n": Count("pk"), "size": Sum("size_bytes"), "ms": Sum("duration_ms")}
    listed = MediaFile.objects.filter(removed_from_list_at=None).order_by()
    with transaction.atomic():
        pictures = list(
            listed.values_list("library_id", "video_group", "rate_step").annotate(**sums)
        )
        sounds = list(listed.values_list("library_id", "sound_group").annotate(**sums))
    return Figures(
        made_at=timezone.now(),
        pictures=tuple(_read_picture(row) for row in pictures),
        sounds=tuple(_read_sound(row) for row in sounds),
        seconds=time.monotonic() - begun,
    )


def _read_picture(row: Iterable[Any]) -> PictureGroup:
    library_id, group, rate_step, files, size, ms = row
    resolution, codec, hdr = group.split(":", 2)
    return PictureGroup(library_id, int(resolution), codec, hdr, rate_step, files, size, ms)


def _read_sound(row: Iterable[Any]) -> SoundGroup:
    library_id, group, files, size, ms = row
    container, codec, label = group.split(":", 2)
    return SoundGroup(library_id, container, codec, label, files, size, ms)


def store_figures() -> Figures:
    """Count, and keep it in place of the count before."""
    found = count_figures()
    row = StorageFigures(
        made_at=found.made_at,
        seconds=found.seconds,
        pictures=[
            [g.library_id, f"{g.resolution}:{g.codec}:{g.hdr}", g.rate_step, *_sums(g)]
            for g in found.pictures
        ],
        sounds=[
            [g.library_id, f"{g.container}:{g.audio_codec}:{g.audio_label}", *_sums(g)]
            for g in found.sounds
        ],
    )
    with transaction.atomic():
        row.save()
        StorageFigures.objects.filter(pk__lt=row.pk).delete()
    return found


def store_count() -> Figures:
    """Count, keep it, and write the day's line of each library: what keeps a count writes it."""
    from library.analysis.snapshots import store_snapshots

    found = store_figures()
    store_snapshots(found)
    return found


def _sums(group: PictureGroup | SoundGroup) -> tuple[int, int, int]:
    return group.files, group.bytes, group.duration_ms


def read_figures() -> Figures | None:
    """The figures to show: counted now where that is cheap, else the last count; None: none yet."""
    if is_counted_live():
        marks = Library.objects.aggregate(n=Count("id"), scanned=Max("last_scan_at"))
        # Keys of a cache may hold no spaces.
        key = f"storage-figures:{marks['n']}:{marks['scanned']}".replace(" ", "_")
        found: Figures | None = cache.get(key)
        if found is None:
            found = count_figures()
            cache.set(key, found, LIVE_S)
        return found
    row = StorageFigures.objects.order_by("-pk").first()
    if row is None:
        return None
    return Figures(
        made_at=row.made_at,
        pictures=tuple(_read_picture(group) for group in row.pictures),
        sounds=tuple(_read_sound(group) for group in row.sounds),
        seconds=row.seconds,
    )


def is_counted_live() -> bool:
    """The list is small enough to be counted while somebody waits."""
    listed = Library.objects.aggregate(files=Sum("file_count"))["files"] or 0
    return bool(listed <= LIVE_UP_TO)


def is_stale(now: datetime | None = None) -> bool:
    """A scan ended since the last stored count, or that is of another day."""
    made_at = StorageFigures.objects.order_by("-pk").values_list("made_at", flat=True).first()
    if made_at is None:
        return bool(Library.objects.exists())
    scanned_at = Library.objects.aggregate(at=Max("last_scan_at"))["at"]
    moment = now or timezone.now()
    is_other_day = timezone.localdate(made_at) != timezone.localdate(moment)
    return is_other_day or (scanned_at is not None and scanned_at > made_at)


def start_count(actor: AbstractBaseUser | None = None) -> Operation:
    """Count again as an operation; the one that runs already when there is one."""
    return start_operation(
        kind=COUNT_KIND,
        title="Count the library",
        lock_key=COUNT_KIND,
        actor=actor,
    )


def active_count() -> Operation | None:
    """The count that waits or runs."""
    return Operation.objects.filter(lock_key=COUNT_KIND, status__in=ACTIVE).first()


def run_count(context: OperationContext) -> None:
    """Handler of the operation."""
    context.checkpoint()
    found = store_count()
    context.report(found.files, found.files, message=f"{found.files:,} files counted.")
    context.set_result({"files": found.files, "bytes": found.bytes, "seconds": found.seconds})


def count_when_due() -> None:
    """Periodic: after scans and once a day. A large library is counted in a process of its own."""
    if not is_stale():
        return
    if is_counted_live():
        store_count()
    else:
        start_count()
