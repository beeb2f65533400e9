"""A rescan of 100,000 unchanged files against a bare `os.scandir` and `stat` walk of that tree.

Both run in turns in one process of its own (`benchmarks.rescan_child`), whose memory is measured,
too. The database is the embedded one, filled with a row and a probe for each file.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.instance import run_child
from benchmarks.result import Row

FILES: Final = 100_000
FILES_PER_FOLDER: Final = 20
AT_MOST: Final = 3.0
MAX_MB: Final = 300
_LONG_AGO_S: Final = 1_700_000_000


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as folder:
        root = Path(folder) / "films"
        _make_tree(root)
        data_dir = Path(folder) / "data"
        run_child("benchmarks.rescan_child", "fill", str(root), data_dir=data_dir)
        found = run_child("benchmarks.rescan_child", "measure", str(root), data_dir=data_dir)
    ratio = statistics.median(found["scan_s"]) / statistics.median(found["walk_s"])
    note = (
        f"{statistics.median(found['scan_s']):.2f} s against"
        f" {statistics.median(found['walk_s']):.2f} s for {found['files']:,} files"
    )
    memory = found["peak_mb"]
    return [
        Row("rescan / bare walk", ratio, f"at most {AT_MOST:g}", "×", ratio <= AT_MOST, note),
        Row("rescan, peak memory", memory, f"under {MAX_MB}", "MB", memory < MAX_MB),
    ]


def _make_tree(root: Path) -> None:
    for number in range(FILES // FILES_PER_FOLDER):
        title = f"Some Film of the Series {number} ({1950 + number % 75})"
        folder = root / chr(65 + number % 26) / title
        folder.mkdir(parents=True)
        for part in range(FILES_PER_FOLDER):
            path = folder / f"{title} part {part:02d} 1080p.mkv"
            path.write_bytes(b"x")
            os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))
