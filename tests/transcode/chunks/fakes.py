"""A job whose chunks are encoded by a stub: for what the engine decides, without an ffmpeg."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.transcode.encode.films import film, index_of, plan_for
from tests.transcode.encode.world import World, make_world
from transcode.chunks import crew, engine
from transcode.chunks.cutting import with_chunks
from transcode.chunks.encoding import CutFilm
from transcode.chunks.parallel import CrewSize
from transcode.chunks.reading import ChunkFacts
from transcode.chunks.store import ChunkRecord
from transcode.encoders import ENCODERS
from transcode.encoders.threads import Parallelism
from transcode.encoding.process import FfmpegResult
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from library.media_info import MediaInfo
    from transcode.chunks.encoding import Calls, ChunkTask
    from transcode.chunks.store import ChunkStore
    from transcode.planning.model import Plan

SPEC = PresetSpec(video=VideoRule(encoder="x264", crf=30))
OK = FfmpegResult(("ffmpeg",), 0, (), True, 0.5, None)


@dataclass
class Stub:
    """Writes chunks without an ffmpeg. What is put in by a test happens at each try."""

    encoded: list[int] = field(default_factory=list)  # numbers, in the order of the tries
    leads: list[int] = field(default_factory=list)
    options: list[tuple[str, ...]] = field(default_factory=list)
    at_each_try: Callable[[ChunkTask, Calls], None] = lambda _task, _calls: None
    extradata: Callable[[int], str] = lambda _number: "same"
    packets: Callable[[int], int] = lambda _number: 25
    read: list[str] = field(default_factory=list)

    def encode(
        self,
        film: CutFilm,
        task: ChunkTask,
        store: ChunkStore,
        calls: Calls,
        *,
        lead: int,
        video_options: tuple[str, ...],
    ) -> ChunkRecord:
        self.encoded.append(task.number)
        self.leads.append(lead)
        self.options.append(video_options)
        self.at_each_try(task, calls)
        content = f"chunk {task.number}".encode()
        store.path(task.key).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        record = ChunkRecord(task.key, sha256, len(content), task.chunk.frames, "", 0.5, OK)
        store.keep(record)
        calls.ended()
        return record

    def facts(
        self, paths: tuple[bytes, ...], *, checkpoint: Callable[[], None]
    ) -> tuple[ChunkFacts, ...]:
        numbers = []
        for path in paths:
            with open(path, "rb") as file:
                numbers.append(int(file.read().split()[1]))
        return tuple(ChunkFacts(self.extradata(n), self.packets(n)) for n in numbers)


@dataclass
class FakeWorld:
    world: World
    film: CutFilm
    stub: Stub
    info: MediaInfo
    processes: int = 2
    threads_each: int = 0
    whole: list[str] = field(default_factory=list)  # plans that were encoded whole

    @property
    def plan(self) -> Plan:
        return self.film.plan

    def encode(self, checkpoint: Callable[[], None] = lambda: None) -> list[ChunkRecord]:
        each = Parallelism(self.processes, self.threads_each) if self.threads_each else None
        size = CrewSize(self.processes, self.plan.video_options, ENCODERS["x264"], each)
        return engine.encode_chunks(self.world.context(checkpoint), self.film, size)

    def with_plan(self, **changes: object) -> None:
        self.film = replace(self.film, plan=replace(self.plan, **changes))  # type: ignore[arg-type]

    @property
    def folder(self) -> Path:
        return self.world.work_dir / "chunks"


def fake_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int = 4) -> FakeWorld:
    """A film of some seconds, a chunk each second of 25 pictures."""
    source = tmp_path / "films" / "film.mkv"
    source.parent.mkdir()
    source.write_bytes(b"film")
    stub = Stub()
    monkeypatch.setattr(engine, "encode_chunk", stub.encode)
    monkeypatch.setattr(crew, "chunk_facts", stub.facts)
    monkeypatch.setattr(engine, "chunk_facts", stub.facts)
    info = film()
    ticks = {
        "video_pts": array("q", range(0, 1000 * chunks, 40)),
        "video_keys": array("q", range(0, 1000 * chunks, 1000)),
    }
    index = index_of(info, **ticks)
    plan = replace(plan_for(info, SPEC, **ticks), source_sha256="5" * 64)
    plan = with_chunks(plan, index, info, chunk_seconds=1)
    assert len(plan.chunks) == chunks, plan.whole_reason
    world = make_world(tmp_path, source, SPEC)
    return FakeWorld(world, CutFilm(str(source).encode(), plan, index, 0.0), stub, info)
