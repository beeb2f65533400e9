"""Huey as this instance uses it: signed messages, and no fsync for each wake-up in SQLite.

Made here and not in the settings, because most commands start without Huey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from huey import Huey, RedisHuey, SqliteHuey
from huey.serializer import SignedSerializer
from huey.storage import SqliteStorage

if TYPE_CHECKING:
    import sqlite3


class WakeSqliteStorage(SqliteStorage):  # type: ignore[misc]  # huey has no types
    """A lost bell is repaired by looking."""

    def _create_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._create_connection()
        connection.execute("pragma synchronous=normal")
        return connection


class _SignedHuey(Huey):  # type: ignore[misc]  # huey has no types
    """Huey unpickles what it reads: only what this instance signed is taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, serializer=SignedSerializer(secret=settings.SECRET_KEY), **kwargs)


class WakeSqliteHuey(_SignedHuey, SqliteHuey):  # type: ignore[misc]  # huey has no types
    storage_class = WakeSqliteStorage


class WakeRedisHuey(_SignedHuey, RedisHuey):  # type: ignore[misc]  # huey has no types
    pass
