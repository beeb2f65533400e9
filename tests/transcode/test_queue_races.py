"""Several processes at one queue, on SQLite and on PostgreSQL: each job is had once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db.utils import ConnectionHandler

from tests.conftest import Instance, instance_environment
from tests.services import make_database, postgresql_address  # noqa: F401  # a fixture
from tests.transcode.live_queue import LiveQueue, live_queue
from transcode.queue import disk_space
from transcode.replacing import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.db.backends.base.base import BaseDatabaseWrapper

JOBS = 60
_MAKE = f"""
from tests.transcode.makers import make_jobs
make_jobs({JOBS})
"""
_CLAIM = """
from mediaflow.base.leases import own_identity
from mediaflow.base.db_retry import retry_on_busy
from transcode.queue import job_queue
while claim := retry_on_busy(lambda: job_queue.claim_next(own_identity())):
    assert job_queue.beat(claim.job_id, claim.token)
    print("claimed", claim.job_id, flush=True)
    if claim.job_id % 3:
        assert job_queue.finish_job(claim.job_id, token=claim.token, status="completed")
"""
_OPERATIONS = """
from mediaflow.base.operations import register_operation, start_operation
register_operation("race", lambda context: None)
print("operation", start_operation(kind="race", title="x", lock_key="one").pk)
"""


@pytest.fixture(scope="module")
def migrated_postgresql(
    postgresql_address: str,  # noqa: F811
    migrated_data_dir: Path,
) -> tuple[str, str]:
    """The cluster, and the name of a database in it that is up to date."""
    instance = Instance(migrated_data_dir, instance_environment(migrated_data_dir))
    database = make_database(postgresql_address, "migrated")
    instance.run("migrate", "-v0", check=True, MEDIAFLOW_DATABASE_URL=database)
    return postgresql_address, "migrated"


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgresql"))]
)
def racers(
    request: pytest.FixtureRequest, instance: Instance, tmp_path: Path
) -> Iterator[LiveQueue]:
    """An instance on either database."""
    if request.param == "postgresql":
        address, migrated = request.getfixturevalue("migrated_postgresql")
        database = make_database(address, f"mf{uuid4().hex}", like=migrated)
        instance.env["MEDIAFLOW_DATABASE_URL"] = database
    with live_queue(instance, tmp_path / "films") as queue:
        yield queue


@pytest.fixture
def on_postgresql(
    postgresql_address: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]]:
    """Two connections; the locks of this process are taken with the first."""
    address = urlsplit(postgresql_address)
    values = {"NAME": "postgres", "USER": address.username, "HOST": address.hostname}
    settings = {"ENGINE": "django.db.backends.postgresql", "PORT": address.port, **values}
    made: list[BaseDatabaseWrapper] = []

    def connect() -> BaseDatabaseWrapper:
        made.append(ConnectionHandler({"default": settings})["default"])
        return made[-1]

    ours = connect()
    monkeypatch.setattr(journal, "connection", ours)
    monkeypatch.setattr(disk_space, "connection", ours)
    yield ours, connect()
    for connection in made:
        connection.close()


@pytest.mark.service("postgresql")
@pytest.mark.django_db
def test_one_at_a_time_works_on_a_swap_on_postgresql(on_postgresql: object) -> None:
    with journal.hold_journal(7):
        with pytest.raises(journal.JournalBusy), journal.hold_journal(7):
            pass
        with journal.hold_journal(8):
            pass
    with pytest.raises(KeyError), journal.hold_journal(7):
        raise KeyError
    with journal.hold_journal(7):
        pass


@pytest.mark.service("postgresql")
@pytest.mark.django_db
def test_one_at_a_time_reserves_space_on_postgresql(
    on_postgresql: tuple[BaseDatabaseWrapper, BaseDatabaseWrapper],
) -> None:
    ours, other = on_postgresql

    def is_free() -> bool:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [disk_space._LOCK_NUMBER])
            return bool(cursor.fetchone()[0])

    ours.set_autocommit(False)
    disk_space._serialise()
    assert not is_free()
    ours.rollback()
    assert is_free()


def printed(queue: LiveQueue, code: str, processes: int, word: str) -> list[int]:
    """Run the same code in several processes at once; the numbers that they print after a word."""
    running = [
        queue.instance.start_warm("shell", "--no-imports", "-c", code) for _ in range(processes)
    ]
    results = [process.result(timeout_s=240) for process in running]
    assert [result.returncode for result in results] == [0] * processes, results
    lines = [line.split() for result in results for line in result.stdout.splitlines()]
    return [int(line[1]) for line in lines if line and line[0] == word]


def test_processes_that_claim_at_once_get_each_job_once(racers: LiveQueue) -> None:
    racers.shell(_MAKE)
    claimed = printed(racers, _CLAIM, 4, "claimed")
    assert sorted(claimed) == list(range(1, JOBS + 1))


def test_processes_that_start_one_operation_get_the_same(racers: LiveQueue) -> None:
    started = printed(racers, _OPERATIONS, 4, "operation")
    assert len(started) == 4
    assert len(set(started)) == 1


@pytest.mark.ffmpeg
def test_a_film_is_optimised_on_either_database(racers: LiveQueue) -> None:
    racers.prepare(1)
    result = racers.instance.run("work", "--drain", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["completed"] == 1
    (job,) = json.loads(racers.instance.run("jobs", "--json").stdout)["jobs"]
    assert (job["state"], bool(job["trash_path"])) == ("completed", True)
