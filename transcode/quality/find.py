"""Finds the CRF with which a film reaches the quality that a preset promises."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from transcode.encoders import ENCODERS
from transcode.outcomes import JobSkipped
from transcode.quality import cache, words
from transcode.quality.bias import best_number, habits, usual_quality, xpsnr_slope
from transcode.quality.found import FoundQuality, Probe
from transcode.quality.reference import Reference, cut_reference
from transcode.quality.sampling import Costs, SamplePlan, choose_samples
from transcode.quality.search import (
    Reached,
    Scale,
    Search,
    Unreachable,
    vmaf_metric,
    xpsnr_metric,
)
from transcode.quality.size import between, expected_size, frames_per_second
from transcode.quality.trial import try_quality

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transcode.encoders.model import VideoEncoder
    from transcode.planning.model import Plan
    from transcode.quality.bias import EncoderHabits
    from transcode.quality.found import FilmSource
    from transcode.quality.search import Metric
    from transcode.quality.size import SizeRange

SAMPLES_FOLDER = "samples"
TARGET_UNREACHABLE = "target_unreachable"
FINE_STEP = 0.1
# Any number makes a plan whose options besides the CRF are those of all others.
_SOME_CRF = 25.0


@dataclass(frozen=True, slots=True)
class Calls:
    """What a search says meanwhile; `checkpoint` may raise to end it."""

    checkpoint: Callable[[], None] = lambda: None
    report: Callable[[str, float | None], None] = lambda _note, _pct: None
    log: Callable[[str], None] = lambda _line: None


def find_quality(
    film: FilmSource,
    plan_for: Callable[[float], Plan],
    *,
    target: float,
    metric: str,
    work_dir: Path,
    guess: float | None = None,
    calls: Calls | None = None,
    total_s: float | None = None,
) -> FoundQuality:
    """Try CRFs on samples until one is known to reach the target. Cached by film and settings.

    `plan_for` gives the job's plan with a CRF; `total_s` overrides how much of the film is sampled.
    Raises JobSkipped (target_unreachable), JobFailed, JobWaits and what `checkpoint` raises.
    """
    began = time.monotonic()
    question = _Question.of(film, plan_for(_SOME_CRF), target, metric, total_s)
    known = question.cached()
    calls = calls or Calls()
    if known is not None:
        calls.log(f"the same search was made before: CRF {known.crf:g}")
        return known
    with _Laboratory(question, plan_for, work_dir, calls) as laboratory:
        outcome = laboratory.search(guess)
    if isinstance(outcome, Unreachable):
        best = replace(outcome, number=question.number_of(outcome.number))
        text = words.unreachable(question.family, target, metric, best)
        raise JobSkipped(TARGET_UNREACHABLE, text)
    found = question.answer(outcome, laboratory.probes, laboratory.fresh)
    found = replace(found, seconds=round(time.monotonic() - began, 2))
    calls.log(found.text)
    question.keep(found)
    return found


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of which film, and all that is known before the first probe."""

    film: FilmSource
    plan: Plan  # with some CRF
    target: float
    metric_name: str
    encoder: VideoEncoder
    samples: SamplePlan
    key: str

    @classmethod
    def of(
        cls, film: FilmSource, plan: Plan, target: float, metric: str, total_s: float | None
    ) -> _Question:
        assert plan.video is not None
        name = plan.video.encoder
        encoder = next(e for e in ENCODERS.values() if e.ffmpeg_name == name)
        samples = choose_samples(film.index, total_s=total_s)
        key = cache.settings_key(plan, samples.samples, metric, encoder.quality_option)
        return cls(film, plan, target, metric, encoder, samples, key)

    @property
    def family(self) -> str:
        return self.encoder.title or self.encoder.family

    @property
    def sha256(self) -> str:
        return self.film.index.sha256

    @property
    def habits(self) -> EncoderHabits:
        return habits(self.encoder.ffmpeg_name, self.encoder.quality_range)

    @property
    def metric(self) -> Metric:
        if self.metric_name == "xpsnr":
            return xpsnr_metric(xpsnr_slope(self.habits))
        return vmaf_metric(self.habits.slope)

    @property
    def bias(self) -> float:
        """How much higher the samples score than the film: nothing where they are the film."""
        if self.samples.is_whole:
            return 0.0
        known = self.habits
        return known.xpsnr_bias if self.metric_name == "xpsnr" else known.vmaf_bias

    def number_of(self, crf: float) -> float:
        """Lower is better in a search; VideoToolbox counts the other way round. Its own inverse."""
        low, high = self.encoder.quality_range
        return low + high - crf if self.encoder.is_higher_better else crf

    def scale(self) -> Scale:
        """Where CRF is no whole number, a quarter moves steep films by 0.8 of VMAF (measured)."""
        quality_range, step = self.encoder.quality_range, self.encoder.quality_step
        return Scale(best_number(quality_range), quality_range[1], step if step >= 1 else FINE_STEP)

    def first_guess(self) -> float:
        assert self.plan.video is not None
        known = self.habits
        if self.metric_name == "xpsnr":
            shift = 1 / xpsnr_slope(known)
        else:
            shift = 1 / (known.slope * max(1.0, 100.5 - self.target))
        learned = None
        if self.sha256:  # a film without a name asks no database
            learned = cache.learned_guess(
                self.plan.video.encoder, self.metric_name, self.target, shift
            )
        if learned is not None:
            return self.number_of(learned)
        lines = min(self.plan.video.width, self.plan.video.height)
        return usual_quality(known, self.target, lines, self.metric_name)

    def cached(self) -> FoundQuality | None:
        if not self.sha256:
            return None
        return cache.cached_search(self.sha256, self.key, self.metric_name, self.target)

    def cached_probes(self) -> dict[float, Probe]:
        return cache.cached_probes(self.sha256, self.key) if self.sha256 else {}

    def keep(self, found: FoundQuality) -> None:
        if self.sha256:
            cache.keep_search(self.sha256, self.key, self.plan, self.target, found)

    def answer(self, outcome: Reached, probes: dict[float, Probe], fresh: int) -> FoundQuality:
        number = outcome.number
        nearest = probes[min(probes, key=lambda n: abs(n - number))]
        size = between(number, {n: self._size(p) for n, p in probes.items()}, self.habits.slope)
        model = words.model_name(self.plan, self.metric_name)
        score, crf = outcome.score - self.bias, self.number_of(number)
        return FoundQuality(
            crf=crf,
            predicted_vmaf=round(score, 3),
            predicted_p5=round(nearest.p5 + score - nearest.mean, 3),
            metric=self.metric_name,
            model=model,
            samples=nearest.samples,
            probes=fresh,
            seconds=0.0,
            is_cached=False,
            bytes_expected=size.expected,
            bytes_low=size.low,
            bytes_high=size.high,
            text=words.found(self.plan, self.samples, model, crf, score, self.metric_name, fresh),
        )

    def _size(self, probe: Probe) -> SizeRange:
        index = self.film.index
        costs, rate = Costs.of(index), frames_per_second(index)
        return expected_size(probe.samples, costs, rate, is_whole=self.samples.is_whole)


@dataclass(slots=True)
class _Laboratory:
    """Makes probes in a folder of its own, which goes with it. Probes are kept by number."""

    question: _Question
    plan_for: Callable[[float], Plan]
    work_dir: Path
    calls: Calls
    probes: dict[float, Probe] = field(default_factory=dict)
    fresh: int = 0
    _reference: Reference | None = None
    _folder: Path | None = None

    def __enter__(self) -> _Laboratory:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def search(self, guess: float | None) -> Reached | Unreachable:
        question = self.question
        earlier = question.cached_probes()
        self.probes = {question.number_of(crf): probe for crf, probe in earlier.items()}
        start = question.number_of(guess) if guess is not None else question.first_guess()
        search = Search(question.scale(), question.metric, question.target + question.bias, start)
        search.probes.update({number: probe.mean for number, probe in self.probes.items()})
        while (number := search.next_number()) is not None:
            search.record(number, self._try(number).mean)
        return search.outcome()

    def _try(self, number: float) -> Probe:
        question, crf = self.question, self.question.number_of(number)
        plan = self.plan_for(crf)
        if self._reference is None:
            self._reference = self._cut(plan)
        self.fresh += 1
        self.calls.report(f"Trying CRF {crf:g} ({self.fresh} of about {max(3, self.fresh)})", None)
        probe = try_quality(
            self._reference,
            plan,
            question.metric_name,
            checkpoint=self.calls.checkpoint,
            log=self.calls.log,
        )
        score = words.score_text(probe.mean, question.metric_name)
        self.calls.log(f"CRF {crf:g}: {score} on the samples, in {probe.seconds:.1f} s")
        self.probes[number] = probe
        if question.sha256:
            cache.keep_probe(question.sha256, question.key, probe)
        return probe

    def _cut(self, plan: Plan) -> Reference:
        self._folder = self.work_dir / SAMPLES_FOLDER
        shutil.rmtree(self._folder, ignore_errors=True)  # of a search that was killed
        self._folder.mkdir(mode=0o700)
        samples = self.question.samples.samples
        count = len(samples)
        return cut_reference(
            self.question.film,
            plan,
            samples,
            self._folder,
            checkpoint=self.calls.checkpoint,
            on_sample=lambda n: self.calls.report(
                f"Taking sample {n + 1} of {count}", 100 * n / count
            ),
        )
