"""Again after "database is locked" or a lost connection (trust.md, fault 37)."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import TYPE_CHECKING, Final, TypeVar

from django.db import InterfaceError, OperationalError, connection

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
DATABASE_ERRORS: Final = (OperationalError, InterfaceError)
# SQLite has one exception for "locked" and for "no such table"; its code tells them apart.
_WRONG_STATEMENT: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE})
# Classes of PostgreSQL's SQLSTATE that pass: connection, rollback, resources, lock, shutdown.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING: Final = ("08", "40", "53", "55", "57P")


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
        except DATABASE_ERRORS:
            if connection.in_atomic_block or monotonic() >= deadline:
                raise
            connection.close()
            sleep(delay_s * random.uniform(0.5, 1.5))  # jitter, no secret
            delay_s = min(delay_s * 2, 3.0)


def is_database_away(error: BaseException) -> bool:
    """Whether it failed for now (locked, full, connection lost), not for what was asked of it."""
    if not isinstance(error, DATABASE_ERRORS):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_PASSING)
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _WRONG_STATEMENT  # the low byte is the kind
