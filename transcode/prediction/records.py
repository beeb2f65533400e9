"""What was said of a job and what became of it: one row, written with the plan, closed at the end.

Both steps may be repeated. A job that fails or is skipped leaves its row open: it says nothing
about sizes. A job that is planned anew is predicted anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from transcode.encoders import ENCODERS
from transcode.models import Job, JobPhase, JobStatus, Prediction
from transcode.prediction.estimate import facts_of_info, pixels_of_output
from transcode.prediction.keys import key_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from library.media_info import MediaInfo
    from transcode.planning.model import Plan
    from transcode.prediction.estimate import Estimate, FilmFacts
    from transcode.presets.spec import PresetSpec

CLOSE_AT_ONCE: Final = 500


def record_plan(
    job_id: int, plan: Plan, info: MediaInfo, spec: PresetSpec, estimate: Estimate
) -> None:
    """`record_prediction` of a job that is planned."""
    name = plan.video.encoder if plan.video else "copy"
    family = next((e.family for e in ENCODERS.values() if e.ffmpeg_name == name), "")
    record_prediction(job_id, facts_of_info(info), spec, estimate, encoder=family)


def record_prediction(
    job_id: int, film: FilmFacts, spec: PresetSpec, estimate: Estimate, *, encoder: str = ""
) -> None:
    """With the frozen plan. `encoder`: the family that really encodes. A row that is closed stays
    as it is; a film that is only copied gets none."""
    if spec.video.encoder == "copy":
        return
    key = key_of(film, spec, encoder=encoder)
    values: dict[str, Any] = {
        "basis": estimate.basis,
        "source_codec": key.source_codec[:40],
        "encoder": key.encoder[:40],
        "speed": key.speed[:20],
        "resolution_class": key.resolution_class,
        "quality_key": key.quality_key[:20],
        "source_bytes": film.size_bytes,
        "pixels": pixels_of_output(film, spec),
        "predicted_bytes": estimate.bytes,
        "low_bytes": estimate.low,
        "high_bytes": estimate.high,
        "rule_bytes": estimate.rule_bytes,
        "plain_bytes": estimate.plain_bytes,
        "range_factor": estimate.range_factor,
        "predicted_vmaf": estimate.vmaf,
        "predicted_seconds": estimate.seconds,
        "created_at": timezone.now(),
    }
    rows = Prediction.objects.filter(job_id=job_id)
    if rows.filter(ended_at=None).update(**values):
        return
    Prediction.objects.get_or_create(job_id=job_id, defaults=values)


def record_outcome(job_id: int) -> bool:
    """Close the prediction of a completed job. False: nothing to close."""
    row = _closable().filter(job_id=job_id).first()
    return row is not None and _close(row)


def close_finished() -> int:
    """What a crash left open between the end of a job and its outcome. Returns how many."""
    return sum(_close(row) for row in _closable().order_by("id")[:CLOSE_AT_ONCE])


def _closable() -> QuerySet[Prediction]:
    return Prediction.objects.filter(
        ended_at=None, job__status=JobStatus.COMPLETED, job__output_bytes__gt=0
    ).select_related("job")


def _close(row: Prediction) -> bool:
    job = row.job
    actual = job.output_bytes or 0
    if not actual or row.predicted_bytes <= 0:
        return False
    closed = Prediction.objects.filter(pk=row.pk, ended_at=None).update(
        actual_bytes=actual,
        actual_vmaf=job.vmaf_mean,
        actual_seconds=_encode_seconds(job),
        error_pct=100 * (actual / row.predicted_bytes - 1),
        is_in_range=row.low_bytes <= actual <= row.high_bytes,
        ended_at=job.finished_at or timezone.now(),
    )
    return bool(closed)


def _encode_seconds(job: Job) -> float | None:
    """Of an encode in one go: pieces that an earlier attempt made would make it look faster."""
    if job.resumed_chunks:
        return None
    attempt = job.attempts.order_by("-id").values_list("phase_seconds", flat=True).first()
    seconds = (attempt or {}).get(JobPhase.ENCODE.value)
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else None
