"""Puts a backup back. The database becomes what it was, the disks do not: the queue stays paused.

Everything is read and checked before the first byte of the live database changes, and the database
as it was is kept as `backups/pre-restore-….sqlite3`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import serializers
from django.core.management import call_command
from django.core.serializers.base import DeserializationError
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mediaflow.base.leases import is_running_here
from mediaflow.base.models import Operation, OperationStatus, Setting
from mediaflow.base.restore_flag import PENDING_KEY
from mediaflow.base.settings_store import get_settings
from mediaflow.recovery import backup
from mediaflow.recovery.backup import BackupProblem, Manifest
from mediaflow.supervisor.database import copy_sqlite, set_wal_once
from servers.models import SlotLease
from transcode.models import Job, JobStatus
from transcode.queue.pause import pause_for_restore

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE_REASON = (
    "The database was restored from a backup. Run `mediaflow doctor --library`: it compares the"
    " database with the disks and lets the queue go on."
)


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    kept_database: Path | None
    has_keys: bool


def restore_backup(path: Path) -> Restored:
    """Replace the database by the one in the backup. The caller holds the instance lock.

    Raises BackupProblem; then nothing was changed.
    """
    manifest = backup.read_manifest(path)
    if manifest.engine != connection.vendor:
        raise BackupProblem(
            f"The backup holds a {manifest.engine} database, MediaFlow runs on"
            f" {connection.vendor}. Set MEDIAFLOW_DATABASE_URL to that kind first."
        )
    _refuse_newer(manifest)
    _refuse_while_working()
    with tempfile.TemporaryDirectory(prefix="restore-", dir=settings.DATA_DIR) as name:
        folder = Path(name)
        backup.unpack(path, folder)
        kept = _put_back(manifest, folder)
        if manifest.has_keys:
            _put_keys_back(folder)
    call_command("migrate", interactive=False, verbosity=0)
    mark_restored()
    return Restored(manifest, kept, manifest.has_keys)


def _refuse_while_working() -> None:
    """A process that goes on with rows of the database as it was would mix the two."""
    try:
        busy = [what for what, owner in _leases() if is_running_here(owner)]
    except DatabaseError:
        return  # no database yet, or one of another version: it is going to be replaced
    if busy:
        raise BackupProblem(
            f"{busy[0].capitalize()} is running. Stop `work`, `optimize` and every other MediaFlow"
            " process, then restore. Nothing was changed."
        )


def _leases() -> Iterator[tuple[str, str]]:
    """Whatever a process holds: what it is, and the process."""
    jobs = Job.objects.filter(status=JobStatus.RUNNING)
    for pk, owner in jobs.values_list("pk", "lease_owner"):
        yield f"job {pk}", owner
    operations = Operation.objects.filter(status=OperationStatus.RUNNING)
    for title, owner in operations.values_list("title", "lease_owner"):
        yield f"the operation “{title}”", owner
    for holder, owner in SlotLease.objects.values_list("holder", "owner"):
        yield f"the encode of {holder}", owner


def mark_restored() -> None:
    """The queue waits until database and disks were compared (`mediaflow.recovery.reconcile`)."""
    before = get_settings("queue_paused", "queue_paused_reason")
    Setting.objects.get_or_create(
        key=PENDING_KEY, defaults={"value": {"since": timezone.now().isoformat(), **before}}
    )
    pause_for_restore(PAUSE_REASON)


def _refuse_newer(manifest: Manifest) -> None:
    loader = MigrationExecutor(connection).loader
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    newer = [name for name in manifest.migrations if name not in known]
    if newer and manifest.version != backup.program_version():
        raise BackupProblem(
            f"The backup was made by MediaFlow {manifest.version}, which is newer than this"
            f" {backup.program_version()}. Install that version first."
        )
    if newer:
        raise BackupProblem(
            "The backup holds changes that this MediaFlow does not know. Nothing was changed."
        )


def _put_back(manifest: Manifest, folder: Path) -> Path | None:
    if manifest.engine == "sqlite":
        return _put_sqlite_back(folder / backup.SQLITE_MEMBER, manifest)
    _put_rows_back(folder / backup.ROWS_MEMBER, manifest)
    return None


def _put_sqlite_back(source_path: Path, manifest: Manifest) -> Path | None:
    """Through SQLite's backup API: one transaction, and other connections see the new content."""
    with closing(sqlite3.connect(source_path)) as source:
        try:
            verdict = source.execute("PRAGMA integrity_check").fetchone()[0]
            held = source.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
        except sqlite3.DatabaseError as error:
            verdict, held = str(error), []
        if verdict != "ok":
            raise BackupProblem(
                f"The database in the backup is damaged ({verdict}). Nothing was changed."
            )
        _refuse_newer(replace(manifest, migrations=[row[0] for row in held]))  # it may lie
        live = Path(str(connection.settings_dict["NAME"]))
        kept: Path | None = None
        if live.exists():
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            kept = backup.backup_folder() / f"pre-restore-{stamp}.sqlite3"
            copy_sqlite(kept)
        connections.close_all()
        with closing(sqlite3.connect(live, timeout=60)) as target:
            source.backup(target)
    live.chmod(0o600)
    set_wal_once()
    return kept


def _put_rows_back(rows_path: Path, manifest: Manifest) -> None:
    """All rows in one transaction: either the whole backup is there or the old rows still are."""
    call_command("migrate", interactive=False, verbosity=0)
    loader = MigrationExecutor(connection).loader
    assert loader.graph is not None
    current = {f"{app}.{name}" for app, name in loader.disk_migrations}
    if current - set(manifest.migrations):
        raise BackupProblem(
            f"The backup was made by MediaFlow {manifest.version}. Install that version, restore,"
            " then upgrade: its rows do not fit this one."
        )
    models = backup.dumped_models()
    with transaction.atomic(), rows_path.open(encoding="utf-8") as handle:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            tables = ", ".join(connection.ops.quote_name(m._meta.db_table) for m in models)
            cursor.execute(f"TRUNCATE {tables} CASCADE")
        try:
            for row in serializers.deserialize("jsonl", handle):
                row.save()
        except (DeserializationError, ValueError) as error:
            raise BackupProblem(f"The backup is damaged: {error}. Nothing was changed.") from None
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(_no_style(), models):
                cursor.execute(statement)


def _no_style() -> Any:
    from django.core.management.color import no_style

    return no_style()


def _put_keys_back(folder: Path) -> None:
    keys_dir: Path = settings.ENVIRONMENT.keys_dir
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for source in sorted((folder / "keys").iterdir()):
        part = keys_dir / f".{source.name}.{os.getpid()}.part"
        part.touch(mode=0o600)
        part.write_bytes(source.read_bytes())
        part.replace(keys_dir / source.name)
