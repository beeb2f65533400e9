"""`make bench`, `python -m benchmarks [NAME …]`: runs each module's `run()`, writes the table.

A benchmark is a module of this package with `run() -> Iterable[Row]`; what its docstring says first
stands above its rows, and what `details() -> str` gives below them. Each figure is a ratio of two
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
from benchmarks.report import Report, part_of, table

if TYPE_CHECKING:
    from types import ModuleType

    from benchmarks.result import Row

RESULTS = Path(__file__).with_name("RESULTS.md")


def names() -> list[str]:
    """Benchmarks of this package, by the name of their module."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return sorted(name for name in found if _is_benchmark(name))


def _is_benchmark(name: str) -> bool:
    if name.startswith("_"):
        return False
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return "\ndef run(" in text


def measure(name: str) -> list[Row]:
    """Run one and write its part; what is running is said on standard error."""
    sys.stderr.write(f"benchmark {name} …\n")
    begun = time.monotonic()
    module = importlib.import_module(f"benchmarks.{name}")
    rows: list[Row] = list(module.run())
    sys.stderr.write(f"  {time.monotonic() - begun:.0f} s\n")
    _write(name, module, rows)
    return rows


def _write(name: str, module: ModuleType, rows: list[Row]) -> None:
    """At once: a later benchmark that fails takes nothing with it."""
    about = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    details = module.details() if hasattr(module, "details") else ""
    part = part_of(rows, about=about, machine=machine(), details=details)
    report = Report.read(RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "")
    RESULTS.write_text(report.with_part(name, part).only(names()).text(), encoding="utf-8")


def machine() -> str:
    """One line about where and when this was measured."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{today}, {model}, {os.cpu_count()} cores, Python {platform.python_version()}"


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
    rows = [row for name in chosen.names or known for row in measure(name)]
    sys.stdout.write(table(rows) + "\n")
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
