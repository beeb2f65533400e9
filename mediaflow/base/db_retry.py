"""Again after "database is locked" or a lost connection (trust.md, fault 37)."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from django.db import InterfaceError, OperationalError, connection

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def retry_on_busy(
    action: Callable[[], T],
    *,
    patience_s: float = 40.0,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Call `action` until it gets through; it must be one transaction that may be repeated.

    Waits with jitter, at most `patience_s` in all. Raises the last OperationalError or
    InterfaceError; inside an atomic block at once, for there the whole block must be repeated.
    """
    deadline = monotonic() + patience_s
    delay_s = 0.1
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or monotonic() >= deadline:
                raise
            connection.close()
            sleep(delay_s * random.uniform(0.5, 1.5))  # jitter, no secret
            delay_s = min(delay_s * 2, 3.0)
