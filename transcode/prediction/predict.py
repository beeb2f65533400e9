"""How large, how good, how long: from samples of this film, else from finished jobs like it, else
by rule of thumb. Each says which, and its range holds eight of ten films."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from library.listing.labels import video_codec_label
from transcode.prediction.estimate import (
    bytes_of_sound,
    estimate_size,
    pixels_of_output,
    quality_words,
)
from transcode.prediction.keys import key_of
from transcode.prediction.learning import Z_80
from transcode.prediction.lessons import current_lessons

if TYPE_CHECKING:
    from transcode.prediction.estimate import Estimate, FilmFacts
    from transcode.prediction.keys import PredictionKey
    from transcode.prediction.learning import Lesson
    from transcode.prediction.lessons import Lessons
    from transcode.presets.spec import PresetSpec, VideoRule


class Sampled(Protocol):
    """What is used of `transcode.quality.found.FoundQuality`: bytes are of the picture alone."""

    @property
    def bytes_expected(self) -> int: ...
    @property
    def bytes_low(self) -> int: ...
    @property
    def bytes_high(self) -> int: ...
    @property
    def predicted_vmaf(self) -> float: ...
    @property
    def metric(self) -> str: ...
    @property
    def text(self) -> str: ...


def predict(
    film: FilmFacts,
    spec: PresetSpec,
    *,
    found: Sampled | None = None,
    rest_bytes: int | None = None,
    lessons: Lessons | None = None,
    encoder: str = "",
) -> Estimate:
    """One statement, or none with `lessons`, which callers that ask for many films read once.

    `rest_bytes`: what comes to the picture of `found` (`bytes_beside_picture`), where there is a
    plan. `encoder`: the family that really encodes, where it is not the preset's own.
    """
    rule = estimate_size(film, spec)
    pixels = pixels_of_output(film, spec)
    if spec.video.encoder == "copy" or (found is None and not pixels):
        return rule
    if lessons is None:
        lessons = current_lessons()
    key = key_of(film, spec, encoder=encoder)
    if found is not None:
        rest = bytes_of_sound(film, spec) if rest_bytes is None else rest_bytes
        estimate = _by_samples(rule, found, rest)
    else:
        estimate = _by_lesson(rule, film, spec, key, lessons)
    estimate = _corrected(estimate, lessons)
    return replace(estimate, seconds=lessons.speeds.seconds(key, pixels, cores=_cores()))


def _by_samples(rule: Estimate, found: Sampled, rest_bytes: int) -> Estimate:
    expected = found.bytes_expected + rest_bytes
    return replace(
        rule,
        bytes=expected,
        low=found.bytes_low + rest_bytes,
        high=found.bytes_high + rest_bytes,
        basis="sampled",
        text=found.text,
        vmaf=found.predicted_vmaf if found.metric == "vmaf" else None,
        plain_bytes=expected,
    )


def _by_lesson(
    rule: Estimate, film: FilmFacts, spec: PresetSpec, key: PredictionKey, lessons: Lessons
) -> Estimate:
    """The rule of thumb times what it was off by for films like this one; else the rule itself."""
    if not 0 < rule.low <= rule.bytes <= rule.high:
        return rule
    spread = math.log(rule.high / rule.low) / 2 / Z_80
    lesson = lessons.ratios.lesson(key.levels, rule_spread=spread)
    if lesson is None:
        return rule
    expected = rule.bytes * math.exp(lesson.log_factor)
    reach = math.exp(Z_80 * lesson.log_spread)
    return replace(
        rule,
        bytes=round(expected),
        low=round(expected / reach),
        high=round(expected * reach),
        basis="learned",
        text=lesson_text(lesson, film, spec.video, key),
        learned_jobs=lesson.jobs,
        plain_bytes=round(expected),
    )


def lesson_text(lesson: Lesson, film: FilmFacts, rule: VideoRule, key: PredictionKey) -> str:
    """ "Learned from 14 films like this one: …"; coarser groups say what they leave out."""
    codec = video_codec_label(film.video_codec)
    at_size = f" at {key.resolution_class}p" if key.resolution_class else ""
    films = "films"
    if lesson.depth == 4:
        return (
            f"Learned from {lesson.jobs} {films} like this one: {codec}{at_size}, encoded with"
            f" {key.encoder} at {quality_words(rule)}."
        )
    if lesson.depth == 3:
        return (
            f"Learned from {lesson.jobs} {codec} {films}{at_size}, encoded with {key.encoder} at"
            " other qualities, too."
        )
    return (
        f"Learned from {lesson.jobs} {codec} {films} of other sizes, too, encoded with"
        f" {key.encoder}."
    )


def _corrected(estimate: Estimate, lessons: Lessons) -> Estimate:
    """By what this source has got wrong so far."""
    correction = lessons.correction(estimate.basis)
    if not correction.log_bias and correction.range_factor == 1.0:
        return estimate
    if not 0 < estimate.low <= estimate.bytes <= estimate.high:
        return estimate
    size = estimate.bytes * math.exp(correction.log_bias)
    factor = correction.range_factor
    text = estimate.text
    if estimate.basis == "rule":
        text = f"{text} Corrected by {correction.jobs} finished jobs."
    return replace(
        estimate,
        bytes=round(size),
        low=round(size * (estimate.low / estimate.bytes) ** factor),
        high=round(size * (estimate.high / estimate.bytes) ** factor),
        text=text,
        range_factor=factor,
    )


def _cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
