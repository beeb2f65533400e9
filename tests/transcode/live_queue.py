"""A whole instance with a library of real clips, driven through its commands and watched in its
database file. For tests that start, stop and kill processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.media import make_clip

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.conftest import Instance

FAST_SPEC = {
    "container": "mkv",
    "video": {"encoder": "x264", "crf": 32, "speed": "fastest"},
    "min_saving_pct": 0,
    "is_vmaf_checked": False,
}
# Long enough to be met while it encodes (it is stopped there), short enough to be waited for.
SLOW_SPEC = {**FAST_SPEC, "video": {"encoder": "x265", "crf": 24, "speed": "slowest"}}

_SETUP = """
import json, sys
from library.models import Library, MediaFile
from library.services import add_folder_library, start_scan
from mediaflow.base.operations import run_operation_here
from transcode.models import Preset
from transcode.services import enqueue_files
order = json.loads({order!r})
library = add_folder_library(root=order["root"].encode())
Library.objects.update(settle_window_s=0)
run_operation_here(start_scan(library=library))
for slug, spec in order["presets"].items():
    Preset.objects.create(slug=slug, name=slug + " test", spec=spec)
for slug in order["queue"]:
    preset = Preset.objects.get(slug=slug)
    result = enqueue_files(files=MediaFile.objects.all(), preset=preset, actor=None)
    assert not result.skipped, result.skipped
"""


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 120) -> Any:
    """Look until `condition` is true; returns what it gave."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain: {what}")


@dataclass
class LiveQueue:
    """One instance with films in `films`, and the processes that a test started."""

    instance: Instance
    films: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def prepare(self, clips: int = 1, *, queue: str = "fast", seconds: float = 1) -> None:
        """Make clips, scan them and queue them with the preset `queue` ("" for none)."""
        for number in range(clips):
            make_clip("h264_mkv", self.films / f"Film {number}.mkv", seconds, crf=12)
        order = {
            "root": str(self.films),
            "presets": {"fast": FAST_SPEC, "slow": SLOW_SPEC},
            "queue": [queue] if queue else [],
        }
        self.shell(_SETUP.format(order=json.dumps(order)))

    def shell(self, code: str) -> str:
        result = self.instance.run("shell", "--no-imports", "-c", code)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the instance's database, read beside it."""
        database = self.instance.data_dir / "mediaflow.sqlite3"
        connection = sqlite3.connect(database, timeout=60)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, values)]
        finally:
            connection.close()

    def write(self, sql: str, *values: Any) -> None:
        connection = sqlite3.connect(self.instance.data_dir / "mediaflow.sqlite3", timeout=60)
        with connection:
            connection.execute(sql, values)
        connection.close()

    def jobs(self) -> list[dict[str, Any]]:
        return self.rows("select * from transcode_job order by id")

    def statuses(self) -> list[str]:
        return [job["status"] for job in self.jobs()]

    def consumer(self, **env: str) -> subprocess.Popen[str]:
        """Start `run_huey`."""
        return self.start("run_huey", **env)

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        process = self.instance.start(*args, **env)
        self.started.append(process)
        return process

    def own_processes(self, word: str = "", *, is_on_film: bool = False) -> list[int]:
        """Every living process of this instance (by its data directory in the environment).

        `word` is in its command line; `is_on_film`: so is a path of ours (no trial of an encoder).
        """
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            mark = f"MEDIAFLOW_DATA_DIR={self.instance.data_dir}\0".encode()
            in_work = str(self.instance.data_dir).encode() in command
            is_on_ours = in_work or self._films_in(command)
            is_ours = is_on_ours or (not is_on_film and mark in environment + b"\0")
            if is_ours and state not in "ZX" and word.encode() in command:
                found.append(int(folder.name))
        return found

    def _films_in(self, command: bytes) -> bool:
        return str(self.films).encode() in command

    def is_encoding(self) -> list[int]:
        return self.own_processes("ffmpeg-linux")

    @contextmanager
    def stopped_encoder(self) -> Iterator[None]:
        """Wait until SLOW_SPEC is encoding and hold the encoder there.

        What is done inside meets an encode however slow this machine is; then it goes on.
        """
        pids = wait_for(self._stop_encoder, "an ffmpeg that encodes")
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):  # ended by what was done
                    os.kill(pid, signal.SIGCONT)

    def _stop_encoder(self) -> list[int]:
        pids = self.own_processes("libx265", is_on_film=True)
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return []
        return pids

    def wait_until(self, *statuses: str) -> None:
        try:
            wait_for(lambda: self.statuses() == list(statuses), "", timeout_s=180)
        except AssertionError:
            now = [(job["status"], job["reason"]) for job in self.jobs()]
            raise AssertionError(f"waited in vain for {statuses}, now {now}") from None

    def wait_until_alone(self) -> None:
        """No process of this instance is left."""
        wait_for(lambda: not self.own_processes(), "every process of the instance has ended")

    def end(self) -> None:
        """Kill what is left."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(timeout=60)
            except Exception:  # noqa: BLE001  # whatever it was, it must not outlive the test
                process.kill()
            if process.stdout:
                process.stdout.close()
        for pid in self.own_processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def live_queue(instance: Instance, films: Path) -> Iterator[LiveQueue]:
    films.mkdir(parents=True, exist_ok=True)
    queue = LiveQueue(instance, films)
    try:
        yield queue
    finally:
        queue.end()
