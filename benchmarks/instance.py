"""A MediaFlow of its own in a temporary folder, for benchmarks that need whole processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT_ROOT = Path(__file__).resolve().parents[1]
MARK = "measured: "


def run_child(module: str, *args: str, data_dir: Path, settings: str = "mediaflow.settings") -> Any:
    """The JSON answer of a process of its own, on its own data directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAFLOW_")}
    done = subprocess.run(
        [sys.executable, "-m", module, *args],
        env={**kept, "MEDIAFLOW_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": settings},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@dataclass(frozen=True, slots=True)
class BenchInstance:
    folder: Path

    @property
    def films(self) -> Path:
        return self.folder / "films"

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MEDIAFLOW_")}
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "mediaflow.settings",
            "MEDIAFLOW_DATA_DIR": str(self.folder / "data"),
            "PYTHONPATH": str(PROJECT_ROOT),
        }

    def command(self, *args: str) -> list[str]:
        return [sys.executable, str(PROJECT_ROOT / "manage.py"), *args]

    def run(self, *args: str) -> str:
        done = subprocess.run(
            self.command(*args), env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def measure(self, code: str) -> Any:
        """Run Python code inside; it prints MARK and one JSON document."""
        text = self.run("shell", "--no-imports", "-c", code)
        return json.loads(text.rpartition(MARK)[2])

    @contextmanager
    def consumer(self) -> Iterator[None]:
        process = subprocess.Popen(
            self.command("run_huey"),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@contextmanager
def bench_instance() -> Iterator[BenchInstance]:
    """Migrated and empty; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as folder:
        instance = BenchInstance(Path(folder))
        instance.films.mkdir()
        instance.run("migrate", "--verbosity", "0")
        yield instance
