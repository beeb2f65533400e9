"""Sizes said without a sample: the rule of thumb, and ratios learned from the other clips.

Each of the clips of `quality_clips` is encoded whole at two CRFs; then every clip is predicted from
all clips but itself (leave one out). What samples say is measured by `quality`. The clips are short
and more unlike each other than the films of a library, so this is the hard case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import quality
from benchmarks.quality_clips import CLIPS
from benchmarks.result import Row

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.prediction.estimate import Estimate, FilmFacts
    from transcode.presets.spec import PresetSpec
    from transcode.quality.found import FilmSource

CRFS = (20.0, 26.0)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One clip at one CRF, and what the rule of thumb says of it."""

    clip: str
    facts: FilmFacts
    spec: PresetSpec
    actual_bytes: int


def run() -> list[Row]:
    from transcode.prediction.estimate import estimate_size

    quality._set_up()
    encodes = _encodes()
    by_rule = [(e, estimate_size(e.facts, e.spec)) for e in encodes]
    by_others = [(e, _from_others(e, encodes)) for e in encodes]
    assert all(estimate.basis == "learned" for _encoded, estimate in by_others)
    return [
        *_rows("by rule of thumb", by_rule),
        *_rows("learned, leave one out", by_others),
    ]


def _rows(name: str, said: list[tuple[Encoded, Estimate]]) -> list[Row]:
    errors = [100 * abs(e.actual_bytes / estimate.bytes - 1) for e, estimate in said]
    inside = sum(estimate.low <= e.actual_bytes <= estimate.high for e, estimate in said)
    count = f"{len(CLIPS)} clips at CRF {' and '.join(f'{crf:g}' for crf in CRFS)}"
    return [
        Row(f"size {name}: median error", median(errors), "for information", "%", note=count),
        Row(
            f"size {name}: inside the 80 % range",
            100 * inside / len(said),
            "for information",
            "% of clips",
            note=count,
        ),
    ]


def _encodes() -> list[Encoded]:
    from transcode.prediction.estimate import facts_of_info
    from transcode.presets.spec import PresetSpec, VideoRule

    found = []
    for clip in CLIPS:
        film = quality.film_of(quality._clip_path(clip))
        for crf in CRFS:
            spec = PresetSpec(video=VideoRule(encoder="x265", crf=crf, speed="fastest"))
            plan = quality.plan_for(film, "fastest", crf)

            def measure(film=film, plan=plan):  # type: ignore[no-untyped-def]
                target = quality._work() / "whole.mkv"
                return {"bytes": _encoded_bytes(film, plan, target)}

            kept = quality._kept(f"size-{clip.name}-{crf:g}", measure)
            found.append(Encoded(clip.name, facts_of_info(film.info), spec, int(kept["bytes"])))
    return found


def _encoded_bytes(film: FilmSource, plan: Plan, target: Path) -> int:
    from transcode.encoding.encode import encode_argv
    from transcode.encoding.process import run_ffmpeg

    result = run_ffmpeg(encode_argv(plan, film.path, target.name), cwd=target.parent)
    assert result.is_ok, result.stderr_lines[-3:]
    size = target.stat().st_size
    target.unlink()
    return size


def _from_others(one: Encoded, encodes: list[Encoded]) -> Estimate:
    from transcode.prediction.estimate import estimate_size
    from transcode.prediction.keys import key_of
    from transcode.prediction.learning import LearnedRatios, Tally
    from transcode.prediction.lessons import Lessons
    from transcode.prediction.predict import predict

    groups: dict[tuple[str | int, ...], Tally] = {}
    for other in encodes:
        if other.clip == one.clip:
            continue
        key = key_of(other.facts, other.spec).levels[-1]
        said = estimate_size(other.facts, other.spec).rule_bytes
        log = math.log(other.actual_bytes / said)
        groups[key] = groups.get(key, Tally()).plus(Tally(1, log, log * log))
    return predict(one.facts, one.spec, lessons=Lessons(ratios=LearnedRatios(groups)))
