"""How this process and its connection are set while very many rows are written.

PostgreSQL needs nothing of it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of the write-ahead log, 256 MB: the same pages of the indexes are changed again and again, and go
# to the database in larger steps.
CHECKPOINT_PAGES: Final = 64_000
# Negative: KiB. Most of the pages that a batch changes stay in memory until the next one.
CACHE: Final = -48_000
# The collector looks at all values of a batch again and again (a twentieth of the time of a sync),
# although nothing in them leads back to itself.
RARE_COLLECTIONS: Final = (100_000, 20, 20)


@contextmanager
def large_writes() -> Iterator[None]:
    """Many transactions of thousands of rows that each change pages all over the indexes."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*RARE_COLLECTIONS)
    try:
        # The map would hold the same pages a second time.
        with pragmas({"cache_size": CACHE, "mmap_size": 0, "wal_autocheckpoint": CHECKPOINT_PAGES}):
            yield
    finally:
        gc.set_threshold(*thresholds)


@contextmanager
def pragmas(values: Mapping[str, int]) -> Iterator[None]:
    """Other values of SQLite's settings for this connection, for a while. Not in a transaction."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    before = _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, int]) -> dict[str, int]:
    """Returns what they were."""
    before = {}
    with connection.cursor() as cursor:
        for name, value in values.items():
            row = cursor.execute(f"PRAGMA {name}").fetchone()
            if row is not None:  # a database in memory has no map
                before[name] = int(row[0])
                cursor.execute(f"PRAGMA {name}={value}")
    return before
