"""Sentences about a search for a quality. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.media_info import HdrKind
from transcode.quality.trial import geometry_of

if TYPE_CHECKING:
    from transcode.planning.model import Plan
    from transcode.quality.sampling import SamplePlan
    from transcode.quality.search import Unreachable


def score_text(score: float, metric: str) -> str:
    return f"XPSNR {score:.2f} dB" if metric == "xpsnr" else f"VMAF {score:.2f}"


def model_name(plan: Plan, metric: str) -> str:
    """What is measured with, and in which space: VMAF's models are trained on SDR."""
    assert plan.video is not None
    name = "xpsnr" if metric == "xpsnr" else geometry_of(plan).model
    hdr = plan.video.color.hdr
    if hdr != HdrKind.SDR:
        return f"{name}, compared as {hdr}"
    if any("tonemap" in step for step in plan.video.filters):
        return f"{name}, both sides tone-mapped"
    return name


def found(
    plan: Plan,
    samples: SamplePlan,
    model: str,
    crf: float,
    score: float,
    metric: str,
    probes: int,
) -> str:
    assert plan.video is not None
    where = "the whole film" if samples.is_whole else f"{len(samples.samples)} samples"
    tried = {0: "known from before", 1: "one try"}.get(probes, f"{probes} tries")
    note = ""
    if plan.video.color.hdr != HdrKind.SDR and metric == "vmaf":
        note = " The model is trained on SDR; HDR is compared in its own signal on both sides."
    return (
        f"CRF {crf:g} is expected to give {score_text(score, metric)}"
        f" ({model}; {where}, {tried}).{note}"
    )


def unreachable(encoder: str, target: float, metric: str, best: Unreachable) -> str:
    wanted = f"XPSNR {target:g} dB" if metric == "xpsnr" else f"VMAF {target:g}"
    return (
        f"{wanted} cannot be reached with {encoder}: the best is {score_text(best.score, metric)}"
        f" at {best.number:g}. Choose a lower target or give a CRF."
    )
