"""All analysers over 100,000 and 1,000,000 films with plays, languages and items, in processes of
their own whose memory is measured; again on a library in which nothing has changed, and with a
person who decides of recommendations all the while.

The database is the embedded one, as the library benchmarks make it (`library_database`), with
plays, languages and items added. Every analyser is on, with its own thresholds.
"""

from __future__ import annotations

import shutil
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.library_database import child, data_dir
from benchmarks.result import Row

if TYPE_CHECKING:
    from pathlib import Path

SMALL_FILES, LARGE_FILES = 100_000, 1_000_000
SMALL_S, LARGE_S = 3.0, 40.0
# The first time on an empty list, so often, each in a process of its own.
SMALL_ROUNDS, LARGE_ROUNDS = 5, 1
# Of the process, for ten times the films.
MEMORY_RATIO: Final = 1.5
# A press of a button while the analysers run.
MAX_WAIT_MS: Final = 1_000


def run() -> list[Row]:
    return [
        *_rows(SMALL_FILES, SMALL_S, SMALL_ROUNDS),
        *_rows(LARGE_FILES, LARGE_S, LARGE_ROUNDS),
        *_memory(),
    ]


_peaks: dict[int, float] = {}


def _rows(files: int, limit_s: float, rounds: int) -> list[Row]:
    seconds = []
    for _round in range(rounds):
        path = _prepared(files)
        first = _measured("analyze", files, path)
        seconds.append(first["seconds"])
    first_s = median(seconds)
    again = _measured("analyze", files, path)
    busy = _measured("analyze-busy", files, path)
    _peaks[files] = max(first["peak_mb"], again["peak_mb"])
    name = f"{files:,} films"
    found = f"{first['open']:,} recommendations, {first['saved_tb']:.1f} TB to save"
    if rounds > 1:
        found += "; in turn " + ", ".join(f"{s:.2f}" for s in seconds)
    waits = f"the longest of {busy['decisions']:,} decisions beside it"
    return [
        Row(f"analysis, {name}", first_s, f"under {limit_s:g}", "s", first_s < limit_s, found),
        Row(f"analysis again, {name}", again["seconds"], f"under {limit_s:g}", "s",
            again["seconds"] < limit_s, f"{again['new']:,} new, {again['gone']:,} gone"),
        Row(f"analysis, a decision's wait, {name}", busy["wait_ms"], f"under {MAX_WAIT_MS}", "ms",
            busy["wait_ms"] < MAX_WAIT_MS, waits),
    ]  # fmt: skip


def _memory() -> list[Row]:
    small, large = _peaks[SMALL_FILES], _peaks[LARGE_FILES]
    note = f"{small:.0f} MB for {SMALL_FILES:,}, {large:.0f} MB for {LARGE_FILES:,}"
    ratio = large / small
    return [
        Row("analysis, memory", ratio, f"at most {MEMORY_RATIO:g}", "×", ratio <= MEMORY_RATIO,
            note),
    ]  # fmt: skip


def _prepared(files: int) -> Path:
    """The library's database, copied and given plays and items; without recommendations. The large
    one holds the films of the small one ten times, in other folders."""
    source = data_dir(SMALL_FILES)
    path = source.with_name(f"analysis-{files}")
    if not (path / "enriched").exists():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, path)
        child("multiply-for-analysis", files, path)
        child("enrich-for-analysis", files, path)
        (path / "enriched").touch()
    child("forget-analysis", files, path)
    return path


def _measured(step: str, files: int, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = child(step, files, path)
    return found
