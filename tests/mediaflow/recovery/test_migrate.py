"""`migrate`: WAL once, a snapshot before each change, never on a newer database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from mediaflow.supervisor.database import SNAPSHOTS_KEPT, unknown_migrations

if TYPE_CHECKING:
    from pathlib import Path

    from django.db.migrations.loader import MigrationLoader

    from tests.conftest import Instance


def database(instance: Instance) -> sqlite3.Connection:
    return sqlite3.connect(instance.data_dir / "mediaflow.sqlite3")


def snapshots(instance: Instance) -> list[Path]:
    return sorted((instance.data_dir / "backups").glob("pre-migration-*.sqlite3"))


def pretend_older(instance: Instance) -> None:
    """As an upgrade finds it: one change of the code is not in the database."""
    with closing(database(instance)) as connection, connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        connection.execute("DROP TABLE django_session")


def test_the_database_is_in_write_ahead_mode_after_the_first_migrate(instance: Instance) -> None:
    with closing(database(instance)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_first_install_and_an_up_to_date_one_make_no_snapshot(instance: Instance) -> None:
    assert snapshots(instance) == []
    assert instance.run("migrate", "--verbosity", "0").returncode == 0
    assert snapshots(instance) == []


def test_an_upgrade_keeps_the_database_as_it_was(instance: Instance) -> None:
    pretend_older(instance)
    done = instance.run("migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    [kept] = snapshots(instance)
    assert kept.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(kept)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert "django_session" not in tables
    assert "library_mediafile" in tables


def test_only_the_newest_snapshots_are_kept(instance: Instance) -> None:
    folder = instance.data_dir / "backups"
    folder.mkdir()
    for number in range(SNAPSHOTS_KEPT + 2):
        (folder / f"pre-migration-2026010{number}T000000Z.sqlite3").write_bytes(b"old")
    pretend_older(instance)
    instance.run("migrate", "--verbosity", "0", check=True)
    assert len(snapshots(instance)) == SNAPSHOTS_KEPT
    assert snapshots(instance)[-1].read_bytes() != b"old"


def test_a_newer_database_is_left_alone(instance: Instance) -> None:
    with closing(database(instance)) as connection, connection:
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('library', '9999_future', '2031-01-01')"
        )
    done = instance.run("migrate")
    assert done.returncode == 2
    assert "newer MediaFlow" in done.stderr
    assert snapshots(instance) == []


def test_looking_changes_nothing(instance: Instance) -> None:
    pretend_older(instance)
    instance.run("migrate", "--plan")
    assert snapshots(instance) == []


def test_unknown_are_changes_of_our_apps_that_no_change_of_today_replaces() -> None:
    squashed = SimpleNamespace(replaces=[("library", "0001_a"), ("library", "0002_b")])
    today = {("library", "0001_squashed"): squashed, ("auth", "0001"): SimpleNamespace(replaces=[])}
    loader = cast("MigrationLoader", SimpleNamespace(disk_migrations=today))
    old = ["library.0001_squashed", "library.0001_a", "library.0002_b", "auth.0001", "gone.0009"]
    assert unknown_migrations(loader, old) == []
    assert unknown_migrations(loader, [*old, "transcode.0001", "auth.0002"]) == [
        "auth.0002", "transcode.0001",
    ]  # fmt: skip
