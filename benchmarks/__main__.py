"""`make bench`, `python -m benchmarks [NAME …]`: runs each module's `run()`, writes the table.

A benchmark is a module of this package with `run() -> Iterable[Row]`. Each figure is a ratio of two
things measured in the same run wherever that is possible: machines differ, ratios hold.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import benchmarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.result import Row

RESULTS = Path(__file__).with_name("RESULTS.md")


def names() -> list[str]:
    """Benchmarks of this package, by the name of their module."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return sorted(name for name in found if _runner(name) is not None)


def _runner(name: str) -> Callable[[], Iterable[Row]] | None:
    if name.startswith("_"):
        return None
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    if "\ndef run(" not in text:
        return None
    run: Callable[[], Iterable[Row]] = importlib.import_module(f"benchmarks.{name}").run
    return run


def measure(chosen: Sequence[str]) -> list[Row]:
    """Run them one after the other, saying what is running on standard error."""
    rows: list[Row] = []
    for name in chosen:
        sys.stderr.write(f"benchmark {name} …\n")
        begun = time.monotonic()
        run = _runner(name)
        rows.extend(run() if run else ())
        sys.stderr.write(f"  {time.monotonic() - begun:.0f} s\n")
    return rows


def machine() -> str:
    """One line about where this was measured."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {today}"


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| what | measured | limit | met |", "|---|---:|---|---|"]
    for row in rows:
        met = "–" if row.ok is None else "yes" if row.ok else "**no**"
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.name}{note} | {row.value:,.2f} {row.unit} | {row.limit} | {met} |")
    return "\n".join(lines)


def main() -> int:
    """1 when a limit is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (all when none is named)")
    parser.add_argument("--list", action="store_true", help="say which there are")
    chosen = parser.parse_args()
    known = names()
    if chosen.list:
        sys.stdout.write("\n".join(known) + "\n")
        return 0
    unknown = [name for name in chosen.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    rows = measure(chosen.names or known)
    text = table(rows)
    sys.stdout.write(text + "\n")
    if not chosen.names:
        head = f"# Results of `make bench`\n\nMeasured on {machine()}.\n\n{text}\n"
        RESULTS.write_text(head, encoding="utf-8")
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
