"""What the pages of a job and of its film show of the quality: promise, pictures, chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mediaflow.base.film_hooks import FilmPanel
from transcode.models import Job, JobStatus
from transcode.pages.quality_pictures import QualityPictures, read_pictures
from transcode.pages.quality_words import QualityPromise, quality_promise, score_text
from transcode.pages.vmaf_chart import Asked, VmafChart, make_chart

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

_FIELDS: Final = (
    *("id", "uuid", "plan", "sample_frames", "vmaf_curve", "vmaf_mean", "vmaf_p5", "vmaf_method"),
    *("target_vmaf", "target_metric", "predicted_vmaf", "crf", "finished_at"),
)


@dataclass(frozen=True, slots=True)
class QualityView:
    target: str  # "VMAF 95"; "" where none was asked for
    promise: QualityPromise | None
    pictures: QualityPictures | None
    chart: VmafChart | None
    method: str


def read_quality(job: Job, wanted: str = "") -> QualityView:
    """`wanted`: which picture. No statement."""
    plan: dict[str, Any] = job.plan if isinstance(job.plan, dict) else {}
    chart = make_chart(
        job.vmaf_curve,
        _asked(job, plan),
        mean=job.vmaf_mean,
        p5=job.vmaf_p5,
        duration_s=_number(plan.get("duration_s")) or 0.0,
    )
    return QualityView(
        target="" if job.target_vmaf is None else score_text(job.target_vmaf, job.target_metric),
        promise=quality_promise(job),
        pictures=read_pictures(job, wanted),
        chart=chart,
        method=job.vmaf_method,
    )


def _asked(job: Job, plan: dict[str, Any]) -> Asked:
    """The target, and the floors where they were checked."""
    is_checked = plan.get("is_vmaf_checked") is True
    return Asked(
        target=job.target_vmaf if job.target_metric != "xpsnr" else None,
        min_mean=_number(plan.get("min_vmaf_mean")) if is_checked else None,
        min_p5=_number(plan.get("min_vmaf_p5")) if is_checked else None,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e7 else None


def quality_panel(request: HttpRequest, file: Model) -> FilmPanel | None:
    """Of the newest result that lies there now. One statement."""
    rows = Job.objects.filter(file_id=file.pk, status=JobStatus.COMPLETED, undone_at=None)
    job = rows.only(*_FIELDS).order_by("-finished_at", "-id").first()
    if job is None:
        return None
    view = read_quality(job, request.GET.get("picture", ""))
    if view.pictures is None and view.chart is None:
        return None
    return FilmPanel(
        template="transcode/_film_quality.html", context={"quality": view}, place="main"
    )
