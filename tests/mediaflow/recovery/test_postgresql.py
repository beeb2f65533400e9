"""The drill on PostgreSQL, in a cluster of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Instance, find_postgresql_bin, instance_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.service("postgresql")

FILL = (
    "from mediaflow.accounts.models import User;"
    "from library.models import Library, MediaFile;"
    "User.objects.create_user('{name}', password='a long phrase', role='admin');"
    "row = Library.objects.create(name='{name}', root='/f', root_raw=b'/f', root_digest='{name}');"
    "MediaFile.objects.create(library=row, path_raw=b'a\\xfe', path_digest='x', path='a')"
)
LOOK = (
    "from mediaflow.accounts.models import User;"
    "from library.models import Library, MediaFile;"
    "from mediaflow.base.settings_store import get_setting;"
    "print(sorted(User.objects.values_list('username', flat=True)),"
    " [bytes(f.path_raw) for f in MediaFile.objects.all()], get_setting('queue_paused'));"
    "User.objects.create_user('after', password='x')"
)


@pytest.fixture
def cluster_url() -> Iterator[str]:
    """A PostgreSQL that lives for one test, under a user that is not root."""
    binaries = find_postgresql_bin()
    assert binaries is not None
    # Not below pytest's folders: those are closed to the user that PostgreSQL needs.
    folder = Path(tempfile.mkdtemp(prefix="mediaflow-pg-"))
    user: str | None = None
    if os.geteuid() == 0:
        user = next(name for name in ("postgres", "nobody") if _is_user(name))
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "db"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-A", "trust", "-U", "mediaflow", "-E", "UTF8", "-N"],
        user=user, cwd="/", check=True, capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder,
         "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
        user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_it_answers(port)
        yield f"postgresql://mediaflow@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait_until_it_answers(port: int) -> None:
    import psycopg

    deadline = time.monotonic() + 120
    while True:
        try:
            psycopg.connect(f"postgresql://mediaflow@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_backup_and_restore_on_postgresql(cluster_url: str, tmp_path: Path) -> None:
    instance = Instance(tmp_path / "data", instance_environment(tmp_path / "data"))
    instance.env["MEDIAFLOW_DATABASE_URL"] = cluster_url
    instance.run("migrate", "--verbosity", "0", check=True)
    instance.run("shell", "-v0", "-c", FILL.format(name="ada"), check=True)
    archive = str(tmp_path / "b.tar.gz")
    instance.run("backup", archive, check=True)
    instance.run("shell", "-v0", "-c", FILL.format(name="eve"), check=True)
    done = instance.run("restore", archive)
    assert done.returncode == 0, done.stderr
    looked = instance.run("shell", "-v0", "-c", LOOK)
    # The last statement adds a person: the sequences were set past the restored rows.
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.strip() == "['ada'] [b'a\\xfe'] True"


def test_a_backup_of_the_other_kind_of_database_is_refused(
    cluster_url: str, instance: Instance, tmp_path: Path
) -> None:
    instance.run("backup", str(tmp_path / "lite.tar.gz"), check=True)
    done = instance.run(
        "restore", str(tmp_path / "lite.tar.gz"), MEDIAFLOW_DATABASE_URL=cluster_url
    )
    assert done.returncode == 2
    assert "holds a sqlite database" in done.stderr
