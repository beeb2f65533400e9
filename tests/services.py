"""Services that tests start for themselves. Import the fixtures where they are used."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import find_postgresql_bin

if TYPE_CHECKING:
    from collections.abc import Iterator


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: who runs it then. None: we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    """A port of the loopback that nobody has, and that no outgoing connection is given meanwhile.

    The kernel takes those from 32768 on; a port that it proposed could be gone again.
    """
    while True:
        port = random.SystemRandom().randint(15_000, 32_000)  # tests are seeded alike
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def postgresql_cluster() -> Iterator[str]:
    """A cluster of its own on a loopback port, without fsync. Yields its address."""
    programs = find_postgresql_bin()
    assert programs is not None
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="mediaflow-pg-"))
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    port = free_port()

    def call(*args: str) -> None:
        subprocess.run(
            args, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=300
        )

    cluster = str(folder / "cluster")
    call(str(programs / "initdb"), "-D", cluster, "-U", "mediaflow", "-A", "trust", "-N")
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        " -c fsync=off -c max_connections=60"
    )
    control = str(programs / "pg_ctl")
    call(control, "-D", cluster, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://mediaflow@127.0.0.1:{port}"
    finally:
        call(control, "-D", cluster, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """One cluster for the whole session; tests make databases in it."""
    with postgresql_cluster() as address:
        yield address


def make_database(address: str, name: str, *, like: str = "template1") -> str:
    """Make an empty database, or a copy of the one named `like`; returns its address."""
    import psycopg

    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'.encode())
    return f"{address}/{name}"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own that keeps nothing."""
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=120)
