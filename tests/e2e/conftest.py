"""A real MediaFlow under its supervisor, and a browser that treats every complaint as a failure."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.conftest import PROJECT_ROOT, Instance, instance_environment
from tests.services import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

START_TIMEOUT_S = 240
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class RunningSite:
    """`manage.py serve` on a free port of the loopback."""

    address: str
    setup_link: str
    instance: Instance
    process: subprocess.Popen[str]
    log: Path


@contextlib.contextmanager
def running_site(
    folder: Path, migrated: Path | None = None, **extra_env: str
) -> Iterator[RunningSite]:
    """Start `serve`; end it, and see that it ended.

    Its data directory is empty, or has the database of `migrated`: making one costs seconds.
    """
    port = free_port()
    data_dir = folder / "data"
    if migrated is not None:
        data_dir.mkdir()
        shutil.copyfile(migrated / "mediaflow.sqlite3", data_dir / "mediaflow.sqlite3")
    env = {
        **instance_environment(data_dir),
        "DJANGO_SETTINGS_MODULE": "mediaflow.settings",
        "MEDIAFLOW_PORT": str(port),
        **extra_env,
    }
    log = folder / "serve.log"
    instance = Instance(data_dir, env)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(PROJECT_ROOT / "manage.py"), "serve"],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        setup_link = wait_for_setup_link(log, process)
        yield RunningSite(address, setup_link, instance, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
            raise


def wait_for_setup_link(log: Path, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        found = re.search(r"(http://\S+/setup/\S+)", log.read_text())
        if found:
            return found.group(1)
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"serve printed no set-up link: {log.read_text()}")


@dataclass
class Complaints:
    """What the browser's console said; empty at the end, or the test fails.

    The browser itself writes a line for every answer of 422, which is how a form with errors comes
    back: that line is no complaint about the page.
    """

    lines: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda message: (
                self.lines.append(f"{message.type}: {message.text}")
                if message.type in {"error", "warning"} and "status of 422" not in message.text
                else None
            ),
        )
        page.on("pageerror", lambda error: self.lines.append(f"uncaught: {error}"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone before other modules begin: its event loop would forbid their tests the database."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        yield chromium
        chromium.close()
