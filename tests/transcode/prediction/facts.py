"""Films that exist only as facts, and predictions that came true or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.transcode.web import rows
from transcode.models import JobStatus, Prediction
from transcode.prediction.estimate import FilmFacts

HOUR_S = 3600.0
GB = 1_000_000_000
_START = datetime(2026, 1, 1, tzinfo=UTC)
_minutes = count(1)


def facts(**values: object) -> FilmFacts:
    base = FilmFacts(
        size_bytes=4 * GB,
        duration_s=HOUR_S,
        video_codec="h264",
        width=1920,
        height=1080,
        frames_per_s=24.0,
        audio_kbps=384,
        audio_channels=6,
        audio_tracks=1,
    )
    return replace(base, **values)  # type: ignore[arg-type]


def past(ratio: float = 1.0, **values: Any) -> Prediction:
    """A prediction whose job is done: the result was `ratio` times what the rule said."""
    said = values.pop("said", GB)
    defaults: dict[str, Any] = {
        "basis": "rule",
        "source_codec": "h264",
        "encoder": "x265",
        "speed": "medium",
        "resolution_class": 1080,
        "quality_key": "crf22",
        "source_bytes": 4 * GB,
        "predicted_bytes": said,
        "low_bytes": round(0.5 * said),
        "high_bytes": round(1.8 * said),
        "rule_bytes": said,
        "plain_bytes": said,
        "actual_bytes": round(said * ratio),
        "error_pct": 100 * (ratio - 1),
        "is_in_range": 0.5 <= ratio <= 1.8,
        "ended_at": _START + timedelta(minutes=next(_minutes)),
    }
    job = values.pop("job", None) or rows.make_job(JobStatus.COMPLETED)
    return Prediction.objects.create(job=job, **(defaults | values))
