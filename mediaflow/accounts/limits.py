"""Login attempts per account and per address, counted in the audit log: all processes share it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from mediaflow.base.models import AuditEvent

if TYPE_CHECKING:
    from datetime import datetime

WINDOW_S = 300
FAILURES_PER_ACCOUNT = 5
FAILURES_PER_ADDRESS = 20

FAILED = "login.failed"
BLOCKED = "login.blocked"
SUCCEEDED = "login.succeeded"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, already counted as failed until `succeed` says otherwise."""

    event_id: int
    retry_at: datetime | None  # None: the password may be tried

    @property
    def minutes_left(self) -> int:
        left = (self.retry_at - timezone.now()).total_seconds() if self.retry_at else 0
        return max(1, math.ceil(left / 60))


def begin_attempt(*, username: str, address: str) -> Attempt:
    """Count first, look afterwards: guesses made at the same moment all see each other."""
    account = username.casefold()[:150]
    event = AuditEvent.objects.create(
        action=FAILED, actor_name=_one_line(account), subject=_one_line(account), address=address
    )
    since = timezone.now() - timedelta(seconds=WINDOW_S)
    recent = AuditEvent.objects.filter(action=FAILED, at__gte=since)
    retry_at = _limit_ends(
        list(
            recent.filter(subject=event.subject)
            .order_by("-at")
            .values_list("at", flat=True)[: FAILURES_PER_ACCOUNT + 1]
        ),
        FAILURES_PER_ACCOUNT,
    ) or _limit_ends(
        list(
            recent.filter(address=address)
            .order_by("-at")
            .values_list("at", flat=True)[: FAILURES_PER_ADDRESS + 1]
        ),
        FAILURES_PER_ADDRESS,
    )
    if retry_at is not None:
        # A refused attempt does not prolong the wait, and floods leave one row a minute.
        _record_blocked(event)
    return Attempt(event.pk, retry_at)


def succeed(attempt: Attempt) -> None:
    """The password was right: the attempt was no failure."""
    AuditEvent.objects.filter(pk=attempt.event_id).update(action=SUCCEEDED)


def _limit_ends(newest_first: list[datetime], allowed: int) -> datetime | None:
    """When the next attempt is let through; None when this one is. The list holds this one too."""
    if len(newest_first) <= allowed:
        return None
    return newest_first[allowed] + timedelta(seconds=WINDOW_S)


def _record_blocked(event: AuditEvent) -> None:
    minute_ago = timezone.now() - timedelta(minutes=1)
    already = AuditEvent.objects.filter(
        action=BLOCKED, subject=event.subject, address=event.address, at__gte=minute_ago
    )
    if already.exists():
        event.delete()
    else:
        AuditEvent.objects.filter(pk=event.pk).update(action=BLOCKED)


def _one_line(text: str) -> str:
    return " ".join(text.split())
