"""Huey's SQLite storage without an fsync for each wake-up: a lost bell is repaired by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey import SqliteHuey
from huey.storage import SqliteStorage

if TYPE_CHECKING:
    import sqlite3


class WakeSqliteStorage(SqliteStorage):  # type: ignore[misc]  # huey has no types
    def _create_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._create_connection()
        connection.execute("pragma synchronous=normal")
        return connection


class WakeSqliteHuey(SqliteHuey):  # type: ignore[misc]  # huey has no types
    storage_class = WakeSqliteStorage
