"""A backup is one `.tar.gz`: a manifest, the database, and with `--with-keys` the folder `keys/`.

SQLite goes in as a consistent copy of its file (made while others write), PostgreSQL as JSON lines
read in one repeatable-read transaction. So a backup is put back into the kind of database it was
made from.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from mediaflow.supervisor.database import copy_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Model

FORMAT: Final = 1
BACKUP_OPERATION: Final = "backup"
MANIFEST, SQLITE_MEMBER, ROWS_MEMBER = "manifest.json", "database.sqlite3", "database.jsonl"
KEYS_PREFIX: Final = "keys/"
KEPT_BY_PAGE: Final = 7
# Signed-in browsers, beats of processes that will be dead, what Django derives from the code.
LEFT_OUT: Final = frozenset(
    {"sessions.session", "base.heartbeat", "contenttypes.contenttype", "auth.permission"}
)


class BackupProblem(Exception):
    """A backup that cannot be made or read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    format: int
    version: str
    made_at: str
    engine: str  # "sqlite" or "postgresql"
    migrations: list[str]  # "app.name"
    has_keys: bool


@dataclass(frozen=True, slots=True)
class StoredBackup:
    path: Path
    size_bytes: int
    made_at: datetime


def program_version() -> str:
    try:
        return version("mediaflow")
    except PackageNotFoundError:
        return "unknown"


def backup_folder() -> Path:
    return Path(settings.DATA_DIR) / "backups"


def list_backups() -> list[StoredBackup]:
    """Backups in the data directory, newest first."""
    found = []
    for path in backup_folder().glob("mediaflow-*.tar.gz"):
        with suppress(OSError):
            stat = path.stat()
            made_at = datetime.fromtimestamp(stat.st_mtime, UTC)
            found.append(StoredBackup(path, stat.st_size, made_at))
    return sorted(found, key=lambda backup: backup.made_at, reverse=True)


def next_backup_path() -> Path:
    """Where the page's button puts one."""
    folder = backup_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"mediaflow-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"


def forget_old_backups() -> None:
    """Keep the newest ones that the button made."""
    for backup in list_backups()[KEPT_BY_PAGE:]:
        backup.path.unlink(missing_ok=True)


def write_backup(
    target: Path, *, with_keys: bool = False, checkpoint: Callable[[], None] = lambda: None
) -> Manifest:
    """Write `target` whole or not at all. Raises BackupProblem, OSError; what `checkpoint` raises.

    Never overwrites: raises BackupProblem when the file is there.
    """
    if target.exists():
        raise BackupProblem(f"{target} is there already. Choose another name.")
    if not target.parent.is_dir():
        raise BackupProblem(f"The folder {target.parent} does not exist. Make it first.")
    manifest = _manifest(with_keys=with_keys)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="backup-", dir=target.parent) as folder:
            database = _dump_database(Path(folder), checkpoint)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                _write_archive(handle, manifest, database, with_keys=with_keys)
                handle.flush()
                os.fsync(handle.fileno())
        checkpoint()
        _publish(part, target)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _publish(part: Path, target: Path) -> None:
    """link() fails on an existing name, rename() would overwrite it."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise BackupProblem(f"{target} is there already. Choose another name.") from None
    except OSError:
        part.replace(target)  # a file system without hard links


def _manifest(*, with_keys: bool) -> Manifest:
    applied = MigrationRecorder(connection).applied_migrations()
    return Manifest(
        format=FORMAT,
        version=program_version(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=connection.vendor,
        migrations=sorted(f"{app}.{name}" for app, name in applied),
        has_keys=with_keys,
    )


def _dump_database(folder: Path, checkpoint: Callable[[], None]) -> Path:
    if connection.vendor == "sqlite":
        target = folder / SQLITE_MEMBER
        copy_sqlite(target)
        _forget_sessions(target)
        return target
    target = folder / ROWS_MEMBER
    with target.open("w", encoding="utf-8") as handle, transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for model in dumped_models():
            rows = model._base_manager.order_by("pk").iterator(chunk_size=500)
            for number, row in enumerate(rows):
                handle.write(serializers.serialize("jsonl", [row]))
                if number % 500 == 0:
                    checkpoint()
    return target


def _forget_sessions(copy: Path) -> None:
    """Whoever finds a backup must not be signed in by it: the rows are overwritten."""
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("PRAGMA secure_delete=ON")
        for table in ("django_session", "base_heartbeat"):
            database.execute(f"DELETE FROM {table}")


def dumped_models() -> list[type[Model]]:
    """All models whose rows are worth keeping, referenced ones first."""
    wanted = [m for m in apps.get_models(include_auto_created=True) if not m._meta.proxy]
    wanted = [m for m in wanted if m._meta.label_lower not in LEFT_OUT and m._meta.managed]
    automatic = [m for m in wanted if m._meta.auto_created]
    plain = [m for m in wanted if not m._meta.auto_created]
    return [*serializers.sort_dependencies([("", plain)]), *automatic]


def _write_archive(
    handle: IO[bytes], manifest: Manifest, database: Path, *, with_keys: bool
) -> None:
    with (
        gzip.GzipFile(fileobj=handle, mode="wb", compresslevel=3) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        _add_text(archive, MANIFEST, json.dumps(asdict(manifest), indent=2))
        archive.add(database, arcname=database.name, recursive=False)
        if with_keys:
            for path in sorted(settings.ENVIRONMENT.keys_dir.iterdir()):
                if path.is_file():
                    archive.add(path, arcname=KEYS_PREFIX + path.name, recursive=False)


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    raw = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(raw), 0o600
    archive.addfile(member, io.BytesIO(raw))


def read_manifest(path: Path) -> Manifest:
    """Raises BackupProblem when this is no backup of MediaFlow."""
    try:
        with tarfile.open(path, "r|gz") as archive:
            member = archive.next()
            if member is None or member.name != MANIFEST or member.size > 1_000_000:
                raise BackupProblem(f"{path} is no backup of MediaFlow.")
            handle = archive.extractfile(member)
            values: dict[str, Any] = json.loads(handle.read()) if handle else {}
            manifest = Manifest(**{key: values[key] for key in Manifest.__dataclass_fields__})
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, ValueError, KeyError, TypeError):
        raise BackupProblem(f"{path} is no backup of MediaFlow, or is damaged.") from None
    except OSError as error:
        raise BackupProblem(f"{path} cannot be read: {error.strerror or error}.") from None
    if manifest.format != FORMAT:
        raise BackupProblem(f"{path} was made by a newer MediaFlow ({manifest.version}).")
    return manifest


def unpack(path: Path, folder: Path) -> None:
    """Write a backup's files into `folder`; only names that we write ourselves are taken.

    Raises BackupProblem for a damaged one, OSError where the disk fails.
    """
    (folder / KEYS_PREFIX).mkdir(mode=0o700)
    has_database = False
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                handle = archive.extractfile(member) if _is_ours(member) else None
                if handle is not None:
                    with (folder / member.name).open("wb") as target:
                        shutil.copyfileobj(handle, target, 1 << 20)
                    has_database |= not member.name.startswith(KEYS_PREFIX)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupProblem(f"{path} is damaged: {error}. Nothing was changed.") from None
    if not has_database:
        raise BackupProblem(f"{path} holds no database; it is damaged. Nothing was changed.")


def _is_ours(member: tarfile.TarInfo) -> bool:
    if not member.isfile():
        return False
    key = member.name.removeprefix(KEYS_PREFIX)
    is_key = key != member.name and "/" not in key and key not in {"", ".", ".."}
    return is_key or member.name in {SQLITE_MEMBER, ROWS_MEMBER}
