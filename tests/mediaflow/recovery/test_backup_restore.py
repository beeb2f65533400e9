"""The drill: back up while running, lose things, put it back, compare, go on."""

from __future__ import annotations

import json
import signal
import sqlite3
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.leases import own_identity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Instance

PERSON = (
    "from mediaflow.accounts.models import User;"
    "User.objects.create_user('{name}', password='a long phrase', role='admin')"
)


def shell(instance: Instance, code: str) -> str:
    done = instance.run("shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rows(instance: Instance, query: str) -> list[str]:
    with closing(sqlite3.connect(instance.data_dir / "mediaflow.sqlite3")) as database:
        return sorted(row[0] for row in database.execute(query))


def people(instance: Instance) -> list[str]:
    return rows(instance, "SELECT username FROM accounts_user")


def is_paused(instance: Instance) -> bool:
    return rows(instance, "SELECT value FROM base_setting WHERE key = 'queue_paused'") == ["true"]


@pytest.fixture
def archive(instance: Instance, tmp_path: Path) -> Path:
    """A backup of an instance with one person in it."""
    shell(instance, PERSON.format(name="ada"))
    target = tmp_path / "one.tar.gz"
    done = instance.run("backup", str(target))
    assert done.returncode == 0, done.stderr
    return target


def test_restore_brings_the_database_back_and_keeps_the_one_before(
    instance: Instance, archive: Path
) -> None:
    shell(instance, PERSON.format(name="eve"))
    done = instance.run("restore", str(archive))
    assert done.returncode == 0, done.stderr
    assert people(instance) == ["ada"]
    kept = next((instance.data_dir / "backups").glob("pre-restore-*.sqlite3"))
    with closing(sqlite3.connect(kept)) as database:
        names = [row[0] for row in database.execute("SELECT username FROM accounts_user")]
    assert sorted(names) == ["ada", "eve"]


def test_after_a_restore_the_queue_waits_for_the_comparison(
    instance: Instance, archive: Path
) -> None:
    instance.run("restore", str(archive), check=True)
    assert is_paused(instance)
    plain = instance.run("doctor", "--json")
    restore = [c for c in json.loads(plain.stdout)["checks"] if c["name"] == "restore"]
    assert (plain.returncode, restore[0]["ok"]) == (1, False)
    assert is_paused(instance)
    compared = instance.run("doctor", "--library", "--json")
    assert compared.returncode == 0, compared.stdout
    assert not is_paused(instance)


def test_a_queue_that_was_paused_when_backed_up_stays_paused(
    instance: Instance, tmp_path: Path
) -> None:
    shell(
        instance,
        "from mediaflow.base.settings_store import *;"
        "set_setting('queue_paused', True, None); set_setting('queue_paused_reason', 'Heat', None)",
    )
    instance.run("backup", str(tmp_path / "b.tar.gz"), check=True)
    instance.run("restore", str(tmp_path / "b.tar.gz"), check=True)
    instance.run("doctor", "--library")
    assert is_paused(instance)


def test_a_backup_holds_no_keys_and_no_sessions_unless_asked(
    instance: Instance, archive: Path, tmp_path: Path
) -> None:
    shell(
        instance,
        "from django.contrib.sessions.backends.db import SessionStore;"
        "s = SessionStore('stolen-session-key-0123456789ab'); s['x'] = 1; s.save(must_create=True)",
    )
    instance.run("backup", str(tmp_path / "plain.tar.gz"), check=True)
    instance.run("backup", "--with-keys", str(tmp_path / "keys.tar.gz"), check=True)
    key = (instance.data_dir / "keys" / "secret_key").read_bytes().strip()
    with tarfile.open(tmp_path / "plain.tar.gz") as plain:
        assert sorted(plain.getnames()) == ["database.sqlite3", "manifest.json"]
        for member in plain.getmembers():
            handle = plain.extractfile(member)
            content = handle.read() if handle else b""
            assert key not in content
            assert b"stolen-session-key" not in content
    with tarfile.open(tmp_path / "keys.tar.gz") as full:
        assert "keys/secret_key" in full.getnames()
    assert (tmp_path / "keys.tar.gz").stat().st_mode & 0o077 == 0


def test_lost_keys_come_back_with_the_backup_that_holds_them(
    instance: Instance, tmp_path: Path
) -> None:
    secret = instance.data_dir / "keys" / "secret_key"
    before = secret.read_text()
    instance.run("backup", "--with-keys", str(tmp_path / "k.tar.gz"), check=True)
    secret.unlink()
    instance.run("restore", str(tmp_path / "k.tar.gz"), check=True)
    assert secret.read_text() == before
    assert secret.stat().st_mode & 0o077 == 0


def test_an_existing_file_is_never_overwritten(instance: Instance, archive: Path) -> None:
    before = archive.read_bytes()
    done = instance.run("backup", str(archive))
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert archive.read_bytes() == before


@pytest.mark.parametrize("target", ["no/such/folder/b.tar.gz", "."])
def test_an_impossible_target_is_a_sentence(
    instance: Instance, tmp_path: Path, target: str
) -> None:
    done = instance.run("backup", str(tmp_path / target))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


CHANGE_OF = (
    "INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '9999_far', '2030-01-01')"
)


def damaged(kind: str, archive: Path, folder: Path) -> Path:
    path = folder / f"{kind}.tar.gz"
    whole = archive.read_bytes()
    if kind == "missing":
        return path
    if kind == "text":
        path.write_text("hello")
    if kind == "cut":
        path.write_bytes(whole[: len(whole) * 2 // 3])
    if kind == "flipped":
        middle = len(whole) // 2
        path.write_bytes(
            whole[:middle] + bytes(255 - b for b in whole[middle:][:64]) + whole[middle + 64 :]
        )
    if kind == "newer":
        _rewrite(archive, path, {"version": "99.0", "migrations": ["transcode.9999_future"]})
    if kind == "newer, same version":
        _rewrite(archive, path, {"migrations": ["transcode.9999_future"]})
    if kind == "format":
        _rewrite(archive, path, {"format": 99})
    if kind == "newer than it says":
        _rewrite(archive, path, {}, CHANGE_OF.format(app="transcode"))
    if kind == "no tables":
        _rewrite(archive, path, {}, "DROP TABLE django_migrations")
    return path


def _rewrite(archive: Path, target: Path, changes: dict[str, object], statement: str = "") -> None:
    """The same backup with another manifest, or after a statement on its database."""
    import io

    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for member in old.getmembers():
            handle = old.extractfile(member)
            content = handle.read() if handle else b""
            if member.name == "manifest.json":
                content = json.dumps({**json.loads(content), **changes}).encode()
            elif statement:
                content = _changed(content, target.with_suffix(".sqlite3"), statement)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


def _changed(content: bytes, scratch: Path, statement: str) -> bytes:
    scratch.write_bytes(content)
    with closing(sqlite3.connect(scratch)) as database, database:
        database.execute(statement)
    return scratch.read_bytes()


def test_what_is_no_good_backup_is_refused_and_nothing_changes(
    instance: Instance, archive: Path, tmp_path: Path
) -> None:
    shell(instance, PERSON.format(name="bea"))  # whom no backup knows
    for kind in (
        "missing", "text", "cut", "flipped", "newer", "newer, same version", "format",
        "newer than it says", "no tables",
    ):  # fmt: skip
        done = instance.run("restore", str(damaged(kind, archive, tmp_path)))
        assert done.returncode == 2, (kind, done.stdout)
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "newer" not in kind or "Nothing was changed" in done.stderr, done.stderr
        assert people(instance) == ["ada", "bea"], kind
    assert not is_paused(instance)


def test_a_change_of_an_app_that_is_no_more_does_not_make_a_backup_newer(
    instance: Instance, archive: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older.tar.gz"
    changes: dict[str, object] = {"version": "0.0.1", "migrations": ["abandoned.9999_far"]}
    _rewrite(archive, older, changes, CHANGE_OF.format(app="abandoned"))
    done = instance.run("restore", str(older))
    assert (done.returncode, people(instance)) == (0, ["ada"]), done.stderr


def test_a_backup_taken_while_others_write_is_consistent(
    instance: Instance, tmp_path: Path
) -> None:
    code = (
        "from mediaflow.base.models import AuditEvent\n"
        "from django.db import transaction\n"
        "for n in range(2000):\n"
        "    with transaction.atomic():\n"
        "        AuditEvent.objects.create(action='left', subject=str(n))\n"
        "        AuditEvent.objects.create(action='right', subject=str(n))\n"
    )
    writer = instance.start("shell", "-v0", "-c", code)
    try:
        for number in range(3):
            target = tmp_path / f"{number}.tar.gz"
            instance.run("backup", str(target), check=True)
            with tarfile.open(target) as archive:
                archive.extract("database.sqlite3", tmp_path, filter="data")
            with closing(sqlite3.connect(tmp_path / "database.sqlite3")) as database:
                query = "SELECT count(*) FROM base_auditevent WHERE action = ?"
                left, right = (
                    database.execute(query, (side,)).fetchone()[0] for side in ("left", "right")
                )
                assert left == right
                assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        writer.kill()
        writer.communicate()


def is_pending(instance: Instance) -> bool:
    return bool(rows(instance, "SELECT key FROM base_setting WHERE key = 'reconcile_pending'"))


def left_in(instance: Instance) -> list[Path]:
    """Scratch folders of restores."""
    return [*instance.data_dir.glob(".mf-*"), *(instance.data_dir / "keys").glob(".mf-*")]


@pytest.fixture
def archive_with_keys(instance: Instance, tmp_path: Path) -> Path:
    """A backup with its keys, of an instance with one person that has two by now."""
    shell(instance, PERSON.format(name="ada"))
    instance.run("backup", "--with-keys", str(tmp_path / "keys.tar.gz"), check=True)
    shell(instance, PERSON.format(name="eve"))
    return tmp_path / "keys.tar.gz"


def test_a_restore_that_was_killed_leaves_a_queue_that_waits(
    instance: Instance, archive_with_keys: Path
) -> None:
    cut = instance.run("restore", str(archive_with_keys), MEDIAFLOW_FAILPOINT="restore.put_back")
    assert cut.returncode == -signal.SIGKILL
    assert (people(instance), is_paused(instance), is_pending(instance)) == (["ada"], True, True)
    resumed = instance.run(
        "shell", "-v0", "-c", "from transcode.services import *; resume_queue(actor=None)"
    )
    assert "QueueProblem" in resumed.stderr
    assert is_paused(instance)

    instance.run("restore", str(archive_with_keys), check=True)
    assert left_in(instance) == []
    instance.run("doctor", "--library")
    assert (is_paused(instance), is_pending(instance)) == (False, False)


FULL_DISK = """
import errno
from pathlib import Path
from unittest import mock
from django.core.management import call_command

real = Path.{call}


def full(path, *args):
    if "keys" in path.parts:
        raise OSError(errno.ENOSPC, "No space left on device")
    return real(path, *args)


with mock.patch.object(Path, {call!r}, full):
    call_command("restore", {archive!r})
"""


@pytest.mark.parametrize(
    ("call", "then"),
    [
        ("write_bytes", (["ada", "eve"], False, False)),  # before anything was changed
        ("replace", (["ada"], True, True)),
    ],
)
def test_keys_that_cannot_be_written_are_a_sentence_that_says_what_state_things_are_in(
    instance: Instance,
    archive_with_keys: Path,
    call: str,
    then: tuple[list[str], bool, bool],
) -> None:
    code = FULL_DISK.format(call=call, archive=str(archive_with_keys))
    done = instance.run("shell", "-v0", "-c", code)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    says = "Nothing was changed" if call == "write_bytes" else "run the same restore again"
    assert "No space left on device" in done.stderr and says in done.stderr
    assert (people(instance), is_paused(instance), is_pending(instance)) == then
    assert left_in(instance) == []
    instance.run("restore", str(archive_with_keys), check=True)
    assert people(instance) == ["ada"]


def test_a_migration_that_fails_is_a_sentence_and_the_queue_waits(
    instance: Instance, archive: Path, tmp_path: Path
) -> None:
    """The backup says of one change that it has not had it."""
    forget = "DELETE FROM django_migrations WHERE app = 'base' AND name = '0001_initial'"
    older = tmp_path / "older.tar.gz"
    _rewrite(archive, older, {}, forget)
    shell(instance, PERSON.format(name="eve"))
    done = instance.run("restore", str(older))
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert "run the same restore again" in done.stderr
    assert (people(instance), is_paused(instance), is_pending(instance)) == (["ada"], True, True)


LEASES = {
    "job": (
        "from transcode.models import Job;"
        "Job.objects.create(file_path='x', preset_slug='x', preset_spec={{}}, status='running',"
        " lease_owner={owner!r}, lease_token='t')"
    ),
    "operation": (
        "from mediaflow.base.models import Operation;"
        "Operation.objects.create(kind='scan', title='Scan', status='running',"
        " lease_owner={owner!r}, lease_token='t')"
    ),
    "slot": (
        "from servers.models import Server, SlotLease;"
        "SlotLease.objects.create(server=Server.objects.first() or"
        " Server.objects.create(name='here'), index=7, holder='job:1', token='t',"
        " owner={owner!r})"
    ),
}


@pytest.mark.parametrize("kind", sorted(LEASES))
def test_nothing_is_restored_while_a_process_is_at_work(
    instance: Instance, archive: Path, kind: str
) -> None:
    shell(instance, PERSON.format(name="eve"))
    shell(instance, LEASES[kind].format(owner=own_identity()))
    done = instance.run("restore", str(archive))
    assert (done.returncode, people(instance)) == (2, ["ada", "eve"])
    assert "is running. Stop `work`" in done.stderr


def test_a_lease_of_a_process_that_has_ended_stops_no_restore(
    instance: Instance, archive: Path
) -> None:
    host, _pid, _ticks = own_identity().rsplit("/", 2)
    shell(instance, LEASES["job"].format(owner=f"{host}/4194303/1"))
    assert instance.run("restore", str(archive)).returncode == 0


PLEX = (
    "from library.models import PlexServer;"
    "from mediaflow.base.encryption import encrypt_secret;"
    "PlexServer.objects.create(machine_id='m', name='Home', url='http://127.0.0.1:1',"
    " token_encrypted=encrypt_secret('plex-secret-token'))"
)
USE = (
    "from library.models import PlexServer;"
    "from library.plex.connections import choose_connection;"
    "server = PlexServer.objects.get();"
    "choose_connection(server);"
    "print(server.is_token_dead, server.error)"
)


@pytest.mark.parametrize("with_keys", [False, True])
def test_a_backup_without_keys_leads_to_signing_in_again(
    instance: Instance, tmp_path: Path, with_keys: bool
) -> None:
    shell(instance, PLEX)
    target = tmp_path / "one.tar.gz"
    instance.run("backup", str(target), *(["--with-keys"] if with_keys else []), check=True)
    with tarfile.open(target) as archive:
        content = b"".join(
            handle.read() for row in archive if (handle := archive.extractfile(row)) is not None
        )
    assert b"plex-secret-token" not in content
    for key in (instance.data_dir / "keys").iterdir():
        if key.name != "secret_key":
            key.unlink()

    instance.run("restore", str(target), check=True)

    said = shell(instance, USE)
    if with_keys:
        assert said.startswith("False None of the 0") or "No address" in said
    else:
        assert said.startswith("True") and "Sign in to Plex again" in said
