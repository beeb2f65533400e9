"""What a film becomes at the CRF that a preset names: one probe of its samples, no search."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from transcode.encoders import ENCODERS
from transcode.models import QualityProbe
from transcode.quality import cache, words
from transcode.quality.bias import habits
from transcode.quality.found import FoundQuality
from transcode.quality.reference import cut_reference
from transcode.quality.sampling import Costs, choose_samples
from transcode.quality.size import expected_size, frames_per_second
from transcode.quality.trial import try_quality

if TYPE_CHECKING:
    from transcode.planning.model import Plan
    from transcode.quality.find import Calls
    from transcode.quality.found import FilmSource, Probe
    from transcode.quality.sampling import SamplePlan

_METRIC = "vmaf"


def measure_quality(film: FilmSource, plan: Plan, *, work_dir: Path, calls: Calls) -> FoundQuality:
    """Size and VMAF of the whole output by samples. Probes are kept and used again.

    Raises JobFailed and what `checkpoint` of the calls raises.
    """
    began = time.monotonic()
    question = _question(film, plan)
    probe = _known_probe(film, question)
    is_cached = probe is not None
    if probe is None:
        probe = _try(film, plan, question.samples, work_dir, calls)
        if film.index.sha256:
            cache.keep_probe(film.index.sha256, question.key, probe)
    found = _found(film, question, probe)
    seconds = round(time.monotonic() - began, 2)
    return replace(found, is_cached=is_cached, probes=int(not is_cached), seconds=seconds)


def known_quality(film: FilmSource, plan: Plan) -> FoundQuality | None:
    """What `measure_quality` measured earlier of this very film and plan; encodes nothing."""
    if plan.video is None or plan.video.crf is None or plan.video.encoder == "copy":
        return None
    # Most films were never sampled: those cost one look.
    if not QualityProbe.objects.filter(source_sha256=film.index.sha256 or "none").exists():
        return None
    question = _question(film, plan)
    probe = _known_probe(film, question)
    return None if probe is None else replace(_found(film, question, probe), is_cached=True)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is measured by which samples, and under which key it is kept."""

    plan: Plan
    crf: float
    samples: SamplePlan
    key: str
    bias: float  # so much higher than the film do its samples score


def _question(film: FilmSource, plan: Plan) -> _Question:
    assert plan.video is not None
    assert plan.video.crf is not None
    name = plan.video.encoder
    encoder = next(e for e in ENCODERS.values() if e.ffmpeg_name == name)
    samples = choose_samples(film.index)
    key = cache.settings_key(plan, samples.samples, _METRIC, encoder.quality_option)
    bias = 0.0 if samples.is_whole else habits(name, encoder.quality_range).vmaf_bias
    return _Question(plan, plan.video.crf, samples, key, bias)


def _known_probe(film: FilmSource, question: _Question) -> Probe | None:
    sha256 = film.index.sha256
    return cache.cached_probes(sha256, question.key).get(question.crf) if sha256 else None


def _try(film: FilmSource, plan: Plan, samples: SamplePlan, work_dir: Path, calls: Calls) -> Probe:
    count = len(samples.samples)
    with tempfile.TemporaryDirectory(prefix="samples-", dir=work_dir) as folder:
        reference = cut_reference(
            film,
            plan,
            samples.samples,
            Path(folder),
            checkpoint=calls.checkpoint,
            on_sample=lambda n: calls.report(f"Taking sample {n + 1} of {count}", 100 * n / count),
        )
        calls.report("Encoding and comparing the samples", None)
        return try_quality(reference, plan, _METRIC, checkpoint=calls.checkpoint, log=calls.log)


def _found(film: FilmSource, question: _Question, probe: Probe) -> FoundQuality:
    samples, bias = question.samples, question.bias
    size = expected_size(
        probe.samples,
        Costs.of(film.index),
        frames_per_second(film.index),
        is_whole=samples.is_whole,
    )
    model = words.model_name(question.plan, _METRIC)
    where = "the whole film" if samples.is_whole else f"{len(samples.samples)} samples of it"
    return FoundQuality(
        crf=probe.crf,
        predicted_vmaf=round(probe.mean - bias, 3),
        predicted_p5=round(probe.p5 - bias, 3),
        metric=_METRIC,
        model=model,
        samples=probe.samples,
        probes=1,
        seconds=0.0,
        is_cached=False,
        bytes_expected=size.expected,
        bytes_low=size.low,
        bytes_high=size.high,
        text=f"Sampled: {where} encoded at CRF {probe.crf:g} and compared ({model}).",
    )
