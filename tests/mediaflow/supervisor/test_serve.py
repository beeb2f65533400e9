"""`serve` as a person meets it: a whole instance in its own folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.mediaflow.supervisor.test_processes import is_alive, wait_for
from tests.services import free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.conftest import Instance


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def descendants(pid: int) -> list[int]:
    direct = children(pid)
    return direct + [below for child in direct for below in descendants(child)]


@contextmanager
def serving(instance: Instance, port: int) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    process = instance.start("serve", MEDIAFLOW_PORT=str(port))
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        wait_for(lambda: ask_ok(f"http://127.0.0.1:{port}/healthz"))
        yield process, lines
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=120)


def ask_ok(url: str) -> bool:
    try:
        return ask(url)[0] in {200, 503}
    except OSError:
        return False


def test_a_fresh_start_answers_prints_the_link_and_stops_cleanly(instance: Instance) -> None:
    port = free_port()
    with serving(instance, port) as (process, lines):
        said = "".join(lines)
        assert f"http://127.0.0.1:{port}" in said
        link = re.search(rf"http://127\.0\.0\.1:{port}/setup/[\w-]+/", said)
        assert link
        assert ask(link[0])[0] == 200
        status, page = ask(f"http://127.0.0.1:{port}/")
        assert (status, "not set up yet" in page) == (403, True)
        health: dict[str, Any] = {}

        def is_healthy() -> bool:
            health.update(json.loads(ask(f"http://127.0.0.1:{port}/healthz")[1]))
            return bool(health["ok"])

        wait_for(is_healthy)
        assert set(health) == {"ok", "web", "database", "consumer", "disk"}
        second = instance.run("serve", MEDIAFLOW_PORT=str(free_port()))
        assert second.returncode == 2
        assert "already runs" in second.stderr
        assert "Traceback" not in second.stderr
        refused = instance.run("restore", __file__)
        assert refused.returncode == 2
        assert "already runs" in refused.stderr
        family = descendants(process.pid)
        assert len(family) >= 3
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert "has stopped" in rest
        assert not any(is_alive(pid) for pid in family)


def test_everything_ends_when_the_supervisor_is_killed(instance: Instance) -> None:
    with serving(instance, free_port()) as (process, _lines):
        family = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not any(is_alive(pid) for pid in family))


def test_a_crashed_web_server_comes_back(instance: Instance) -> None:
    port = free_port()
    with serving(instance, port) as (process, _lines):
        web = next(
            pid
            for pid in children(process.pid)
            if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.killpg(web, signal.SIGKILL)
        wait_for(lambda: not is_alive(web))
        wait_for(lambda: ask_ok(f"http://127.0.0.1:{port}/healthz"))


def test_a_port_in_use_is_one_sentence_and_code_2(instance: Instance) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = instance.run("serve", MEDIAFLOW_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "in use" in done.stderr
    assert done.stderr.strip().count("\n") == 0


@pytest.mark.parametrize("port", ["0", "65536", "-3"])
def test_an_impossible_port_is_refused(instance: Instance, port: str) -> None:
    done = instance.run("serve", f"--port={port}")
    assert done.returncode == 2
    assert "from 1 to 65535" in done.stderr


def test_a_newer_database_stops_the_start_with_a_sentence(instance: Instance) -> None:
    with closing(sqlite3.connect(instance.data_dir / "mediaflow.sqlite3")) as database, database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('transcode', '9999_future', '2031-01-01')"
        )
    done = instance.run("serve", MEDIAFLOW_PORT=str(free_port()))
    assert done.returncode == 2
    assert "newer MediaFlow" in done.stderr
    assert "transcode.9999_future" in done.stderr


def test_a_file_that_is_no_database_is_a_sentence(instance: Instance) -> None:
    (instance.data_dir / "mediaflow.sqlite3").write_bytes(b"not a database at all" * 500)
    done = instance.run("serve", MEDIAFLOW_PORT=str(free_port()))
    assert done.returncode == 2
    assert "database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
