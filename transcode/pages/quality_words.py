"""What was promised of a film's quality and what came of it, in sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from transcode.models import Job

XPSNR: Final = "xpsnr"
# Within this a result is what was asked for.
NEAR_BELOW: Final = 0.5
NEAR_ABOVE: Final = 1.0


@dataclass(frozen=True, slots=True)
class QualityPromise:
    """`tone`: ok, warn or ""; the text says it too."""

    text: str
    tone: str


def quality_promise(job: Job) -> QualityPromise | None:
    """Target, promise of the samples, measured value; None where no quality was asked for."""
    if job.target_vmaf is None:
        return None
    asked = score_text(job.target_vmaf, job.target_metric)
    if job.predicted_vmaf is None:
        return QualityPromise(f"{asked} is asked for; samples of the film will say which CRF.", "")
    at = f" at CRF {job.crf:g}" if job.crf is not None else ""
    unit = " dB" if job.target_metric == XPSNR else ""
    promised = f"{asked} was asked for; samples promised {job.predicted_vmaf:.1f}{unit}{at}"
    if job.vmaf_mean is None:
        return QualityPromise(f"{promised}. The result is not measured yet.", "")
    if job.target_metric == XPSNR:
        return QualityPromise(f"{promised}. The result measures VMAF {job.vmaf_mean:.1f}.", "")
    off = job.vmaf_mean - job.target_vmaf
    measured = f"{job.vmaf_mean:.1f} was measured: {_verdict(off)}"
    return QualityPromise(f"{promised}, {measured}.", _tone(off))


def score_text(score: float, metric: str) -> str:
    return f"XPSNR {score:g} dB" if metric == XPSNR else f"VMAF {score:g}"


def _verdict(off: float) -> str:
    if abs(off) < 0.05:
        return "as asked"
    return f"{abs(off):.1f} {'below' if off < 0 else 'above'} the target"


def _tone(off: float) -> str:
    return "ok" if -NEAR_BELOW <= off <= NEAR_ABOVE else "warn"
