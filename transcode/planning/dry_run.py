"""What would happen to a film, exactly, without doing any of it. Writes nothing anywhere."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING
from uuid import UUID

from library.media_info import MediaInfo
from library.models import MediaProbe
from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from mediaflow.base.settings_store import get_setting
from transcode.chunks.cutting import with_chunks
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg
from transcode.models import OutputMode
from transcode.outcomes import JobFailed, JobOutcome
from transcode.planning import refusals
from transcode.planning.chromecast import spec_for_chromecast
from transcode.planning.packet_index import PacketIndex, StreamSpan, index_in_worker
from transcode.planning.plan import make_plan
from transcode.prediction.estimate import Estimate, facts_of_info
from transcode.prediction.predict import predict
from transcode.running.phases import display_command

if TYPE_CHECKING:
    from library.media_info import VideoStream
    from library.models import MediaFile
    from transcode.planning.model import Plan
    from transcode.presets.spec import PresetSpec

# The job has no number yet; everything else of the command is as it would be.
_NO_JOB = UUID(int=0)
_MAX_FRAMES = 5_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    reason_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """`plan` is there whenever one could be made, also when the film would be refused for it."""

    plan: Plan | None
    refusal: Refusal | None
    estimate: Estimate | None
    command: str
    info: MediaInfo | None = None


def dry_run(
    file: MediaFile,
    spec: PresetSpec,
    preset_slug: str,
    *,
    output_mode: str = OutputMode.REPLACE,
    output_dir: bytes | None = None,
    reads_packets: bool = False,
) -> DryRun:
    """Plan one film. Never raises a JobOutcome: it comes back as the refusal.

    Without `reads_packets` it costs a stat and one row: the number of pictures is then taken from
    the header, everything else is exact. With it the whole film is read, as the job would.
    """
    source = os.path.join(bytes(file.library.root_raw), bytes(file.path_raw))  # noqa: PTH118  # bytes
    info: MediaInfo | None = None
    plan: Plan | None = None
    estimate: Estimate | None = None
    refusal: Refusal | None = None
    try:
        policy = refusals.policy_of(file, output_mode=output_mode, output_dir=output_dir)
        refusals.refuse_by_directory(source, policy)
        info = _known_info(file, source)
        index = _read(source) if reads_packets else index_from_header(info)
        refusals.refuse_by_reading(index)
        applied, _ = spec_for_chromecast(info, index, spec)
        estimate = predict(facts_of_info(info), applied)
        plan = _plan(file, info, index, spec, preset_slug)
        if reads_packets:  # without its keyframes nobody knows where a film is cut
            plan = with_chunks(
                plan,
                index,
                info,
                chunk_seconds=get_setting("chunk_seconds"),
                is_allowed=spec.video.chunking != "never",
            )
        refusals.refuse_done(info, preset_slug)
        refusals.refuse_by_plan(info, plan, spec, estimate)
    except JobOutcome as outcome:
        refusal = Refusal(outcome.reason_code, outcome.reason)
    command = display_command(plan, source, f"output{plan.extension}") if plan else ""
    return DryRun(plan, refusal, estimate, command, info)


def _plan(
    file: MediaFile, info: MediaInfo, index: PacketIndex, spec: PresetSpec, preset_slug: str
) -> Plan:
    try:
        version = find_ffmpeg().version
    except FfmpegMissing as error:
        raise JobFailed("ffmpeg_missing", str(error)) from error
    return make_plan(
        info,
        index,
        spec,
        preset_slug=preset_slug,
        job_uuid=_NO_JOB,
        fingerprint=file.content_fingerprint,
        ffmpeg_version=version,
    )


def _known_info(file: MediaFile, source: bytes) -> MediaInfo:
    """What the scan stored, when the file is still the same; else a fresh probe."""
    entry = os.lstat(source)
    stored = MediaProbe.objects.filter(file=file).only("detail", "error").first()
    is_same = (entry.st_size, entry.st_mtime_ns) == (file.size_bytes, file.mtime_ns)
    if is_same and stored is not None and stored.detail and not stored.error:
        return MediaInfo.from_json(stored.detail)
    try:
        return probe_in_worker(source)
    except ProbeProblem as problem:
        raise JobFailed(f"source_{problem.kind}", problem.text) from problem


def _read(source: bytes) -> PacketIndex:
    try:
        return index_in_worker(source)
    except ProbeProblem as problem:
        raise JobFailed(f"source_{problem.kind}", problem.text) from problem


def index_from_header(info: MediaInfo) -> PacketIndex:
    """As if every picture that the header promises were there, evenly spaced. Reads nothing."""
    video = info.main_video
    start_s = info.start_s or 0.0
    end_s = start_s + (info.duration_s or 0.0)
    streams = [("video", s.index) for s in info.video] + [("audio", s.index) for s in info.audio]
    return PacketIndex(
        video_index=video.index if video else None,
        video_pts=array("q", range(_promised_frames(info, video))),
        video_keys=array("q"),
        time_base=Fraction(1),
        spans={index: StreamSpan(kind, start_s, end_s, 0) for kind, index in streams},
        is_truncated=False,
        problems=(),
    )


def _promised_frames(info: MediaInfo, video: VideoStream | None) -> int:
    if video is None:
        return 0
    if video.frames:
        return min(video.frames, _MAX_FRAMES)
    try:
        frames = int(Fraction(video.frame_rate) * Fraction(info.duration_s or 0))
    except (ValueError, ZeroDivisionError):
        frames = 1
    return max(1, min(frames, _MAX_FRAMES))
