"""Samples of one film, encoded as a preset would encode all of it: size, quality, time, worth it.

No job, no row of a film or library: only the cache of searches and probes is written. A path in no
library will do.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from django.conf import settings

from library.media_info import HdrKind
from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from library.scanning.identity import content_fingerprint
from transcode.encoders import ENCODERS
from transcode.encoders.availability import working_for
from transcode.encoders.choice import choose_encoder
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg
from transcode.outcomes import JobFailed, JobSkipped
from transcode.planning import refusals
from transcode.planning.black_bars import find_borders
from transcode.planning.borders import NOT_LOOKED_AT
from transcode.planning.packet_index import index_in_worker
from transcode.planning.plan import make_plan
from transcode.prediction.estimate import facts_of_info
from transcode.prediction.fixed_quality import measure_quality
from transcode.prediction.other_tracks import bytes_beside_picture
from transcode.prediction.predict import predict
from transcode.prediction.verdict import judge
from transcode.quality.find import Calls, find_quality
from transcode.quality.found import FilmSource

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from transcode.planning.model import Plan
    from transcode.planning.packet_index import PacketIndex
    from transcode.prediction.estimate import Estimate
    from transcode.prediction.verdict import Verdict
    from transcode.presets.spec import PresetSpec, VideoRule
    from transcode.quality.found import FoundQuality

_NO_JOB = UUID(int=0)


class PlanFor(Protocol):
    def __call__(self, crf: float | None, family: str) -> Plan: ...


@dataclass(frozen=True, slots=True)
class SampledFilm:
    """What the samples say; `crf` None where the preset has none and looks for none."""

    estimate: Estimate
    verdict: Verdict
    source_bytes: int
    encoder: str  # as ffmpeg calls it; "copy"
    crf: float | None
    p5: float | None  # VMAF of the worst pictures (5th percentile)
    fingerprint: str  # of the film's bytes, to tell later whether it is still the same


def sample_film(
    path: bytes, spec: PresetSpec, *, preset_slug: str, calls: Calls | None = None
) -> SampledFilm:
    """Raises JobSkipped where the preset would leave the film alone, JobFailed or JobWaits where it
    cannot be read or encoded, and what `checkpoint` of the calls raises."""
    calls = calls or Calls()
    calls.report("Reading the film", None)
    info, index = _read(path, calls)
    refusals.refuse_done(info, preset_slug)
    refusals.refuse_by_reading(index)
    folder = Path(settings.WORK_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="estimate-", dir=folder) as work:
        plan_for = _planner(path, info, index, spec, preset_slug, Path(work), calls)
        film = FilmSource(path, info, index)
        found, family = _look(film, plan_for, spec, Path(work), calls)
    plan = plan_for(found.crf if found else None, family)
    rest = bytes_beside_picture(plan, index)
    estimate = predict(facts_of_info(info), spec, found=found, rest_bytes=rest, encoder=family)
    refusals.refuse_by_plan(info, plan, replace(spec, min_saving_pct=-200), estimate)
    return SampledFilm(
        estimate=estimate,
        verdict=judge(estimate, info.size_bytes, spec),
        source_bytes=info.size_bytes,
        encoder=plan.video.encoder if plan.video else "",
        crf=plan.video.crf if plan.video else None,
        p5=found.predicted_p5 if found and found.metric == "vmaf" else None,
        fingerprint=plan.source_fingerprint,
    )


def _look(
    film: FilmSource, plan_for: PlanFor, spec: PresetSpec, work_dir: Path, calls: Calls
) -> tuple[FoundQuality | None, str]:
    """What the samples say, and the family that encodes them. None where no sample tells more: the
    picture is copied, or a bit rate says the size."""
    rule = spec.video
    if rule.target_vmaf is not None:
        return _search(film, plan_for, rule, work_dir, calls)
    if rule.encoder in ENCODERS and rule.crf is not None:
        plan = plan_for(rule.crf, rule.encoder)
        return measure_quality(film, plan, work_dir=work_dir, calls=calls), rule.encoder
    return None, rule.encoder


def _search(
    film: FilmSource, plan_for: PlanFor, rule: VideoRule, work_dir: Path, calls: Calls
) -> tuple[FoundQuality, str]:
    """As the job does it: by hardware where the preset lets it and it reaches the target."""
    assert rule.target_vmaf is not None
    passed_over: set[str] = set()
    while True:
        family = _family(rule, film.info, passed_over)
        try:
            found = find_quality(
                film,
                partial(plan_for, family=family),
                target=rule.target_vmaf,
                metric=rule.target_metric,
                work_dir=work_dir,
                calls=calls,
            )
        except (JobSkipped, JobFailed) as problem:
            if family == rule.encoder:
                raise
            calls.log(f"{family} is passed over: {problem.reason}")
            passed_over.add(family)
        else:
            return found, family


def _family(rule: VideoRule, info: MediaInfo, passed_over: set[str]) -> str:
    picture = info.main_video
    if picture is None:
        return rule.encoder
    chosen = choose_encoder(
        rule,
        working_for(rule),
        bit_depth=rule.bit_depth or picture.bit_depth or 8,
        is_hdr=picture.hdr != HdrKind.SDR and rule.hdr != "tone_map",
        passed_over=passed_over,
    )
    return chosen.family


def _planner(
    path: bytes,
    info: MediaInfo,
    index: PacketIndex,
    spec: PresetSpec,
    preset_slug: str,
    work_dir: Path,
    calls: Calls,
) -> PlanFor:
    """The job's own plan at any CRF with any encoder; what else decides is looked up once."""
    try:
        version = find_ffmpeg().version
        fingerprint = content_fingerprint(path)
    except FfmpegMissing as error:
        raise JobFailed("ffmpeg_missing", str(error)) from error
    except OSError as error:
        raise JobFailed("source_unreadable", f"It cannot be read: {error.strerror}.") from error
    borders = NOT_LOOKED_AT
    if spec.video.crop_borders:
        calls.report("Looking for black bars", None)
        borders = find_borders(path, info, index, work_dir=work_dir, checkpoint=calls.checkpoint)

    def plan_for(crf: float | None, family: str) -> Plan:
        rule = replace(spec.video, encoder=family)
        at_crf = replace(spec, video=rule if crf is None else replace(rule, crf=crf))
        return make_plan(
            info,
            index,
            at_crf,
            preset_slug=preset_slug,
            job_uuid=_NO_JOB,
            fingerprint=fingerprint,
            ffmpeg_version=version,
            borders=borders,
        )

    return plan_for


def _read(path: bytes, calls: Calls) -> tuple[MediaInfo, PacketIndex]:
    try:
        info = probe_in_worker(path)
        return info, index_in_worker(path, with_sha256=True, checkpoint=calls.checkpoint)
    except ProbeProblem as problem:
        raise JobFailed(f"source_{problem.kind}", problem.text) from problem
