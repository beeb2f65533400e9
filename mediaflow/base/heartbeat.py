"""The pulse of a process that others look for: `consumer:<host>:<pid>`."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Final

from django.db.models import F
from django.utils import timezone

from mediaflow.base.leases import is_gone, own_identity
from mediaflow.base.models import Heartbeat

FRESH: Final = timedelta(seconds=30)
FORGOTTEN: Final = timedelta(days=1)


class Pulse:
    """Moves one Heartbeat row; `end` removes it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.name = f"{kind}:{socket.gethostname()}:{os.getpid()}"
        self._owner = own_identity()

    def beat(self, **detail: object) -> None:
        now = timezone.now()
        values = {"detail": {"owner": self._owner, **detail}, "seen_at": now}
        row, is_new = Heartbeat.objects.get_or_create(name=self.name, defaults=values)
        if is_new:
            of_this_kind = Heartbeat.objects.filter(name__startswith=f"{self._kind}:")
            of_this_kind.filter(seen_at__lt=now - FORGOTTEN).delete()
        else:
            Heartbeat.objects.filter(pk=row.pk).update(counter=F("counter") + 1, **values)

    def end(self) -> None:
        Heartbeat.objects.filter(name=self.name).delete()


def has_live_process(kind: str) -> bool:
    """Whether a process of that kind was seen lately and is not known to be gone."""
    fresh = Heartbeat.objects.filter(
        name__startswith=f"{kind}:", seen_at__gte=timezone.now() - FRESH
    )
    return any(not is_gone(str(row.detail.get("owner", ""))) for row in fresh)
