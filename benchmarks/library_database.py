"""Databases with 10,000 and 1,000,000 files, made once per run, measured in their own processes."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.instance import run_child

SMALL_FILES: Final = 10_000
LARGE_FILES: Final = 1_000_000
# A folder that keeps the databases between runs: filling a million rows takes minutes.
KEEP_IN: Final = "BENCH_LIBRARY_DIR"


@cache
def data_dir(files: int) -> Path:
    """A data directory whose library holds so many synthetic files."""
    kept = os.environ.get(KEEP_IN)
    if kept:
        folder = Path(kept)
    else:
        folder = Path(tempfile.mkdtemp(prefix="mediaflow-bench-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"library-{files}"
    if not (path / "filled").exists():
        path.mkdir(parents=True, exist_ok=True)
        child("fill", files, path)
        (path / "filled").touch()
    return path


def child(step: str, files: int, path: Path | None = None) -> Any:
    """Run a step of `benchmarks.library_child` on the database; its JSON answer."""
    return run_child(
        "benchmarks.library_child",
        step,
        str(files),
        data_dir=path or data_dir(files),
        # The project's settings, with static files that need not be collected first.
        settings="tests.settings",
    )
