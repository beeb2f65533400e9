"""Samples of one film in the background: the operation behind “Estimate by samples”."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from library.models import LibraryKind, MediaFile
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import OperationProblem, start_operation
from mediaflow.templatetags._text import size
from transcode.outcomes import JobFailed, JobSkipped, JobWaits
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import AbstractBaseUser

    from mediaflow.base.operations import OperationContext
    from transcode.models import Preset
    from transcode.prediction.sample_film import SampledFilm

KIND: Final = "estimate"
# Estimates of one film that are looked through for the newest of each preset.
NEWEST: Final = 30


@dataclass(frozen=True, slots=True)
class KeptEstimate:
    """What the samples said, as the operation keeps it."""

    bytes: int
    low: int
    high: int
    vmaf: float | None
    p5: float | None
    seconds: float | None
    crf: float | None
    encoder: str
    text: str
    is_worth_it: bool
    reason: str


def start_estimate(
    file: MediaFile, preset: Preset, *, actor: AbstractBaseUser | None = None
) -> Operation:
    """Queue it; the one that runs already for this film and preset where there is one."""
    return start_operation(
        kind=KIND,
        title=f"Estimate {file.title or file.path} with {preset.name}",
        args={
            "file_id": file.pk,
            "preset": preset.slug,
            # Of this film and this preset as they are now: the answer is about nothing else.
            "spec": preset.spec,
            "size_bytes": file.size_bytes,
            "mtime_ns": file.mtime_ns,
        },
        lock_key=lock_key(file.pk, preset.slug),
        unit="steps",
        actor=actor,
    )


def lock_key(file_id: int, preset_slug: str) -> str:
    return f"{KIND}:{file_id}:{preset_slug}"[:100]


def run_estimate(context: OperationContext) -> None:
    """Handler. Repeated after a crash it uses the probes that were kept."""
    from transcode.prediction.sample_film import sample_film
    from transcode.quality.find import Calls

    file = MediaFile.objects.select_related("library").filter(pk=context.args["file_id"]).first()
    if file is None:
        raise OperationProblem("The film is no longer in any library.")
    if file.library.kind != LibraryKind.FOLDER:
        raise OperationProblem("Only Plex reaches this film; no piece of it can be encoded here.")
    try:
        spec = PresetSpec.from_json(context.args["spec"])
    except PresetProblem as problem:
        raise OperationProblem(f"The preset cannot be used: {problem}") from None
    steps = 0

    def report(note: str, _pct: float | None) -> None:
        nonlocal steps
        steps += 1
        context.report(steps, None, current=note)

    path = os.path.join(bytes(file.library.root_raw), bytes(file.path_raw))  # noqa: PTH118  # bytes
    calls = Calls(checkpoint=context.checkpoint, report=report)
    # Another address than the page that shows the operation: a mere fragment would not load it.
    address = reverse("library:file_detail", args=[file.pk])
    page = {
        "url": f"{address}?estimate={context.operation_id}#estimate",
        "url_text": "See the estimate",
    }
    try:
        found = sample_film(path, spec, preset_slug=context.args["preset"], calls=calls)
    except JobSkipped as skipped:
        context.report(steps, None, message=skipped.reason)
        context.set_result({"refusal": skipped.reason, **page})
        return
    except (JobFailed, JobWaits) as problem:
        raise OperationProblem(problem.reason) from None
    estimate = found.estimate
    context.report(
        steps, None, message=f"About {size(estimate.bytes).text}. {found.verdict.reason}"
    )
    context.set_result({"estimate": as_kept(found), **page})


def as_kept(found: SampledFilm) -> dict[str, Any]:
    estimate = found.estimate
    return {
        "bytes": estimate.bytes,
        "low": estimate.low,
        "high": estimate.high,
        "vmaf": estimate.vmaf,
        "p5": found.p5,
        "seconds": estimate.seconds,
        "crf": found.crf,
        "encoder": found.encoder,
        "text": estimate.text,
        "is_worth_it": found.verdict.is_worth_it,
        "reason": found.verdict.reason,
    }


@dataclass(frozen=True, slots=True)
class FilmEstimates:
    """What was sampled of one film, by preset, as far as it still holds."""

    kept: dict[str, KeptEstimate]
    refusals: dict[str, str]
    active: tuple[Operation, ...]
    failed: dict[str, str]


def estimates_of(file: MediaFile, presets: Iterable[Preset]) -> FilmEstimates:
    """One statement. An answer about another version of the film or preset is none."""
    specs = {preset.slug: preset.spec for preset in presets}
    rows = Operation.objects.filter(kind=KIND, lock_key__startswith=f"{KIND}:{file.pk}:").order_by(
        "-id"
    )[:NEWEST]
    kept: dict[str, KeptEstimate] = {}
    refusals: dict[str, str] = {}
    failed: dict[str, str] = {}
    active = []
    seen = set()
    for row in rows:
        if row.is_active:
            active.append(row)
            continue
        slug = str(row.args.get("preset", ""))
        if slug in seen or not _is_of(row, file, specs.get(slug)):
            continue
        seen.add(slug)
        answer = _kept(row.result.get("estimate"))
        if row.status == OperationStatus.FAILED:
            failed[slug] = row.message
        elif answer is not None:
            kept[slug] = answer
        elif isinstance(row.result.get("refusal"), str):
            refusals[slug] = row.result["refusal"]
    return FilmEstimates(kept, refusals, tuple(active), failed)


def _is_of(row: Operation, file: MediaFile, spec: object) -> bool:
    args = row.args
    same_film = (args.get("size_bytes"), args.get("mtime_ns")) == (file.size_bytes, file.mtime_ns)
    return same_film and spec is not None and args.get("spec") == spec


def _kept(raw: object) -> KeptEstimate | None:
    try:
        return KeptEstimate(**raw) if isinstance(raw, dict) else None
    except TypeError:
        return None  # of another version
