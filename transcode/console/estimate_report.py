"""What `mediaflow estimate` prints, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from mediaflow.templatetags._text import size, span
from transcode.outcomes import JobFailed, JobSkipped, JobWaits
from transcode.prediction.sample_film import SampledFilm, sample_film
from transcode.quality.find import Calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.presets.spec import PresetSpec


def estimate_or_refusal(
    path: bytes, spec: PresetSpec, preset_slug: str, *, say: Callable[[str], object] | None
) -> SampledFilm | JobSkipped:
    """A film that the preset leaves alone is an answer, too. Raises CommandError (code 1) for one
    that cannot be read or encoded."""

    def report(note: str, _pct: float | None) -> None:
        if say is not None:
            say(note)

    try:
        return sample_film(path, spec, preset_slug=preset_slug, calls=Calls(report=report))
    except JobSkipped as skipped:
        return skipped
    except (JobFailed, JobWaits) as problem:
        raise CommandError(problem.reason, returncode=1) from None


def as_json(answer: SampledFilm | JobSkipped) -> dict[str, Any]:
    """The keys of the interface; null for what nobody knows."""
    if isinstance(answer, JobSkipped):
        names = ("bytes", "bytes_low", "bytes_high", "vmaf", "seconds")
        return {
            **{f"predicted_{name}": None for name in names},
            "crf": None,
            "encoder": None,
            "worth_it": False,
            "reason": answer.reason,
            "reason_code": answer.reason_code,
        }
    estimate = answer.estimate
    return {
        "predicted_bytes": estimate.bytes,
        "predicted_bytes_low": estimate.low,
        "predicted_bytes_high": estimate.high,
        "predicted_vmaf": estimate.vmaf,
        "predicted_seconds": None if estimate.seconds is None else round(estimate.seconds, 1),
        "crf": answer.crf,
        "encoder": answer.encoder,
        "worth_it": answer.verdict.is_worth_it,
        "reason": answer.verdict.reason,
        "basis": estimate.basis,
        "basis_text": estimate.text,
        "source_bytes": answer.source_bytes,
        "predicted_vmaf_p5": answer.p5,
    }


def as_lines(answer: SampledFilm | JobSkipped) -> list[str]:
    if isinstance(answer, JobSkipped):
        return [f"Not worth it: {answer.reason}"]
    estimate = answer.estimate
    crf = "" if answer.crf is None else f" at CRF {answer.crf:g}"
    lines = [
        f"Size     {size(answer.source_bytes).text} → about {size(estimate.bytes).text}"
        f" ({size(estimate.low).text} to {size(estimate.high).text}, eight of ten films)",
        f"Encoder  {answer.encoder}{crf}",
    ]
    if estimate.vmaf is not None:
        low = "" if answer.p5 is None else f", 5 % of the pictures below {answer.p5:.1f}"
        lines.append(f"VMAF     {estimate.vmaf:.1f}{low}")
    if estimate.seconds is not None:
        lines.append(f"Time     about {span(estimate.seconds)} on this machine")
    lines.append(f"Basis    {estimate.text}")
    word = "Worth it" if answer.verdict.is_worth_it else "Not worth it"
    lines.append(f"{word}: {answer.verdict.reason}")
    return lines
