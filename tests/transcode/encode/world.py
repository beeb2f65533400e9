"""One film in one library with one running job: what the phases need."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from library.file_records import read_facts
from library.models import Library, MediaFile
from library.probing.probe import probe_file
from tests.library.file_rows import path_columns
from tests.media import make_clip, suffix_of
from transcode.models import Job, JobStatus
from transcode.planning.packet_index import PacketIndex, read_packet_index
from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule
from transcode.replacing.snapshot import take_source_snapshot
from transcode.running.context import PhaseProgress, RunContext
from transcode.running.phases import Prepared, assemble, encode, prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from library.media_info import MediaInfo

X265 = PresetSpec(video=VideoRule(speed="fastest", crf=28))
AV1 = PresetSpec(video=VideoRule(encoder="svtav1", crf=40, speed="fastest", bit_depth=10))
COPY = PresetSpec(video=VideoRule(encoder="copy", crf=None), min_saving_pct=-50)
PHONE = PresetSpec(
    container="mp4",
    video=VideoRule(
        encoder="x264", crf=26, speed="fastest", bit_depth=8, hdr="tone_map", max_resolution=720
    ),
    audio=AudioRule(codec="aac", max_channels=2, keep_lossless=False),
    subtitles=SubtitleRule(mode="convert"),
    min_saving_pct=-100,
)


@dataclass
class World:
    """Paths and rows; `job` runs and holds the token "token"."""

    source: Path
    work_dir: Path
    spec: PresetSpec
    library: Library
    file: MediaFile
    job: Job
    log: list[str] = field(default_factory=list)
    progress: list[PhaseProgress] = field(default_factory=list)

    def context(self, checkpoint: Callable[[], None] = lambda: None) -> RunContext:
        source = os.fsencode(self.source)
        return RunContext(
            job_id=self.job.pk,
            job_uuid=self.job.uuid,
            token="token",
            preset_slug="test",
            spec=self.spec,
            source=source,
            library_root=bytes(self.library.root_raw),
            work_dir=self.work_dir,
            snapshot=take_source_snapshot(source),
            checkpoint=checkpoint,
            report=self.progress.append,
            log=self.log.append,
        )


@dataclass(frozen=True)
class Result:
    """One film and what became of it, both probed."""

    prepared: Prepared
    output: Path
    before: MediaInfo
    after: MediaInfo
    index: PacketIndex


def make_world(tmp_path: Path, source: Path, spec: PresetSpec = X265, **library: Any) -> World:
    """Rows for a film that lies below `tmp_path/films`."""
    root = os.fsencode(tmp_path / "films")
    row = Library.objects.create(name="Films", **path_columns(root, "root"), **library)
    relative = os.path.relpath(os.fsencode(source), root)
    values: dict[str, Any] = {}
    if source.exists():
        facts = read_facts(os.fsencode(source))
        values = {"size_bytes": facts.size_bytes, "mtime_ns": facts.mtime_ns}
    file = MediaFile.objects.create(library=row, **path_columns(relative), **values)
    job = Job.objects.create(
        file=file,
        file_path="film",
        preset_slug="test",
        preset_spec=spec.to_json(),
        status=JobStatus.RUNNING,
        lease_token="token",
    )
    work_dir = tmp_path / "work"
    work_dir.mkdir(exist_ok=True)
    return World(source, work_dir, spec, row, file, job)


def clip_world(tmp_path: Path, kind: str, spec: PresetSpec = X265, **clip: Any) -> World:
    path = tmp_path / "films" / f"film{suffix_of(kind)}"
    return make_world(tmp_path, make_clip(kind, path, **clip), spec)


def run_phases(world: World) -> Result:
    """Prepare, encode, assemble; the output probed and its packets read."""
    context = world.context()
    prepared = prepare(context)
    output = assemble(context, prepared, encode(context, prepared))
    raw = os.fsencode(output)
    return Result(prepared, output, prepared.info, probe_file(raw), read_packet_index(raw))
