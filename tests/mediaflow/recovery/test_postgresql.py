"""The drill on PostgreSQL."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.conftest import Instance, instance_environment
from tests.services import make_database, postgresql_address  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from pathlib import Path

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
def cluster_url(postgresql_address: str) -> str:  # noqa: F811
    """An empty database that lives for one test."""
    return make_database(postgresql_address, f"mf{uuid4().hex}")


@pytest.mark.parametrize("cut_at", ["", "restore.put_back"])
def test_backup_and_restore_on_postgresql(cluster_url: str, tmp_path: Path, cut_at: str) -> None:
    instance = Instance(tmp_path / "data", instance_environment(tmp_path / "data"))
    instance.env["MEDIAFLOW_DATABASE_URL"] = cluster_url
    instance.run("migrate", "--verbosity", "0", check=True)
    instance.run("shell", "-v0", "-c", FILL.format(name="ada"), check=True)
    archive = str(tmp_path / "b.tar.gz")
    instance.run("backup", archive, check=True)
    instance.run("shell", "-v0", "-c", FILL.format(name="eve"), check=True)
    done = instance.run("restore", archive, MEDIAFLOW_FAILPOINT=cut_at)
    assert done.returncode == (-signal.SIGKILL if cut_at else 0), done.stderr
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
