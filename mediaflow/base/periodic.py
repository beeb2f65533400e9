"""Scheduled tasks: whoever inserts (name, slot) first runs it, so several consumers run it once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from mediaflow.base.hooks import hooked
from mediaflow.base.models import PeriodicRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

log = logging.getLogger(__name__)
KEPT_FOR: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Run about every `interval_s` seconds by one consumer. Idempotent; a run may be missed."""

    name: str
    interval_s: int
    run: Callable[[], object]


def registered_tasks() -> list[PeriodicTask]:
    """All tasks of all rooms (hook `periodic_tasks`)."""
    return [task for callee in hooked("periodic_tasks") for task in callee()]


def run_due_tasks(tasks: Iterable[PeriodicTask] | None = None, now: datetime | None = None) -> int:
    """Run what is due and not taken by another consumer. Returns how many ran.

    A task that fails is logged; the others run.
    """
    moment = now or timezone.now()
    ran = 0
    for task in registered_tasks() if tasks is None else tasks:
        slot = str(int(moment.timestamp()) // task.interval_s)
        if not _elect(task.name, slot, moment):
            continue
        ran += 1
        try:
            task.run()
        except Exception:  # the edge: one room's task must not stop the others
            log.exception("periodic task %s failed", task.name)
    return ran


def _elect(name: str, slot: str, moment: datetime) -> bool:
    if PeriodicRun.objects.filter(name=name, slot=slot).exists():
        return False
    try:
        with transaction.atomic():
            PeriodicRun.objects.create(name=name, slot=slot, ran_at=moment)
            PeriodicRun.objects.filter(name=name, ran_at__lt=moment - KEPT_FOR).delete()
    except IntegrityError:
        return False
    return True
