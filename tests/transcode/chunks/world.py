"""A job of a film that is hard to cut, planned as the phases do, with an encoder without loss."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from library.probing.probe import probe_file
from tests.transcode.encode.world import World, make_world
from transcode.chunks.cutting import with_chunks
from transcode.chunks.encoding import CutFilm
from transcode.chunks.engine import encode_chunks
from transcode.chunks.joining import join_chunks
from transcode.chunks.parallel import CrewSize
from transcode.planning.packet_index import read_packet_index
from transcode.planning.plan import make_plan
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from library.media_info import MediaInfo
    from transcode.chunks.store import ChunkRecord
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

SPEC = PresetSpec(
    video=VideoRule(encoder="x264", crf=30, speed="fastest", bit_depth=8),
    min_saving_pct=-1000,
    is_vmaf_checked=False,
)


@dataclass
class ChunkWorld:
    world: World
    film: CutFilm
    info: MediaInfo

    @property
    def size(self) -> CrewSize:
        return CrewSize(2, (*self.plan.video_options, "-threads:v:0", "1"))

    @property
    def plan(self) -> Plan:
        return self.film.plan

    def context(self, checkpoint: Callable[[], None] = lambda: None) -> RunContext:
        return self.world.context(checkpoint)

    def encode(self, checkpoint: Callable[[], None] = lambda: None) -> list[ChunkRecord]:
        return encode_chunks(self.context(checkpoint), self.film, self.size)

    def join(self) -> Path:
        return join_chunks(self.context(), self.film)

    @property
    def chunks_folder(self) -> Path:
        return self.world.work_dir / "chunks"


def chunk_world(
    tmp_path: Path,
    source: Path,
    *,
    container: str = "mkv",
    chunk_seconds: float = 0.7,
    lossless: bool = True,
    spec: PresetSpec | None = None,
) -> ChunkWorld:
    """A copy of the film in a library, and its plan."""
    target = tmp_path / "films" / source.name
    target.parent.mkdir()
    shutil.copyfile(source, target)
    world = make_world(tmp_path, target, spec or replace(SPEC, container=container))
    raw = os.fsencode(target)
    info, index = probe_file(raw), read_packet_index(raw, with_sha256=True)
    plan = make_plan(
        info,
        index,
        world.spec,
        preset_slug="test",
        job_uuid=world.job.uuid,
        fingerprint="f" * 64,
        ffmpeg_version="n9",
    )
    plan = without_loss(plan) if lossless else plan
    plan = with_chunks(plan, index, info, chunk_seconds=chunk_seconds)
    assert info.start_s is not None
    return ChunkWorld(world, CutFilm(raw, plan, index, info.start_s, info.format_name), info)


def without_loss(plan: Plan) -> Plan:
    """The same, but what comes out is what went in."""
    options = list(plan.output_options)
    place = options.index("-crf:v:0")
    options[place : place + 2] = ["-qp:v:0", "0"]
    return replace(plan, output_options=tuple(options))
