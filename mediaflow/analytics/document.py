"""The report as one JSON document; the page, the command and the API print the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from library.analysis.health import Health
    from mediaflow.analytics.capacity import Capacity
    from mediaflow.analytics.report import HevcPotential, Report
    from mediaflow.analytics.savings import Savings


def report_document(report: Report) -> dict[str, Any]:
    """Plain values only. Bytes are bytes; times are ISO 8601."""
    rows = {
        f"by_{dimension.name}": [_without_query(asdict(row)) for row in dimension.rows]
        for dimension in report.dimensions
    }
    return {
        "made_at": report.made_at.isoformat(),
        "library": report.library.name if report.library else None,
        "files": report.files,
        "bytes": report.bytes,
        "average_kbps": report.average_kbps,
        **rows,
        "h264_to_hevc": _potential(report.potential) if report.potential else None,
        "health": _health(report.health) if report.health else None,
        "capacity": _capacity(report.capacity),
        "growth": [
            {"day": day.day.isoformat(), "files": day.files, "bytes": day.bytes}
            for day in report.growth.days
        ],
        "growth_bytes_per_month": report.growth.bytes_per_month,
        "savings": _savings(report.savings),
    }


def _without_query(row: dict[str, Any]) -> dict[str, Any]:
    del row["query"]
    return row


def _potential(potential: HevcPotential) -> dict[str, Any]:
    return {
        "files": potential.files,
        "bytes": potential.bytes,
        "saves_bytes": potential.saving.expected,
        "saves_bytes_low": potential.saving.low,
        "saves_bytes_high": potential.saving.high,
        "basis": potential.saving.basis,
        "sampled_files": potential.sampled or potential.files,
    }


def _health(health: Health) -> dict[str, Any]:
    return {
        "score": health.score,
        "grade": health.grade,
        "parts": {part.name: part.score for part in health.parts},
    }


def _capacity(capacity: Capacity) -> dict[str, Any]:
    return {
        "total_bytes": capacity.total_bytes,
        "used_bytes": capacity.used_bytes,
        "free_bytes": capacity.free_bytes,
        "source": capacity.source,
    }


def _savings(savings: Savings) -> dict[str, Any]:
    return {
        "saved_bytes": savings.saved_bytes,
        "freed_bytes": savings.freed_bytes,
        "freed_files": savings.freed_films,
        "will_be_freed_bytes": savings.trash_bytes,
        "will_be_freed_files": savings.trash_films,
        "days": [
            {
                "day": day.day.isoformat(),
                "saved_bytes": day.saved_bytes,
                "freed_bytes": day.freed_bytes,
            }
            for day in savings.days
        ],
    }
