"""Which running scans a page shows: those a person asked for, and automatic ones that take long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from mediaflow.base.operation_fragment import operation_context

if TYPE_CHECKING:
    from mediaflow.base.models import Operation

# A rescan that finds nothing new is over at once; a card that flashes tells nobody anything.
QUIET_FOR: Final = timedelta(seconds=2)


def scan_card(scan: Operation | None, *, may_cancel: bool) -> dict[str, Any] | None:
    """The context of its fragment; None for a scan that nobody needs to see."""
    return operation_context(scan, may_cancel=may_cancel) if scan and is_shown(scan) else None


def is_shown(scan: Operation) -> bool:
    if scan.requested_by_id is not None:
        return True
    return scan.started_at is not None and timezone.now() - scan.started_at > QUIET_FOR
