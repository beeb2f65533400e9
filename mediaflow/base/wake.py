"""The bell: tells the consumer to look for work now. It carries nothing and may be lost.

The rows in the database are the truth; the dispatcher looks for work by itself every few seconds,
so a bell that does not ring costs seconds, never a job.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)
_ringers: list[Callable[[], object]] = []


def register_ringer(ringer: Callable[[], object]) -> None:
    """Say how the consumer is woken; called once, by the room that owns the Huey task."""
    _ringers[:] = [ringer]


def ring() -> None:
    """Wake the consumer. Never raises: call it after the commit, `transaction.on_commit(ring)`."""
    for ringer in _ringers:
        try:
            ringer()
        except Exception:  # any broker's error: the sweeper repairs a lost bell
            log.warning("the consumer could not be woken; it looks by itself soon", exc_info=True)
