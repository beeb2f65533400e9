"""Pairs of a source and its encoded output, with the plan between them, for the ladder's tests."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from library.probing.probe import probe_file
from mediaflow.base.input_guard import guarded_input
from tests.media import ffmpeg_path
from transcode.encoding.encode import encode_argv
from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.process import FfmpegResult, run_ffmpeg
from transcode.planning.borders import NOT_LOOKED_AT, Borders
from transcode.planning.hdr10_plus import FILE_NAME, is_handed_over, read_hdr10_plus
from transcode.planning.model import (
    Action,
    ExpectedColor,
    Plan,
    PlannedStream,
    StreamKind,
    VideoPlan,
)
from transcode.planning.packet_index import PacketIndex, read_packet_index
from transcode.planning.plan import make_plan
from transcode.presets.spec import PresetSpec
from transcode.replacing.snapshot import take_source_snapshot
from transcode.running.context import PhaseProgress, RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from library.media_info import MediaInfo, VideoStream

JOB_UUID = UUID("00000000-0000-4000-8000-000000000001")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-crf", "20")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25")


@dataclass(frozen=True, slots=True)
class HandPrepared:
    """What `transcode.running.phases.prepare` gives, made by hand."""

    plan: Plan
    info: MediaInfo
    index: PacketIndex
    estimate: None = None
    found: None = None


@dataclass
class Pair:
    source: Path
    output: Path
    prepared: Any
    result: FfmpegResult | None
    work_dir: Path
    notes: list[PhaseProgress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def context(self, checkpoint: Callable[[], None] = lambda: None) -> RunContext:
        source = os.fsencode(self.source)
        return RunContext(
            job_id=1,
            job_uuid=JOB_UUID,
            token="token",
            preset_slug="balanced",
            spec=PresetSpec(),
            source=source,
            library_root=os.path.dirname(source),  # bytes
            work_dir=self.work_dir,
            snapshot=take_source_snapshot(source),
            checkpoint=checkpoint,
            report=self.notes.append,
            log=self.log.append,
        )

    def with_output(self, output: Path) -> Pair:
        return replace(self, output=output, notes=[], log=[])

    def with_plan(self, **changes: Any) -> Pair:
        plan = replace(self.prepared.plan, **changes)
        return replace(self, prepared=replace(self.prepared, plan=plan), notes=[], log=[])


def ffmpeg(*args: str | Path, folder: Path | None = None) -> None:
    """Make something with ffmpeg; the test fails when it cannot."""
    argv = [ffmpeg_path(), "-nostdin", "-hide_banner", "-v", "error", "-y", *map(str, args)]
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def plan_by_hand(
    info: MediaInfo,
    index: PacketIndex,
    *,
    extension: str = ".mkv",
    filters: Sequence[str] = (),
    input_options: Sequence[str] = (),
    frames: int | None = None,
    codec: str = "hevc",
    color: dict[str, Any] | None = None,
    geometry: dict[str, Any] | None = None,
) -> Plan:
    """Keep every stream, encode the picture, copy the rest."""
    main = info.main_video
    assert main is not None
    streams = [*_planned_video(main, codec), *_planned_rest(info)]
    streams.sort(key=lambda s: s.source_index)
    numbered = tuple(replace(s, output_index=n) for n, s in enumerate(streams))
    return Plan(
        container=extension[1:],
        extension=extension,
        streams=numbered,
        video=_video_plan(main, index, tuple(filters), frames, color or {}, geometry or {}),
        input_options=tuple(input_options),
        output_options=(),
        duration_s=info.duration_s or 0.0,
        chapters=len(info.chapters),
        source_fingerprint="",
        ffmpeg_version="test",
        min_saving_pct=0,
        is_vmaf_checked=True,
        min_vmaf_mean=80.0,
        min_vmaf_p5=60.0,
    )


def _planned_video(main: VideoStream, codec: str) -> list[PlannedStream]:
    return [
        PlannedStream(
            kind=StreamKind.VIDEO,
            source_index=main.index,
            action=Action.ENCODE,
            output_index=0,
            source_codec=main.codec,
            output_codec=codec,
            encoder="libx264" if codec == "h264" else "libx265",
            language=main.language,
            title=main.title,
            disposition=main.disposition,
        )
    ]


def _planned_rest(info: MediaInfo) -> list[PlannedStream]:
    streams = []
    for kind, found in (
        (StreamKind.AUDIO, info.audio),
        (StreamKind.SUBTITLE, info.subtitles),
        (StreamKind.ATTACHMENT, info.attachments),
    ):
        for stream in found:
            codec = getattr(stream, "codec", "")
            streams.append(
                PlannedStream(
                    kind=kind,
                    source_index=stream.index,
                    action=Action.COPY,
                    output_index=0,
                    source_codec=codec,
                    output_codec=codec,
                    file_name=getattr(stream, "file_name", ""),
                    **{
                        name: getattr(stream, name)
                        for name in ("language", "title", "disposition", "channels")
                        if hasattr(stream, name)
                    },
                )
            )
    return streams


def _video_plan(
    main: VideoStream,
    index: PacketIndex,
    filters: tuple[str, ...],
    frames: int | None,
    color: dict[str, Any],
    geometry: dict[str, Any],
) -> VideoPlan:
    expected = ExpectedColor(
        bit_depth=main.bit_depth,
        color_range=main.color_range,
        color_primaries=main.color_primaries,
        color_transfer=main.color_transfer,
        color_space=main.color_space,
        hdr=main.hdr.value,
        mastering_display=main.mastering_display,
        max_cll_nits=main.max_cll_nits,
        max_fall_nits=main.max_fall_nits,
        rotation_deg=main.rotation_deg,
        sample_aspect_ratio=main.sample_aspect_ratio,
        is_interlaced=main.is_interlaced,
    )
    shape = {"width": main.width, "height": main.height, "pix_fmt": main.pix_fmt, **geometry}
    return VideoPlan(
        encoder="libx265",
        codec="hevc",
        crf=20.0,
        bit_rate_kbps=None,
        target_vmaf=None,
        speed="ultrafast",
        filters=filters,
        color=replace(expected, **color),
        source_frames=len(index.video_pts),
        expected_frames=len(index.video_pts) if frames is None else frames,
        frame_tolerance=0,
        frame_rate=main.frame_rate,
        **shape,
    )


def encode_pair(
    source: Path,
    folder: Path,
    *,
    video: Sequence[str] = (*X265, "-crf", "20"),
    extension: str = ".mkv",
    **plan_options: Any,
) -> Pair:
    """Encode `source` as `plan_by_hand` says; the output lies in `folder`."""
    raw = os.fsencode(source)
    info, index = probe_file(raw), read_packet_index(raw, with_sha256=True)
    plan = plan_by_hand(info, index, extension=extension, **plan_options)
    output = folder / f"output{extension}"
    assert plan.video is not None
    graph = ",".join(plan.video.filters)
    argv = [*ffmpeg_argv(), *guarded_input(raw, options=plan.input_options)]
    for stream in plan.kept:
        argv += ["-map", f"0:{stream.source_index}"]
    argv += ["-c:a", "copy", "-c:s", "copy", "-c:t", "copy", *video, "-pix_fmt", plan.video.pix_fmt]
    argv += ["-vf", graph] if graph else []
    argv += ["-fps_mode", "passthrough", "-enc_time_base:v", "demux", "-y", str(output)]
    result = run_ffmpeg(argv)
    assert result.is_ok, result.stderr_lines
    return Pair(source, output, HandPrepared(plan, info, index), result, folder)


def encode_by_preset(
    source: Path, folder: Path, spec: PresetSpec, borders: Borders = NOT_LOOKED_AT
) -> Pair:
    """As a job does it: the real plan, the real command line."""
    raw = os.fsencode(source)
    info, index = probe_file(raw), read_packet_index(raw, with_sha256=True)
    plan = make_plan(
        info,
        index,
        spec,
        preset_slug="balanced",
        job_uuid=JOB_UUID,
        fingerprint="",
        ffmpeg_version="test",
        borders=borders,
    )
    for cover in (s for s in plan.kept if s.kind == StreamKind.COVER):
        picture = ("-map", f"0:{cover.source_index}", "-c", "copy", "-frames:v", "1")
        ffmpeg("-i", source, *picture, "-f", "image2", "-update", "1", folder / cover.file_name)
    if is_handed_over(plan.video_options):
        (folder / FILE_NAME).write_text(read_hdr10_plus(raw))
    output = folder / f"output{plan.extension}"
    result = run_ffmpeg(encode_argv(plan, raw, output.name), cwd=folder)
    assert result.is_ok, result.stderr_lines
    return Pair(source, output, HandPrepared(plan, info, index), result, folder)
