"""Threads that encode chunks side by side; the caller's thread hears of everything by events.

One thread for each ffmpeg, because an ffmpeg dies with the thread that started it. No database in
here: the caller writes all rows.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.chunks.encoding import Calls
from transcode.chunks.reading import ChunkFacts, chunk_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transcode.chunks.encoding import ChunkTask
    from transcode.chunks.store import ChunkRecord, ChunkStore
    from transcode.encoding.progress import FfmpegProgress


@dataclass(frozen=True, slots=True)
class Progressed:
    task: ChunkTask
    progress: FfmpegProgress


@dataclass(frozen=True, slots=True)
class Said:
    task: ChunkTask
    line: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Its ffmpeg is gone and the chunk is kept; it is still being proven."""

    task: ChunkTask


@dataclass(frozen=True, slots=True)
class Recorded:
    """The chunk counts on disk."""

    task: ChunkTask
    record: ChunkRecord


@dataclass(frozen=True, slots=True)
class Encoded:
    task: ChunkTask
    record: ChunkRecord


@dataclass(frozen=True, slots=True)
class Failed:
    task: ChunkTask
    error: Exception


@dataclass(frozen=True, slots=True)
class WasRead:
    batch: tuple[Encoded, ...]
    facts: tuple[ChunkFacts, ...]


Event = Progressed | Said | Ended | Encoded | WasRead | Recorded | Failed


class _Stopped(Exception):
    """The crew was told to stop."""


class Crew:
    """Use as a context manager: at its end every ffmpeg is gone."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def encode(
        self,
        task: ChunkTask,
        work: Callable[[Calls], ChunkRecord],
        check_source: Callable[[], None],
    ) -> None:
        """Begin in a thread of its own; ends in one event, Encoded or Failed."""
        calls = Calls(
            checkpoint=self._checkpoint,
            on_progress=lambda progress: self._events.put(Progressed(task, progress)),
            log=lambda line: self._events.put(Said(task, line)),
            ended=lambda: self._events.put(Ended(task)),
            check_source=check_source,
        )
        self._begin(lambda: self._encode(task, work, calls), f"chunk-{task.number}")

    def read(self, batch: Sequence[Encoded], paths: Sequence[bytes]) -> None:
        """Look into finished chunks, in one worker process; ends in WasRead."""
        self._begin(lambda: self._read(tuple(batch), tuple(paths)), "chunk-reader")

    def record(self, task: ChunkTask, record: ChunkRecord, store: ChunkStore) -> None:
        """Write the record, which waits for the disk; ends in Recorded or Failed."""
        self._begin(lambda: self._record(task, record, store), f"record-{task.number}")

    def events(self, timeout_s: float) -> list[Event]:
        """All that happened since; waits up to `timeout_s` for the first."""
        found: list[Event] = []
        try:
            found.append(self._events.get(timeout=timeout_s))
            while True:
                found.append(self._events.get_nowait())
        except queue.Empty:
            return found

    def _begin(self, target: Callable[[], None], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _checkpoint(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _encode(self, task: ChunkTask, work: Callable[[Calls], ChunkRecord], calls: Calls) -> None:
        try:
            self._events.put(Encoded(task, work(calls)))
        except _Stopped:
            return
        except Exception as error:  # noqa: BLE001  # the edge of a thread: raised again by the caller
            self._events.put(Failed(task, error))

    def _record(self, task: ChunkTask, record: ChunkRecord, store: ChunkStore) -> None:
        try:
            store.finish(record)
        except Exception as error:  # noqa: BLE001  # or the caller would wait for it for ever
            self._events.put(Failed(task, error))
        else:
            self._events.put(Recorded(task, record))

    def _read(self, batch: tuple[Encoded, ...], paths: tuple[bytes, ...]) -> None:
        try:
            facts = chunk_facts(paths, checkpoint=self._checkpoint)
        except _Stopped:
            return
        except Exception as error:  # noqa: BLE001  # the edge of a thread
            facts = tuple(ChunkFacts(problem=f"{type(error).__name__}: {error}") for _path in paths)
        self._events.put(WasRead(batch, facts))
