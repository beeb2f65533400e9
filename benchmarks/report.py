"""`benchmarks/RESULTS.md`: a part for each benchmark, written over when it was measured anew. Pure.

So the table can be made by parts, also by who has an hour here and there; each part says when and
where it was measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.result import Row

TITLE = "# Results of `make bench`"
INTRODUCTION = (
    "A part for each benchmark; `python -m benchmarks NAME` measures one and writes only its part."
    " Ratios compare two things measured in the same run."
)
_HEADING = re.compile(r"^## (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """Parts by the name of their benchmark: the text under the heading, without blank ends."""

    parts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Report:
        """What stands before the first heading is ours and written anew."""
        pieces = _HEADING.split(text)
        return cls(
            {name: part.strip() for name, part in zip(pieces[1::2], pieces[2::2], strict=True)}
        )

    def with_part(self, name: str, part: str) -> Report:
        return Report({**self.parts, name: part.strip()})

    def only(self, names: Iterable[str]) -> Report:
        """Without parts of benchmarks that are no more."""
        known = set(names)
        return Report({name: part for name, part in self.parts.items() if name in known})

    def text(self) -> str:
        parts = [f"## {name}\n\n{part}" for name, part in sorted(self.parts.items())]
        return "\n\n".join((TITLE, INTRODUCTION, *parts)) + "\n"


def part_of(rows: Sequence[Row], *, about: str, machine: str, details: str = "") -> str:
    """The part of one benchmark."""
    measured = f"Measured on {machine}."
    return "\n\n".join(piece for piece in (about, measured, table(rows), details) if piece)


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| what | measured | limit | met |", "|---|---:|---|---|"]
    for row in rows:
        met = "–" if row.ok is None else "yes" if row.ok else "**no**"
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.name}{note} | {row.value:,.2f} {row.unit} | {row.limit} | {met} |")
    return "\n".join(lines)
