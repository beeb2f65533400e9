"""A backup as a file: written whole or not at all, and nothing taken from a strange archive."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from mediaflow.recovery import backup
from mediaflow.recovery.backup import KEYS_PREFIX, MANIFEST, SQLITE_MEMBER, BackupProblem

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def data_dir(
    tmp_path: Path, migrated_data_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data directory with a database in a file, which is what is backed up."""
    database = tmp_path / "mediaflow.sqlite3"
    shutil.copyfile(migrated_data_dir / "mediaflow.sqlite3", database)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(database))
    settings.DATA_DIR = tmp_path
    return tmp_path


def run_backup() -> Operation:
    return run_operation_here(Operation.objects.create(kind="backup", title="Back up"))


def stored(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "backups").iterdir())


def archive(path: Path, members: dict[str, bytes], *, folder: str = "") -> Path:
    with tarfile.open(path, "w:gz") as target:
        if folder:
            member = tarfile.TarInfo(folder)
            member.type = tarfile.DIRTYPE
            target.addfile(member)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return path


def test_the_button_makes_a_backup_that_can_be_read(data_dir: Path, as_admin: Client) -> None:
    done = run_backup()
    assert done.status == "completed", done.message
    (name,) = stored(data_dir)
    assert done.result["name"] == name
    manifest = backup.read_manifest(data_dir / "backups" / name)
    assert (manifest.engine, manifest.has_keys) == ("sqlite", False)
    page = as_admin.get("/settings/")
    assert name in page.text


def test_only_the_newest_of_the_button_are_kept(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "KEPT_BY_PAGE", 2)
    (data_dir / "backups").mkdir()
    for number in range(3):
        old = data_dir / "backups" / f"mediaflow-{number}.tar.gz"
        old.touch()
        os.utime(old, (number, number))
    assert run_backup().status == "completed"
    assert len(stored(data_dir)) == 2
    assert stored(data_dir)[0] == "mediaflow-2.tar.gz"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    code: int, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    done = run_backup()
    assert done.status == "failed"
    assert done.message == (
        f"The backup cannot be written: {os.strerror(code)}. Make room in the data folder."
    )
    assert stored(data_dir) == []


def test_a_second_one_in_the_same_second_is_refused_and_the_first_stays(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = data_dir / "backups" / "mediaflow-now.tar.gz"
    target.parent.mkdir()
    target.write_bytes(b"the first")
    monkeypatch.setattr("mediaflow.recovery.operations.next_backup_path", lambda: target)
    done = run_backup()
    assert (done.status, "is there already" in done.message) == ("failed", True)
    assert target.read_bytes() == b"the first"


def test_a_name_that_was_taken_while_it_was_written_is_not_overwritten(
    data_dir: Path,
) -> None:
    target = data_dir / "one.tar.gz"

    def somebody_is_faster() -> None:
        target.write_bytes(b"the first")

    with pytest.raises(BackupProblem, match="is there already"):
        backup.write_backup(target, checkpoint=somebody_is_faster)
    assert target.read_bytes() == b"the first"
    assert [path.name for path in data_dir.glob(".one*")] == []


def test_a_disk_without_hard_links_takes_one_too(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_paths: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", fail)
    backup.write_backup(data_dir / "one.tar.gz")
    assert backup.read_manifest(data_dir / "one.tar.gz").engine == "sqlite"


@pytest.mark.parametrize(
    "members", [{}, {"other": b""}, {MANIFEST: b"[]"}, {MANIFEST: b"{}"}, {MANIFEST: b"\xff"}]
)
def test_another_archive_is_no_backup(members: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(BackupProblem, match="is no backup of MediaFlow"):
        backup.read_manifest(archive(tmp_path / "a.tar.gz", members))


def test_a_backup_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupProblem, match="cannot be read: Is a directory"):
        backup.read_manifest(tmp_path)


def test_only_our_own_names_are_unpacked(tmp_path: Path) -> None:
    strange = (f"{KEYS_PREFIX}../evil", "../evil", "/tmp/evil", f"{KEYS_PREFIX}a/evil", "evil")
    members = dict.fromkeys(strange, b"evil")
    path = archive(
        tmp_path / "a.tar.gz",
        {**members, SQLITE_MEMBER: b"rows", f"{KEYS_PREFIX}secret_key": b"key"},
        folder=f"{KEYS_PREFIX}evil",
    )
    folder = tmp_path / "here" / "inside"
    folder.mkdir(parents=True)
    backup.unpack(path, folder)
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    inside = folder.relative_to(tmp_path).as_posix()
    ours = (SQLITE_MEMBER, f"{KEYS_PREFIX}secret_key")
    assert found == ["a.tar.gz", *(f"{inside}/{name}" for name in ours)]


def test_a_backup_without_a_database_is_damaged(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {f"{KEYS_PREFIX}secret_key": b"key"})
    (tmp_path / "here").mkdir()
    with pytest.raises(BackupProblem, match="holds no database"):
        backup.unpack(path, tmp_path / "here")
