"""When libraries are scanned by themselves: at intervals, and for files that were growing."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.models import Availability, Library, LibraryKind, MediaFile
from library.services import active_scan, start_scan
from mediaflow.base.periodic import PeriodicTask

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)
CHECK_INTERVAL_S: Final = 30
# A frozen library is looked at more often: its disk may have come back.
FROZEN_INTERVAL_S: Final = 300


def due_rescans(now: datetime) -> list[Library]:
    """Enabled folder libraries whose next scan is due and that are not being scanned."""
    return [
        library
        for library in Library.objects.filter(kind=LibraryKind.FOLDER, is_enabled=True)
        if _is_due(library, now) and active_scan(library) is None
    ]


def _is_due(library: Library, now: datetime) -> bool:
    last = library.last_scan_at
    if last is None:
        return True
    if now < last:  # the clock went back: a scan costs little
        return True
    interval_s = library.rescan_interval_s
    if library.is_frozen:
        interval_s = min(interval_s, FROZEN_INTERVAL_S)
    if now - last >= timedelta(seconds=interval_s):
        return True
    settled = now - last >= timedelta(seconds=library.settle_window_s)
    return settled and _has_growing(library)


def _has_growing(library: Library) -> bool:
    return MediaFile.objects.filter(library=library, availability=Availability.GROWING).exists()


def start_due_rescans() -> None:
    """Queue a scan for each due library. Safe to run twice."""
    for library in due_rescans(timezone.now()):
        log.info("rescan of library %s is due", library.name)
        start_scan(library=library)


def periodic_tasks() -> Iterable[PeriodicTask]:
    """For the hook `periodic_tasks`."""
    return [PeriodicTask("library.scanning.rescans", CHECK_INTERVAL_S, start_due_rescans)]
