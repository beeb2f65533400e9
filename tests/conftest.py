"""Fixtures that every room's tests use: people, services, a whole instance in its own folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import django
import pytest

from tests.media import CLIPS_VARIABLE
from tests.media import films as films  # a fixture
from tests.warm_commands import WarmCommands, can_have_project
from tests.warm_workers import ADDRESS_VARIABLE, offer_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from mediaflow.accounts.models import User
    from tests.warm_commands import WarmCommand

PROJECT_ROOT = Path(__file__).resolve().parents[1]
SHARED = PROJECT_ROOT.parent / "shared"
IS_STRICT = os.environ.get("MEDIAFLOW_TEST_SERVICES") == "required"
warm_commands = {loaded: WarmCommands(with_project=loaded) for loaded in (True, False)}


def _service_is_there(name: str) -> bool:
    if name == "chromium":
        return shutil.which("chromium") is not None
    if name == "postgresql":
        return bool(find_postgresql_bin())
    if name == "redis":
        return shutil.which("redis-server") is not None
    if name == "sshd":
        return shutil.which("sshd", path="/usr/sbin:/usr/bin") is not None
    if name == "second-ffmpeg":
        return Path("/usr/bin/ffmpeg").exists()
    if name == "root":
        return os.geteuid() == 0
    if name == "shared":
        return SHARED.is_dir()
    raise ValueError(f"unknown service {name}")


def find_postgresql_bin() -> Path | None:
    """The folder with `initdb` and `postgres`, Debian's or the PATH's."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    candidates += [Path(on_path).parent] if on_path else []
    return next((c for c in candidates if (c / "initdb").exists()), None)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What one test left in the caches of the process is forgotten before the next."""
    from django.core.cache import cache

    from transcode.pages.live import live_parts

    cache.clear()
    live_parts.forget()


def _leave_out_of_other_databases(config: pytest.Config, items: list[pytest.Item]) -> None:
    from django.db import connection

    if connection.vendor == "sqlite":
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite")]
    items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
    config.hook.pytest_deselected(items=left_out)


def pytest_unconfigure() -> None:
    for commands in warm_commands.values():
        commands.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out_of_other_databases(config, items)
    # The longest first: no other worker takes a part of a module then and makes its site again.
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
    for item in items:
        for marker in item.iter_markers("service"):
            name = marker.args[0]
            if not _service_is_there(name):
                reason = f"needs {name}, which is not on this machine"
                if IS_STRICT:
                    item.add_marker(pytest.mark.xfail(reason=reason, run=False, strict=True))
                    item.user_properties.append(("missing_service", name))
                else:
                    item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """With MEDIAFLOW_TEST_SERVICES=required a skip is a failure."""
    report: Any = yield
    if IS_STRICT and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped although services are required: {report.longrepr}"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return report


def make_user(role: str, name: str) -> User:
    from mediaflow.accounts.models import User

    return User.objects.create_user(username=name, password="correct horse battery", role=role)


@pytest.fixture
def admin_user(db: None) -> User:
    return make_user("admin", "ada")


@pytest.fixture
def operator(db: None) -> User:
    return make_user("operator", "olga")


@pytest.fixture
def viewer(db: None) -> User:
    return make_user("viewer", "vera")


@pytest.fixture
def client_for(client_factory: Callable[[], Client]) -> Callable[[User], Client]:
    """A signed-in client for a person."""

    def sign_in(user: User) -> Client:
        client = client_factory()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def as_admin(client_for: Callable[[User], Client], admin_user: User) -> Client:
    return client_for(admin_user)


@pytest.fixture
def as_operator(client_for: Callable[[User], Client], operator: User) -> Client:
    return client_for(operator)


@pytest.fixture
def as_viewer(client_for: Callable[[User], Client], viewer: User) -> Client:
    return client_for(viewer)


@pytest.fixture
def client_factory() -> Callable[[], Client]:
    from django.test import Client

    return Client


@pytest.fixture(scope="session")
def copied_database(
    request: pytest.FixtureRequest, django_db_use_migrations: bool
) -> Iterator[ExitStack]:
    """Until it is closed, `migrate` copies the database that was migrated for all workers."""
    from django.db import connection

    def copy_migrated(command: str, *_args: object, **_values: object) -> None:
        if command == "migrate":
            connection.ensure_connection()
            migrated = request.getfixturevalue("migrated_data_dir") / "mediaflow.sqlite3"
            with closing(sqlite3.connect(migrated)) as source:
                source.backup(connection.connection)

    with ExitStack() as patches:
        if connection.vendor == "sqlite" and django_db_use_migrations:
            patches.enter_context(mock.patch("django.core.management.call_command", copy_migrated))
        yield patches


@pytest.fixture(scope="session")
def django_db_setup(copied_database: ExitStack, django_db_setup: None) -> None:
    copied_database.close()


@dataclass
class Instance:
    """A MediaFlow of its own: data directory, environment, and a way to run its commands."""

    data_dir: Path
    env: dict[str, str]

    def run(
        self, *args: str, timeout_s: float = 240, check: bool = False, **extra_env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `manage.py args…` to its end, in a process of its own (tests/warm_commands.py)."""
        result = self.start_warm(*args, **extra_env).result(timeout_s)
        if check:
            result.check_returncode()
        return result

    def start_warm(self, *args: str, **extra_env: str) -> WarmCommand:
        """Start `manage.py args…` without the second that loading Django takes."""
        env = {**self.env, **extra_env}
        return warm_commands[can_have_project(env)].start(list(args), env)

    def start(self, *args: str, **extra_env: str) -> subprocess.Popen[str]:
        """Start `manage.py args…` in a process group of its own; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, str(PROJECT_ROOT / "manage.py"), *args],
            env={**self.env, **extra_env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="session", autouse=True)
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for this run of the suite, which all its workers share; clips are kept there."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "run"
    folder.mkdir(exist_ok=True)
    os.environ[CLIPS_VARIABLE] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def warm_workers() -> Iterator[None]:
    with offer_workers():
        yield


@pytest.fixture
def cold_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guarded workers are started as the product starts them."""
    monkeypatch.delenv(ADDRESS_VARIABLE)


@pytest.fixture(scope="session")
def migrated_data_dir(run_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A data directory that was migrated once; `instance` copies it."""
    data_dir = run_folder / "template"
    done = run_folder / "template-done"
    with (run_folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            assert request.config.cache is not None
            make_migrated(data_dir, request.config.cache.mkdir("migrated"))
            done.touch()
    return data_dir


def make_migrated(data_dir: Path, kept: Path) -> None:
    """`migrate` on what an earlier run with the same migrations kept, else on nothing.

    It writes what follows from the code anew in either case.
    """
    digest = hashlib.sha256(django.__version__.encode())
    for pattern in ("*/migrations/*.py", "*/*/migrations/*.py"):
        for file in sorted(PROJECT_ROOT.glob(pattern)):
            digest.update(bytes(file) + file.read_bytes())
    earlier = kept / f"{digest.hexdigest()}.sqlite3"
    database = data_dir / "mediaflow.sqlite3"
    if earlier.exists():
        data_dir.mkdir()
        shutil.copyfile(earlier, database)
    instance = Instance(data_dir, instance_environment(data_dir))
    result = instance.run("migrate", "--verbosity", "0")
    assert result.returncode == 0, result.stderr
    if not earlier.exists():
        for old in kept.glob("*.sqlite3"):
            old.unlink(missing_ok=True)
        unfinished = kept / f"{os.getpid()}.unfinished"
        shutil.copyfile(database, unfinished)
        unfinished.rename(earlier)


def instance_environment(data_dir: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEDIAFLOW_", "DJANGO_"))}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "MEDIAFLOW_DATA_DIR": str(data_dir),
        "PYTHONPATH": str(PROJECT_ROOT),
    }


@pytest.fixture
def instance(migrated_data_dir: Path, tmp_path: Path) -> Instance:
    """A fresh instance on SQLite in its own folder, for tests that start processes."""
    data_dir = tmp_path / "instance"
    shutil.copytree(migrated_data_dir, data_dir)
    return Instance(data_dir, instance_environment(data_dir))
