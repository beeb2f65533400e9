"""Progress over all chunks of a film: pictures done against pictures planned."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from transcode.chunks.order import source_bytes
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transcode.chunks.encoding import ChunkTask
    from transcode.chunks.store import ChunkRecord
    from transcode.encoding.progress import FfmpegProgress
    from transcode.planning.model import Plan
    from transcode.planning.packet_index import PacketIndex

MIN_SECONDS = 1.0  # before that a rate says nothing


class ChunkProgress:
    """What runs, what is done, and how fast. Pictures that failed are subtracted again."""

    def __init__(
        self,
        plan: Plan,
        tasks: Sequence[ChunkTask],
        clock: Callable[[], float] = time.monotonic,
        *,
        index: PacketIndex | None = None,
    ) -> None:
        self._total_frames = sum(task.chunk.frames for task in tasks)
        self._total_chunks = len(tasks)
        self._duration_s = plan.duration_s
        # By chunk; chunks are not done in the film's order, and the heavy ones are not alike.
        self._source_bytes = {t.number: source_bytes(t, index) for t in tasks} if index else {}
        self._frames_of = {task.number: task.chunk.frames for task in tasks}
        self._clock = clock
        self._since = clock()
        self._running: dict[int, tuple[int, int]] = {}  # frames, bytes
        self._done: dict[int, tuple[int, int]] = {}
        self._resumed_frames = 0
        self._waits_for = ""

    def started(self, task: ChunkTask) -> None:
        self._running[task.number] = (0, 0)
        self._waits_for = ""

    def moved(self, task: ChunkTask, progress: FfmpegProgress) -> None:
        if task.number in self._running:
            before = self._running[task.number]
            frames = min(progress.frame or before[0], task.chunk.frames)
            self._running[task.number] = (frames, progress.total_size or before[1])

    def waits(self, reason: str) -> None:
        """Shown until the next chunk starts."""
        self._waits_for = reason

    def failed(self, task: ChunkTask) -> None:
        self._running.pop(task.number, None)

    def finished(self, task: ChunkTask, record: ChunkRecord, *, is_resumed: bool) -> None:
        self._running.pop(task.number, None)
        self._done[task.number] = (task.chunk.frames, record.size_bytes)
        if is_resumed:
            self._resumed_frames += task.chunk.frames
            self._since = self._clock()

    @property
    def frames(self) -> int:
        return sum(frames for frames, _bytes in (*self._done.values(), *self._running.values()))

    def shown(self) -> PhaseProgress:
        """For the job's row. None is unknown, never 0."""
        frames = self.frames
        seconds = self._clock() - self._since
        fps = None
        if seconds >= MIN_SECONDS and frames > self._resumed_frames:
            fps = (frames - self._resumed_frames) / seconds
        rate = self._total_frames / self._duration_s if self._duration_s > 0 else 0.0
        return PhaseProgress(
            pct=round(100 * frames / self._total_frames, 2) if self._total_frames else None,
            note=self._note(),
            fps=None if fps is None else round(fps, 2),
            speed=round(fps / rate, 3) if fps and rate else None,
            eta_s=(self._total_frames - frames) / fps if fps else None,
            bytes_so_far=sum(
                size for _frames, size in (*self._done.values(), *self._running.values())
            ),
            effort_share=self._effort_share(),
        )

    def left_of_running(self, unit: ChunkTask) -> tuple[float, ...]:
        """What each running chunk still has to do, in work of the chunk `unit`."""
        left = (
            self._work(number) * (1 - frames / max(1, self._frames_of[number]))
            for number, (frames, _bytes) in self._running.items()
        )
        return tuple(work / self._work(unit.number) for work in left)

    def _work(self, number: int) -> float:
        """Half by its pictures and half by what they take in the source: a share of the film."""
        by_frames = self._frames_of[number] / max(1, self._total_frames)
        total = sum(self._source_bytes.values())
        return (by_frames + self._source_bytes[number] / total) / 2 if total else by_frames

    def _effort_share(self) -> float | None:
        total = sum(self._source_bytes.values())
        if not total:
            return None
        done = sum(
            self._source_bytes[number] * frames / max(1, self._frames_of[number])
            for number, (frames, _bytes) in (*self._done.items(), *self._running.items())
        )
        return done / total

    def _note(self) -> str:
        running = len(self._running)
        if self._waits_for and not running:
            return self._waits_for
        return f"{len(self._done)} of {self._total_chunks} chunks done, {running} running"
