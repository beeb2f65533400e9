"""Mixtures of filters, sorts and text at 1,000,000 files: server time of the first page."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.library_database import LARGE_FILES, child
from benchmarks.result import Row

MAX_MS: Final = 300


def run() -> list[Row]:
    found: dict[str, Any] = child("search", LARGE_FILES)
    pages: list[dict[str, Any]] = found["pages"]
    times = sorted(page["ms"] for page in pages)
    slowest = max(pages, key=lambda page: page["ms"])
    searching = sum(page["is_searching"] for page in pages)
    limit = f"under {MAX_MS}"
    note = f"{slowest['filter']} by {slowest['order']}"
    rows = [
        Row("first page of any mixture at 1M files, slowest", slowest["ms"], limit, "ms",
            slowest["ms"] < MAX_MS, note),
        Row("first page of any mixture at 1M files, median", times[len(times) // 2], limit, "ms",
            times[len(times) // 2] < MAX_MS),
        Row("mixtures whose first page says searching and goes on", 100 * searching / len(pages),
            "for information", "%"),
    ]  # fmt: skip
    for words, is_found in found["texts"].items():
        rows.append(Row(f"search finds {words}", float(is_found), "1", "", bool(is_found)))
    return rows
