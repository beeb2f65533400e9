"""Puts a backup back. The database becomes what it was, the disks do not: the queue stays paused.

Everything is read, checked and marked as restored before the first byte of the live database
changes: at no moment, a power cut included, is an old database live whose queue runs. The database
as it was is kept as `backups/pre-restore-….sqlite3`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core import serializers
from django.core.management import call_command
from django.core.serializers.base import DeserializationError
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.leases import is_running_here
from mediaflow.base.models import Operation, OperationStatus, Setting
from mediaflow.base.restore_flag import PENDING_KEY
from mediaflow.base.settings_store import get_settings
from mediaflow.recovery import backup
from mediaflow.recovery.backup import BackupProblem, Manifest
from mediaflow.supervisor.database import (
    copy_sqlite,
    is_sqlite_file,
    set_wal_once,
    unknown_migrations,
)
from servers.models import SlotLease
from transcode.models import Job, JobStatus
from transcode.queue.pause import PAUSE_KEYS, pause_for_restore, rows_of_restore_pause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PUT_BACK = declare("restore.put_back", "the database is the backup's, keys and schema are not yet")
_SCRATCH_PREFIX: Final = ".mf-restore-"
PAUSE_REASON: Final = (
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

    Raises BackupProblem; its text says whether something was changed.
    """
    manifest = backup.read_manifest(path)
    if manifest.engine != connection.vendor:
        raise BackupProblem(
            f"The backup holds a {manifest.engine} database, MediaFlow runs on"
            f" {connection.vendor}. Set MEDIAFLOW_DATABASE_URL to that kind first."
        )
    _refuse_newer(manifest)
    _refuse_while_working()
    with ExitStack() as scratch:
        try:
            folder = _scratch_folder(scratch, settings.DATA_DIR)
            backup.unpack(path, folder)
            keys = _lay_keys_ready(folder, scratch) if manifest.has_keys else []
            kept = _put_back(manifest, folder)
        except (OSError, sqlite3.Error, DatabaseError, ValueError) as error:
            raise BackupProblem(
                f"The backup cannot be put back: {_words(error)}. Nothing was changed."
            ) from error
        reach(PUT_BACK)
        _finish(keys)
    return Restored(manifest, kept, manifest.has_keys)


def _scratch_folder(scratch: ExitStack, parent: Path) -> Path:
    """An empty folder; those of restores that were killed go (the lock is ours). Raises OSError."""
    for left in parent.glob(f"{_SCRATCH_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    return Path(scratch.enter_context(TemporaryDirectory(prefix=_SCRATCH_PREFIX, dir=parent)))


def _words(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()).rstrip(".") or type(error).__name__


def _finish(keys: list[Path]) -> None:
    """What is left once the database is the backup's. Raises BackupProblem; may be repeated."""
    try:
        if is_sqlite_file():
            Path(str(connection.settings_dict["NAME"])).chmod(0o600)
            set_wal_once()
        for key in keys:
            key.replace(settings.ENVIRONMENT.keys_dir / key.name)
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as error:  # a migration runs code of any kind
        raise BackupProblem(
            f"The database is the backup's now and its queue is paused, but not all is done:"
            f" {_words(error)}. Put that right, then run the same restore again."
        ) from error


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
    Setting.objects.get_or_create(key=PENDING_KEY, defaults={"value": _pending(before)})
    pause_for_restore(PAUSE_REASON)


def _mark_unpacked(database: sqlite3.Connection) -> None:
    """`mark_restored` for a database that is not live yet, whatever version made it."""
    keys = (PENDING_KEY, *PAUSE_KEYS)
    query = f"SELECT key, value FROM base_setting WHERE key IN ({', '.join('?' * len(keys))})"
    stored = {key: json.loads(value) for key, value in database.execute(query, keys)}
    marks = {
        PENDING_KEY: stored.get(PENDING_KEY, _pending(stored)),
        **rows_of_restore_pause(stored, PAUSE_REASON),
    }
    changed_at = str(connection.ops.adapt_datetimefield_value(timezone.now()))
    rows = [(key, json.dumps(value), changed_at) for key, value in marks.items()]
    with database:
        database.executemany(
            "INSERT OR REPLACE INTO base_setting (key, value, changed_at) VALUES (?, ?, ?)", rows
        )


def _pending(before: Mapping[str, Any]) -> dict[str, Any]:
    """What the queue was like, so that it can be so again."""
    return {
        "since": timezone.now().isoformat(),
        "queue_paused": before.get("queue_paused", False),
        "queue_paused_reason": before.get("queue_paused_reason", ""),
    }


def _refuse_newer(manifest: Manifest) -> None:
    newer = unknown_migrations(MigrationExecutor(connection).loader, manifest.migrations)
    if newer and manifest.version != backup.program_version():
        raise BackupProblem(
            f"The backup was made by MediaFlow {manifest.version}, which is newer than this"
            f" {backup.program_version()}. Install that version first. Nothing was changed."
        )
    if newer:
        raise BackupProblem(
            "The backup holds changes that this MediaFlow does not know"
            f" ({', '.join(newer[:3])}{' …' if len(newer) > 3 else ''}). Install the version that"
            " made it first. Nothing was changed."
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
        _mark_unpacked(source)
        live = Path(str(connection.settings_dict["NAME"]))
        kept: Path | None = None
        if live.exists():
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            kept = backup.backup_folder() / f"pre-restore-{stamp}.sqlite3"
            copy_sqlite(kept)
        connections.close_all()
        with closing(sqlite3.connect(live, timeout=60)) as target:
            source.backup(target)
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
            mark_restored()
        except (DeserializationError, ValueError) as error:
            raise BackupProblem(f"The backup is damaged: {error}. Nothing was changed.") from None
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(_no_style(), models):
                cursor.execute(statement)


def _no_style() -> Any:
    from django.core.management.color import no_style

    return no_style()


def _lay_keys_ready(folder: Path, scratch: ExitStack) -> list[Path]:
    """Copies beside the keys: what is left is a rename, which needs no room. Raises OSError."""
    keys_dir: Path = settings.ENVIRONMENT.keys_dir
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = _scratch_folder(scratch, keys_dir)
    ready = []
    for source in sorted((folder / "keys").iterdir()):
        copy = beside / source.name
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())
        ready.append(copy)
    return ready
