"""Recommendations for tests: plain rows, and a plain recount to hold the kept sums against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from library.analysis.sums import ALL_KINDS, FIELDS, confidence_band
from library.models import Recommendation, RecommendationSum

if TYPE_CHECKING:
    from library.models import MediaFile

GB = 1_000_000_000


def make_recommendation(
    file: MediaFile, kind: str = "codec", saves: int = 4 * GB, **values: Any
) -> Recommendation:
    """One for a film: open, fairly sure, by rule of thumb, unless `values` say otherwise."""
    defaults: dict[str, Any] = {
        "severity": 2,
        "confidence_pct": 60,
        "priority": 50,
        "savings_low_bytes": saves // 2,
        "savings_high_bytes": saves + saves // 4,
        "basis": "rule",
        "size_bytes": file.size_bytes,
    }
    return Recommendation.objects.create(
        kind=kind,
        file=file,
        library=file.library,
        savings_bytes=saves,
        **{**defaults, **values},
    )


def plain_sums() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The same sums as `library.analysis.sums` keeps, reckoned row by row."""
    found: dict[tuple[Any, ...], list[int]] = {}
    best: dict[int, list[Any]] = {}
    for row in Recommendation.objects.select_related("file"):
        size = row.size_bytes if row.file else 0
        amounts = (row.savings_bytes, row.savings_low_bytes, row.savings_high_bytes)
        band = confidence_band(row.confidence_pct)
        entry = found.setdefault(
            (row.state, row.kind, row.library_id, row.basis, band), [0, 0, 0, 0, 0]
        )
        for place, amount in enumerate((1, *amounts, size)):
            entry[place] += amount
        if row.state == "open" and row.file_id and row.savings_bytes > 0:
            film = best.setdefault(row.file_id, [row.library_id, 0, 0, 0, size])
            film[1:4] = [max(a, b) for a, b in zip(film[1:4], amounts, strict=True)]
    for library_id, *amounts_of_film in best.values():
        entry = found.setdefault(("open", ALL_KINDS, library_id, "", 0), [0, 0, 0, 0, 0])
        for place, amount in enumerate((1, *amounts_of_film)):
            entry[place] += amount
    return {key: tuple(entry) for key, entry in found.items()}


def kept_sums() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The kept rows that hold anything."""
    rows = RecommendationSum.objects.exclude(count=0)
    return {
        (row.state, row.kind, row.library_id, row.basis, row.confidence_band): tuple(
            getattr(row, name) for name in FIELDS
        )
        for row in rows
    }
