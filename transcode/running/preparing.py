"""Everything before the first frame: refuse, probe, read all packets, find the quality, plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from library.media_info import HdrKind
from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from library.scanning.identity import content_fingerprint
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.settings_store import get_setting
from transcode.chunks.cutting import with_chunks
from transcode.encoders.availability import working_for
from transcode.encoders.choice import choose_encoder, decided_by_rule, software_for
from transcode.encoders.registry import ENCODERS
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg
from transcode.encoding.passed_over import read_passed_over
from transcode.models import Job
from transcode.outcomes import JobFailed, JobSkipped, JobWaits
from transcode.planning import refusals
from transcode.planning.black_bars import find_borders
from transcode.planning.borders import NOT_LOOKED_AT, Borders
from transcode.planning.chromecast import spec_for_chromecast
from transcode.planning.packet_index import PacketIndex, index_in_worker
from transcode.planning.plan import make_plan
from transcode.prediction.estimate import Estimate, facts_of_info
from transcode.prediction.fixed_quality import known_quality
from transcode.prediction.other_tracks import bytes_beside_picture
from transcode.prediction.predict import predict
from transcode.prediction.verdict import refuse_not_worth_it
from transcode.quality.find import Calls, find_quality
from transcode.quality.found import FilmSource, FoundQuality
from transcode.quality.stand_in import stand_in_rule
from transcode.running.context import PhaseProgress
from transcode.running.held_slot import held_slot

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from transcode.encoders.choice import WorkingEncoder
    from transcode.planning.model import Plan
    from transcode.presets.rules import VideoRule
    from transcode.running.context import RunContext

FAIL_PREPARED = declare("prepare.done", "everything is planned, nothing is encoded")
# How far a whole output may lie under its target before the ladder keeps the original.
FLOOR_BELOW_TARGET = {"vmaf": 1.5}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first frame is encoded."""

    plan: Plan
    info: MediaInfo
    index: PacketIndex
    estimate: Estimate
    found: FoundQuality | None = None


def prepare(ctx: RunContext) -> Prepared:
    """Refuse, probe, read all packets and the hash in one pass, plan. Raises JobOutcome.

    Sets `ctx.snapshot.sha256`, the second half of S0.
    """
    job = Job.objects.select_related("file__library").get(pk=ctx.job_id)
    if job.file is not None:
        output_dir = bytes(job.output_dir_raw) if job.output_dir_raw else None
        policy = refusals.policy_of(job.file, output_mode=job.output_mode, output_dir=output_dir)
        refusals.refuse_by_directory(ctx.source, policy)
    ctx.report(PhaseProgress(note="Reading the film"))
    info = _probe(ctx.source)
    refusals.refuse_done(info, ctx.preset_slug)
    index = _read_packets(ctx)
    refusals.refuse_by_reading(index)
    planner = _planner(ctx, info, index)
    plan = planner.plan(ctx.spec.video.crf)
    # The preset as it applies to this film: what Chromecast plays is copied, without a search.
    applied, _reasons = spec_for_chromecast(info, index, ctx.spec)
    estimate = predict(facts_of_info(info), applied)
    refusals.refuse_by_plan(info, plan, ctx.spec, estimate)
    found = None
    if applied.video.target_vmaf is not None:
        planner, found = _reach_target(ctx, planner)
        plan = planner.plan(found.crf)
        estimate = predict(
            facts_of_info(info),
            ctx.spec,
            found=found,
            rest_bytes=bytes_beside_picture(plan, index),
            encoder=planner.encoder,
        )
        refuse_not_worth_it(estimate, info.size_bytes, ctx.spec)
    elif (known := known_quality(FilmSource(ctx.source, info, index), plan)) is not None:
        # Somebody asked for an estimate of this film: its samples say more than other films.
        rest = bytes_beside_picture(plan, index)
        estimate = predict(
            facts_of_info(info),
            ctx.spec,
            found=known,
            rest_bytes=rest,
            encoder=planner.encoder,
        )
        refuse_not_worth_it(estimate, info.size_bytes, ctx.spec)
    plan = with_chunks(
        plan,
        index,
        info,
        chunk_seconds=get_setting("chunk_seconds"),
        is_allowed=ctx.spec.video.chunking != "never",
    )
    reach(FAIL_PREPARED)
    return Prepared(plan, info, index, estimate, found)


@dataclass(frozen=True, slots=True)
class _Planner:
    """The job's plan at any CRF; what decides besides it was looked up once."""

    ctx: RunContext
    info: MediaInfo
    index: PacketIndex
    borders: Borders
    fingerprint: str
    ffmpeg_version: str
    encoder: str  # the family: the preset's own, or the hardware that takes its place

    def plan(self, crf: float | None) -> Plan:
        spec = self.ctx.spec
        rule = stand_in_rule(spec.video, self.encoder)
        if crf is not None and rule.crf is None:
            rule = replace(rule, crf=crf)
        spec = replace(spec, video=rule)
        plan = make_plan(
            self.info,
            self.index,
            spec,
            preset_slug=self.ctx.preset_slug,
            job_uuid=self.ctx.job_uuid,
            fingerprint=self.fingerprint,
            ffmpeg_version=self.ffmpeg_version,
            borders=self.borders,
        )
        return with_floor(plan, spec.video.target_vmaf, spec.video.target_metric)


def with_floor(plan: Plan, target: float | None, metric: str) -> Plan:
    """A job that promises a VMAF is measured against it: a mean far below keeps the original."""
    margin = FLOOR_BELOW_TARGET.get(metric)
    if target is None or margin is None:
        return plan
    return replace(plan, min_vmaf_mean=max(plan.min_vmaf_mean, target - margin))


def _planner(ctx: RunContext, info: MediaInfo, index: PacketIndex) -> _Planner:
    borders = NOT_LOOKED_AT
    if ctx.spec.video.crop_borders:
        borders = _borders(ctx, info, index)
    fingerprint, version = _fingerprint(ctx.source), _ffmpeg_version()
    encoder = _own_encoder(ctx)
    return _Planner(ctx, info, index, borders, fingerprint, version, encoder)


def _own_encoder(ctx: RunContext) -> str:
    """The family that the preset names; software where that is hardware that failed in this job."""
    named = ENCODERS.get(ctx.spec.video.encoder)
    if named is None or named.family not in read_passed_over(ctx.work_dir):
        return ctx.spec.video.encoder
    family = software_for(named.codec)
    title, crf = ENCODERS[family].title or family, stand_in_rule(ctx.spec.video, family).crf
    how = "" if crf is None else f", with CRF {crf:g} for its {ctx.spec.video.crf:g}"
    ctx.log(f"{named.title} failed before, so {title} encodes{how}.")
    return family


def _borders(ctx: RunContext, info: MediaInfo, index: PacketIndex) -> Borders:
    def report(share: float) -> None:
        ctx.report(PhaseProgress(pct=100 * share, note="Looking for black bars"))

    return find_borders(
        ctx.source,
        info,
        index,
        work_dir=ctx.work_dir,
        checkpoint=ctx.checkpoint,
        on_share=report,
    )


def _reach_target(ctx: RunContext, planner: _Planner) -> tuple[_Planner, FoundQuality]:
    """By hardware where the preset lets it and it reaches the target, else by the preset's own."""
    rule = stand_in_rule(ctx.spec.video, planner.encoder)
    picture = planner.info.main_video
    working = _working_encoders(ctx, rule)
    passed_over = read_passed_over(ctx.work_dir)
    while True:
        chosen = choose_encoder(
            rule,
            working,
            bit_depth=rule.bit_depth or (picture.bit_depth if picture else 8) or 8,
            is_hdr=picture is not None and picture.hdr != HdrKind.SDR and rule.hdr != "tone_map",
            passed_over=passed_over,
        )
        if chosen.reason:
            ctx.log(chosen.reason)
        candidate = replace(planner, encoder=chosen.family)
        try:
            return candidate, _search(ctx, candidate)
        except (JobSkipped, JobFailed) as problem:
            if chosen.family == rule.encoder:
                raise
            ctx.log(f"{chosen.family} is passed over: {problem.reason}")
            passed_over.add(chosen.family)


def _working_encoders(ctx: RunContext, rule: VideoRule) -> dict[str, WorkingEncoder]:
    """On a slot, as hardware that was never tried is tried now. Raises JobOutcome."""
    if decided_by_rule(rule) is not None:
        return {}
    with held_slot(ctx, "sample"):
        return working_for(rule)


def _search(ctx: RunContext, planner: _Planner) -> FoundQuality:
    """The CRF for the preset's target, on a slot of its own: it encodes. Raises JobOutcome."""
    rule = ctx.spec.video
    assert rule.target_vmaf is not None
    calls = Calls(
        checkpoint=ctx.checkpoint,
        report=lambda note, pct: ctx.report(PhaseProgress(pct=pct, note=note)),
        log=ctx.log,
    )
    with held_slot(ctx, "sample"):
        return find_quality(
            FilmSource(ctx.source, planner.info, planner.index),
            planner.plan,
            target=rule.target_vmaf,
            metric=rule.target_metric,
            work_dir=ctx.work_dir,
            calls=calls,
        )


def _probe(source: bytes) -> MediaInfo:
    try:
        return probe_in_worker(source)
    except ProbeProblem as problem:
        raise _outcome_of(problem) from problem


def _read_packets(ctx: RunContext) -> PacketIndex:
    try:
        index = index_in_worker(ctx.source, with_sha256=True, checkpoint=ctx.checkpoint)
    except ProbeProblem as problem:
        raise _outcome_of(problem) from problem
    ctx.snapshot = replace(ctx.snapshot, sha256=index.sha256)
    return index


def _outcome_of(problem: ProbeProblem) -> JobFailed | JobSkipped | JobWaits:
    if problem.kind in ("encrypted", "not_media"):
        return JobSkipped(problem.kind, problem.text)
    if problem.kind == "vanished":
        return JobFailed("source_missing", problem.text)
    is_retryable = problem.kind in ("timeout", "unreadable")
    return JobFailed(f"source_{problem.kind}", problem.text, is_retryable=is_retryable)


def _fingerprint(source: bytes) -> str:
    try:
        return content_fingerprint(source)
    except OSError as error:
        reason = f"The film cannot be read: {error.strerror}."
        raise JobWaits("source_unreachable", reason) from error


def _ffmpeg_version() -> str:
    try:
        return find_ffmpeg().version
    except FfmpegMissing as error:
        raise JobFailed("ffmpeg_missing", str(error)) from error
