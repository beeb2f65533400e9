"""Estimates for the library's pages: the callee of the hook `savings_estimator`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaflow.base.film_hooks import SavingsEstimate
from transcode.models import Preset
from transcode.prediction.estimate import facts_of_file
from transcode.prediction.lessons import current_lessons
from transcode.prediction.predict import predict
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from library.models import MediaFile
    from transcode.prediction.lessons import Lessons

DEFAULT_PRESET = "balanced"


def estimate_for_files(
    files: Sequence[MediaFile], preset_slug: str = ""
) -> Mapping[int, SavingsEstimate]:
    """By file id; one query for the preset and one for what was learned. Films that would not get
    smaller are left out, and so are those that MediaFlow made."""
    row = Preset.objects.filter(slug=preset_slug or DEFAULT_PRESET).only("spec").first()
    if row is None:
        return {}
    try:
        spec = PresetSpec.from_json(row.spec)
    except PresetProblem:
        return {}
    found = {}
    lessons = current_lessons()
    for file in files:
        saving = estimate_file(file, spec, lessons)
        if saving is not None:
            found[file.pk] = saving
    return found


def estimate_file(
    file: MediaFile, spec: PresetSpec, lessons: Lessons | None = None
) -> SavingsEstimate | None:
    """None for a film that would not get smaller, or that MediaFlow made. No statement where the
    caller gives the lessons."""
    if file.mediaflow_tag or not file.video_codec or not file.duration_ms:
        return None
    estimate = predict(facts_of_file(file), spec, lessons=lessons)
    expected = file.size_bytes - estimate.bytes
    if expected * 100 < file.size_bytes * max(1, spec.min_saving_pct):
        return None
    return SavingsEstimate(
        expected=expected,
        low=max(0, file.size_bytes - estimate.high),
        high=max(0, file.size_bytes - estimate.low),
        basis=estimate.basis,
        text=estimate.text,
    )
