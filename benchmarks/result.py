"""One line of `benchmarks/RESULTS.md`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure measured in one run, and its limit as text ("at least 12", "under 80").

    `ok` None: measured for information, without a limit.
    """

    name: str
    value: float
    limit: str
    unit: str = "×"
    ok: bool | None = None
    note: str = ""
