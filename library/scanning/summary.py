"""What a scan did, as commands and pages show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class ScanSummary:
    """Keys of `scan --json`. `files`: films seen; `errors`: what could not be read."""

    id: int
    name: str
    root: str
    files: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    errors: int = 0
    growing: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    frozen_reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
