"""The library page at 1,000,000 files against the same at 10,000: server time by the test client.

Without a filter and with one, every offered sort, the first page and from a cursor standing 10,000
pages in (in the small library: half way in). Both libraries are measured in turns, twice; a page's
time is its best, so that what else the machine does weighs on both alike.
"""

from __future__ import annotations

import statistics
from typing import Any, Final

from benchmarks.library_database import LARGE_FILES, SMALL_FILES, child
from benchmarks.result import Row

MAX_RATIO: Final = 1.5
MAX_P95_MS: Final = 80
ROUNDS: Final = 2


def run() -> list[Row]:
    small, large = _measured()
    return [
        _ratio("library page, 1M / 10k files, first page", small, large, "first"),
        _ratio("library page, 1M / 10k files, 10,000 pages in", small, large, "deep"),
        _worst_sort(small, large),
        _p95(large),
        _queries(small, large),
    ]


def _measured() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pages of the small and of the large library, each with its best time."""
    rounds = [(child("pages", SMALL_FILES), child("pages", LARGE_FILES)) for _ in range(ROUNDS)]
    small, large = ([dict(page) for page in found] for found in rounds[0])
    for best, which in ((small, 0), (large, 1)):
        for found in rounds[1:]:
            for page, again in zip(best, found[which], strict=True):
                page["ms"] = min(page["ms"], again["ms"])
    return small, large


def _ratio(name: str, small: list[dict[str, Any]], large: list[dict[str, Any]], place: str) -> Row:
    few, many = _median(small, place), _median(large, place)
    ratio = many / few
    note = f"median {many:.0f} ms against {few:.0f} ms"
    return Row(name, ratio, f"at most {MAX_RATIO}", "×", ratio <= MAX_RATIO, note)


def _median(found: list[dict[str, Any]], place: str) -> float:
    return float(statistics.median(page["ms"] for page in found if page["place"] == place))


def _worst_sort(small: list[dict[str, Any]], large: list[dict[str, Any]]) -> Row:
    """The order with the worst ratio of medians over all filters and places."""
    ratios = {}
    for order in {page["order"] for page in large}:
        times = [[p["ms"] for p in found if p["order"] == order] for found in (small, large)]
        ratios[order] = statistics.median(times[1]) / statistics.median(times[0])
    worst = max(ratios, key=lambda order: ratios[order])
    limit = f"at most {MAX_RATIO}"
    name = "library page, 1M / 10k files, slowest sort"
    return Row(name, ratios[worst], limit, "×", ratios[worst] <= MAX_RATIO, f"sort={worst}")


def _p95(large: list[dict[str, Any]]) -> Row:
    times = sorted(page["ms"] for page in large)
    p95 = times[int(len(times) * 0.95)]
    slowest = max(large, key=lambda page: page["ms"])
    note = (
        f"each page the better of {ROUNDS}; slowest {slowest['ms']:.0f} ms:"
        f" {slowest['filter'] or 'no filter'} by {slowest['order']}"
    )
    limit = f"under {MAX_P95_MS}"
    return Row("library page at 1M files, p95", p95, limit, "ms", p95 < MAX_P95_MS, note)


def _queries(small: list[dict[str, Any]], large: list[dict[str, Any]]) -> Row:
    """The most queries that any page took, large against small."""
    few = max(page["queries"] for page in small)
    many = max(page["queries"] for page in large)
    note = f"at most {many} at 1M, {few} at 10k"
    return Row("library page, queries 1M - 10k", many - few, "0", "queries", many <= few, note)
