"""The film page's estimates: what each preset would make of it; after a job, what came true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from mediaflow.base.film_hooks import FilmPanel
from mediaflow.base.operation_fragment import operation_context
from transcode.models import JobStatus, Prediction, Preset
from transcode.prediction.estimate import Estimate, facts_of_file, quality_words
from transcode.prediction.estimate_operation import KeptEstimate, estimates_of
from transcode.prediction.lessons import current_lessons
from transcode.prediction.predict import predict
from transcode.prediction.verdict import judge
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from library.models import MediaFile
    from transcode.prediction.estimate_operation import FilmEstimates
    from transcode.prediction.lessons import Lessons

MOST_PRESETS: Final = 12
_BUSY_STATES: Final = frozenset({"queued", "processing"})


@dataclass(frozen=True, slots=True)
class PresetRow:
    """What one preset would make of the film."""

    slug: str
    name: str
    sub: str
    bytes: int
    low: int
    high: int
    basis: str
    text: str
    vmaf: float | None
    seconds: float | None
    is_worth_it: bool
    reason: str
    refusal: str  # of the samples: the preset would leave the film alone
    problem: str  # why sampling failed
    can_sample: bool


def estimate_panel(request: HttpRequest, file: Model) -> FilmPanel | None:
    """Up to four statements."""
    film = cast("MediaFile", file)
    if not film.video_codec or not film.duration_ms or film.state in _BUSY_STATES:
        return None
    if film.mediaflow_tag:
        return _outcome_panel(film)
    may_sample = bool(getattr(request.user, "is_operator", False))
    presets = list(Preset.objects.order_by("position", "name")[:MOST_PRESETS])
    found = estimates_of(film, presets)
    lessons = current_lessons()
    rows = [_row(film, preset, found, lessons) for preset in presets]
    context = {
        "file": film,
        "rows": [row for row in rows if row is not None],
        "may_sample": may_sample,
        "operations": [operation_context(row, may_cancel=may_sample) for row in found.active],
    }
    return FilmPanel(template="transcode/_estimate_panel.html", context=context, place="main")


def _row(
    file: MediaFile, preset: Preset, found: FilmEstimates, lessons: Lessons
) -> PresetRow | None:
    try:
        spec = PresetSpec.from_json(preset.spec)
    except PresetProblem:
        return None
    by_facts = predict(facts_of_file(file), spec, lessons=lessons)
    kept = found.kept.get(preset.slug)
    shown: Estimate | KeptEstimate = kept or by_facts
    verdict = judge(by_facts, file.size_bytes, spec)
    rule = spec.video
    is_copy = rule.encoder == "copy"
    return PresetRow(
        slug=preset.slug,
        name=preset.name,
        sub="copies the picture" if is_copy else f"{rule.encoder}, {quality_words(rule)}",
        bytes=shown.bytes,
        low=shown.low,
        high=shown.high,
        basis="sampled" if kept else by_facts.basis,
        text=shown.text,
        vmaf=shown.vmaf,
        seconds=shown.seconds,
        is_worth_it=kept.is_worth_it if kept else verdict.is_worth_it,
        reason=kept.reason if kept else verdict.reason,
        refusal=found.refusals.get(preset.slug, ""),
        problem=found.failed.get(preset.slug, ""),
        can_sample=not is_copy and rule.bit_rate_kbps is None,
    )


def _outcome_panel(file: MediaFile) -> FilmPanel | None:
    """Of the job that made the film that lies there now."""
    row = (
        Prediction.objects.filter(
            job__file_id=file.pk,
            job__status=JobStatus.COMPLETED,
            job__undone_at=None,
            ended_at__isnull=False,
        )
        .select_related("job")
        .order_by("-id")
        .first()
    )
    if row is None:
        return None
    context: dict[str, Any] = {"row": row, "job": row.job}
    return FilmPanel(template="transcode/_outcome_panel.html", context=context, place="main")
