"""The database at start: a newer one stops, a snapshot before each migration, WAL once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from django.db.migrations.loader import MigrationLoader

SNAPSHOTS_KEPT = 5
SNAPSHOT_PREFIX = "pre-migration-"
PAGES_PER_STEP = 4096


class DatabaseIsNewer(Exception):
    """A later version of MediaFlow has changed this database."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            "The database was made by a newer MediaFlow (it has the changes"
            f" {', '.join(names[:3])}{' …' if len(names) > 3 else ''}). Install that version again,"
            " or restore a backup made by this one."
        )


def unknown_migrations(loader: MigrationLoader, applied: Iterable[str]) -> list[str]:
    """Changes ("app.name") that the code does not know: a newer MediaFlow made them.

    Those of an app that the code no longer has, and those that one change of today replaces, are
    old ones.
    """
    ours = {app for app, _ in loader.disk_migrations} | {"library", "transcode", "servers"}
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)
    names = {f"{app}.{name}" for app, name in known}
    return sorted(name for name in applied if name.partition(".")[0] in ours and name not in names)


def refuse_newer_database() -> None:
    """Raises DatabaseIsNewer."""
    applied = MigrationRecorder(connection).applied_migrations()
    names = [f"{app}.{name}" for app, name in applied]
    unknown = unknown_migrations(MigrationExecutor(connection).loader, names)
    if unknown:
        raise DatabaseIsNewer(unknown)


def has_pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def is_sqlite_file() -> bool:
    name = str(connection.settings_dict["NAME"])
    return connection.vendor == "sqlite" and ":memory:" not in name and "mode=memory" not in name


def copy_sqlite(target: Path) -> None:
    """A consistent copy of the live database, made while others read and write. Atomic."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(str(connection.settings_dict["NAME"]), timeout=60)) as source,
        closing(sqlite3.connect(part)) as copy,
    ):
        source.backup(copy, pages=PAGES_PER_STEP)
        copy.execute("PRAGMA journal_mode=DELETE")
    part.chmod(0o600)
    part.replace(target)


def snapshot_before_migration(folder: Path) -> Path | None:
    """Keep the database as it is before it changes; None when there is nothing worth keeping."""
    if not is_sqlite_file():
        return None
    if not MigrationRecorder(connection).applied_migrations():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder / f"{SNAPSHOT_PREFIX}{stamp}.sqlite3"
    copy_sqlite(target)
    for old in sorted(folder.glob(f"{SNAPSHOT_PREFIX}*.sqlite3"))[:-SNAPSHOTS_KEPT]:
        old.unlink(missing_ok=True)
    return target


def set_wal_once() -> None:
    """Write-ahead logging belongs to the file: set at install, never per connection."""
    if not is_sqlite_file():
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        row = cursor.fetchone()
        if row and row[0] != "wal":
            cursor.execute("PRAGMA journal_mode=WAL")
