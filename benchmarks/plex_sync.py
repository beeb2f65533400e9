"""The first sync of 100,000 films with seven streams each, and one with nothing changed.

The stand-in Plex server runs in a process of its own, the sync in another, whose memory is
measured. The database is the embedded one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from benchmarks.instance import run_child
from benchmarks.result import Row
from tests.plex_stand_in.process import stand_in_process

MOVIES: Final = 100_000
FIRST_S: Final = 90
AGAIN_S: Final = 10
MAX_MB: Final = 300
MAX_REQUESTS: Final = 800


def run() -> list[Row]:
    with (
        stand_in_process("--movies", str(MOVIES)) as plex,
        tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as folder,
    ):
        found = run_child("benchmarks.plex_sync_child", plex.url, plex.token, data_dir=Path(folder))
        requests = plex.request_count
    first, again = found["first_s"], found["again_s"]
    note = (
        f"{MOVIES / first:,.0f} films a second, {found['files']:,} files,"
        f" {found['cpu_s']:.0f} s of one core"
    )
    return [
        Row("Plex, first sync", first, f"under {FIRST_S}", "s", first < FIRST_S, note),
        Row("Plex, nothing changed", again, f"under {AGAIN_S}", "s", again < AGAIN_S),
        Row("Plex, peak memory", found["peak_mb"], f"under {MAX_MB}", "MB",
            found["peak_mb"] < MAX_MB),
        Row("Plex, requests", requests, f"fewer than {MAX_REQUESTS}", "",
            requests < MAX_REQUESTS, "both syncs together"),
    ]  # fmt: skip
