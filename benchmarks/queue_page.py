"""The queue page with 100,000 jobs, and what 20 open ones cost while 50 jobs run.

The second runs the real web server as `serve` starts it, with clients on the loopback that poll as
the page does, while another process writes the progress of 50 jobs every two seconds.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.instance import PROJECT_ROOT, BenchInstance, bench_instance
from benchmarks.polling_clients import poll
from benchmarks.result import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS: Final = 100_000
RUNNING: Final = 50
PAGES: Final = 20
SECONDS: Final = 40.0
WARM_S: Final = 8.0
PAGE_AT_MOST_MS: Final = 100.0
CORE_AT_MOST_PCT: Final = 15.0
START_S: Final = 30.0
# As mediaflow/management/commands/serve.py starts it.
WEB_THREADS: Final = 16
KEEP_ALIVE_S: Final = 30


def run() -> list[Row]:
    with bench_instance() as instance:
        instance.run("collectstatic", "--noinput", "--verbosity", "0")
        pages = instance.measure(_code("fill", JOBS, RUNNING, PAGES))
        polled = _polled(instance, pages["sessions"])
    return [*_page_rows(pages["pages"]), _polling_row(polled)]


def _code(step: str, *args: int) -> str:
    values = ", ".join(str(arg) for arg in args)
    return f"from benchmarks.queue_page_child import {step}; {step}({values})"


def _page_rows(pages: dict[str, dict[str, float]]) -> list[Row]:
    limit = f"at most {PAGE_AT_MOST_MS:.0f}"
    return [
        Row(
            f"queue page, {JOBS:,} jobs, {place}",
            found["ms"],
            limit,
            "ms",
            found["ms"] <= PAGE_AT_MOST_MS,
            f"{found['queries']:.0f} queries; nothing remembered from before",
        )
        for place, found in pages.items()
    ]


def _polling_row(polled: dict[str, Any]) -> Row:
    answers = polled["answers"]
    note = (
        f"{sum(answers.values()) / polled['seconds']:.1f} requests/s,"
        f" {100 * answers.get(204, 0) / sum(answers.values()):.0f} % of them empty 204"
    )
    is_ok = polled["pct"] < CORE_AT_MOST_PCT and set(answers) <= {200, 204}
    name = f"{PAGES} open pages polling {RUNNING} running jobs"
    return Row(name, polled["pct"], "under 15", "% of one core", is_ok, note)


def _polled(instance: BenchInstance, sessions: list[str]) -> dict[str, Any]:
    """CPU of the web server's processes while the clients poll, after a warm-up."""
    with _web(instance) as (address, pid), _progress(instance):
        poll(address, sessions, WARM_S)
        before, begun = _cpu_s(pid), time.monotonic()
        answers = poll(address, sessions, SECONDS)
        seconds, cpu = time.monotonic() - begun, _cpu_s(pid) - before
    return {"pct": 100 * cpu / seconds, "seconds": seconds, "answers": answers}


@contextmanager
def _web(instance: BenchInstance) -> Iterator[tuple[str, int]]:
    port = _free_port()
    argv = [
        *(sys.executable, "-m", "gunicorn", "mediaflow.wsgi:application"),
        *("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "1"),
        *("--threads", str(WEB_THREADS), "--keep-alive", str(KEEP_ALIVE_S)),
        *("--timeout", "120", "--log-level", "warning", "--no-control-socket"),
    ]
    process = subprocess.Popen(argv, env=instance.environment, cwd=PROJECT_ROOT)
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def _progress(instance: BenchInstance) -> Iterator[None]:
    """Writes the progress of the running jobs as 50 runners would."""
    command = instance.command("shell", "--no-imports", "-c", _code("write_progress"))
    process = subprocess.Popen(command, env=instance.environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _cpu_s(pid: int) -> float:
    """User and system time of a process and its children, from /proc."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total
