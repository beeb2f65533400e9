"""What the rungs look at. Costly material is gathered once, when the first rung asks for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from library.probing.pool import probe_in_worker
from mediaflow.base.fs import fs
from transcode.planning.film_timing import FilmTiming, film_timing
from transcode.planning.model import Action, StreamKind
from transcode.running.context import PhaseProgress
from transcode.running.work_folders import CHUNKS_FOLDER, UNSAFE_NAME
from transcode.verify.results import FAILED, NOT_APPLICABLE, PASSED, RungResult
from transcode.verify.side_work import SideWork

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import MediaInfo, VideoStream
    from transcode.encoding.process import FfmpegResult
    from transcode.planning.model import Plan, PlannedStream
    from transcode.planning.packet_index import PacketIndex
    from transcode.running.context import RunContext
    from transcode.running.phases import Prepared
    from transcode.verify.film_sides import Compared
    from transcode.verify.vmaf import VmafScore

LAST_RUNG = 12


@dataclass
class Evidence:
    """Input of every rung. Reading a cached property may raise ProbeProblem or OSError."""

    run: RunContext
    prepared: Prepared
    output: Path
    encode_result: FfmpegResult | None
    recorded_losses: list[str] = field(default_factory=list)
    score: VmafScore | None = None
    compared: Compared | None = None
    climbing: int | None = None  # the rung whose turn it is
    side: SideWork = field(init=False)

    def __post_init__(self) -> None:
        self.side = SideWork(self.run.checkpoint)

    @property
    def plan(self) -> Plan:
        return self.prepared.plan

    @property
    def before(self) -> MediaInfo:
        return self.prepared.info

    @property
    def source_index(self) -> PacketIndex:
        return self.prepared.index

    @property
    def output_raw(self) -> bytes:
        return os.fsencode(self.output)

    @cached_property
    def after(self) -> MediaInfo:
        """The output, probed in a worker process."""
        return self.side.take("after", lambda: probe_in_worker(self.output_raw))

    @cached_property
    def output_timing(self) -> FilmTiming:
        """Every packet of the output, the SHA-256 of its bytes, its first sounds: one worker."""
        return self.side.take("output_timing", self._read_output)

    def _read_output(self) -> FilmTiming:
        sounds = [s.output_index for s in self._sounds if s.output_index is not None]
        return film_timing(
            self.output_raw, sounds, with_index=True, checkpoint=self.side.checkpoint
        )

    @property
    def output_index(self) -> PacketIndex:
        index = self.output_timing.index
        assert index is not None  # asked for
        return index

    @cached_property
    def source_sound_starts(self) -> dict[int, float]:
        return self.side.take("source_sounds", self._read_source_sounds)

    def _read_source_sounds(self) -> dict[int, float]:
        sounds = [s.source_index for s in self._sounds]
        timing = film_timing(
            self.run.source, sounds, with_index=False, checkpoint=self.side.checkpoint
        )
        return timing.sound_starts_s

    def begin_reading(self) -> None:
        """Both worker processes beside the cheap rungs."""
        self.side.begin("output_timing", self._read_output)
        if self._sounds:
            self.side.begin("source_sounds", self._read_source_sounds)

    @cached_property
    def source_sha256(self) -> str:
        """Of the whole source; planning has read it already, else this pass does."""
        known = self.source_index.sha256 or self.run.snapshot.sha256
        return known or fs.sha256(self.run.source, tick=self.side.checkpoint).sha256

    @property
    def _sounds(self) -> list[PlannedStream]:
        return [s for s in self.plan.kept if s.kind == StreamKind.AUDIO]

    @property
    def planned_video(self) -> PlannedStream | None:
        """The film's picture in the plan (cover art is another kind)."""
        return next((s for s in self.plan.kept if s.kind == StreamKind.VIDEO), None)

    @property
    def is_video_encoded(self) -> bool:
        planned = self.planned_video
        return planned is not None and planned.action == Action.ENCODE

    @property
    def is_joined(self) -> bool:
        """Its picture was encoded in chunks, each proven by the source's own times."""
        unsafe = self.run.work_dir / CHUNKS_FOLDER / UNSAFE_NAME
        return bool(self.plan.chunks) and not unsafe.exists()

    @property
    def video_before(self) -> VideoStream | None:
        index = self.planned_video.source_index if self.planned_video else None
        return next((v for v in self.before.video if v.index == index), None)

    @property
    def video_after(self) -> VideoStream | None:
        index = self.planned_video.output_index if self.planned_video else None
        return next((v for v in self.after.video if v.index == index), None)

    def note(self, rung: int, doing: str, pct: float | None = None) -> None:
        """What the rung does whose turn it is; what runs beside it keeps quiet."""
        if not self.side.is_owner and rung != self.climbing:
            return
        self.run.report(PhaseProgress(pct=pct, note=f"rung {rung} of {LAST_RUNG}: {doing}"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Makes the results of one rung, so that number, name and code are written once."""

    number: int
    name: str
    code: str

    def passed(self, measured: str, limit: str, text: str, *, outcome: str = PASSED) -> RungResult:
        return RungResult(self.number, self.name, outcome, measured, limit, text)

    def failed(self, measured: str, limit: str, text: str, *, code: str = "") -> RungResult:
        return RungResult(
            self.number, self.name, FAILED, measured, limit, text, code=code or self.code
        )

    def not_applicable(self, text: str) -> RungResult:
        return RungResult(self.number, self.name, NOT_APPLICABLE, "", "", text)
