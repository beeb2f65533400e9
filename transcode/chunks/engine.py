"""A film encoded in chunks: what is there already is used, the rest is encoded side by side.

Everything is decided and written on the caller's thread; threads of a `Crew` only run ffmpeg. What
the job is told (cancel, pause, shutdown, lost lease) ends all of them. A chunk that fails is tried
again alone, a few times; one whose pictures are not the planned ones shows that this film is not
cut safely, and it is encoded whole.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from mediaflow.base.failpoints import declare, reach
from transcode.chunks.adoption import adopt_chunks
from transcode.chunks.commands import FROM_THE_START, LEADS
from transcode.chunks.crew import (
    Crew,
    Encoded,
    Ended,
    Failed,
    Progressed,
    Recorded,
    Said,
    WasRead,
)
from transcode.chunks.encoding import ChunkTask, FfmpegFailed, OtherPictures, encode_chunk
from transcode.chunks.order import in_good_order
from transcode.chunks.progress import ChunkProgress
from transcode.chunks.reading import chunk_facts
from transcode.chunks.rows import ChunkRows
from transcode.chunks.slots import ChunkSlots
from transcode.chunks.store import ChunkStore, chunk_key
from transcode.encoders.answers import AnswerKind, left_out
from transcode.encoders.fallback import Fallback
from transcode.encoders.gpu import GpuGuard
from transcode.encoders.threads import Rest
from transcode.encoding.passed_over import encoder_of, pass_over
from transcode.encoding.source_check import refuse_missing, refuse_replaced
from transcode.outcomes import JobFailed, LeaseLost
from transcode.running.context import PhaseProgress

if TYPE_CHECKING:
    from transcode.chunks.crew import Event
    from transcode.chunks.encoding import CutFilm
    from transcode.chunks.parallel import CrewSize
    from transcode.chunks.reading import ChunkFacts
    from transcode.chunks.store import ChunkRecord
    from transcode.running.context import RunContext

FAIL_PLANNED = declare("chunk.planned", "the rows of the chunks are there, nothing is encoded")
FAIL_RECORDED = declare("chunk.recorded", "a chunk counts on disk, its row does not say so")
FAIL_PROVEN = declare("chunk.proven", "a chunk counts on disk and in its row")
FAIL_ALL = declare("chunk.all", "every chunk counts, nothing is joined")
MAX_TRIES: Final = 3
TICK_S: Final = 0.3
_LEADS: Final = (*LEADS, FROM_THE_START)


class CannotCut(Exception):
    """This film is not cut safely: it has to be encoded whole. The text is a sentence."""


def encode_chunks(ctx: RunContext, film: CutFilm, size: CrewSize) -> list[ChunkRecord]:
    """Every chunk of the plan, proven, in the film's order. Raises JobOutcome and CannotCut."""
    return _Engine(ctx, film, size).run()


class _Engine:
    def __init__(self, ctx: RunContext, film: CutFilm, size: CrewSize) -> None:
        self._ctx = ctx
        self._film = film
        self._size = size
        self._store = ChunkStore.of(ctx.work_dir, film.plan)
        self._rows = ChunkRows(ctx)
        self._tasks = [
            ChunkTask(number, chunk, chunk_key(film.plan, chunk))
            for number, chunk in enumerate(film.plan.chunks)
        ]
        self._records: dict[int, ChunkRecord] = {}
        self._waiting: deque[ChunkTask] = deque()
        self._alone: deque[ChunkTask] = deque()  # failed once: with nothing beside them
        self._running: dict[int, int] = {}  # number of the chunk to the id of its attempt
        self._is_alone = False
        self._is_only_wave = False
        self._parameters = ""  # the hash of those of the first chunk
        self._unread: list[Encoded] = []
        self._is_reading = False
        self._tries: dict[int, int] = {}
        self._leads: dict[int, int] = {}
        self._progress = ChunkProgress(film.plan, self._tasks, index=film.index)
        self._encoder = encoder_of(film.plan)
        self._fallback = Fallback(self._encoder, size.processes) if self._encoder else None
        self._guard = GpuGuard(self._encoder, max_sessions=size.gpu_sessions)
        self._slots: ChunkSlots

    def run(self) -> list[ChunkRecord]:
        self._store.make()
        self._rows.plan(self._tasks)
        reach(FAIL_PLANNED)
        self._use_earlier()
        self._waiting.extend(
            in_good_order(
                [t for t in self._tasks if t.number not in self._records],
                self._film.index,
                last=2 * self._size.processes,
            )
        )
        self._is_only_wave = len(self._waiting) <= self._size.processes
        if self._waiting:
            self._encode_rest()
        refuse_replaced(self._ctx)
        reach(FAIL_ALL)
        return [self._records[task.number] for task in self._tasks]

    def _use_earlier(self) -> None:
        """What earlier attempts, and earlier jobs of this film, have finished."""
        keys = {task.key for task in self._tasks}
        if self._film.plan.source_sha256:
            adopt_chunks(self._ctx, self._store, keys)
            self._store.drop_others(keys)
        else:
            self._store.drop_others(set())  # a plan without the film's hash uses nothing again
        for task in self._tasks:
            if self._store.read(task.key) is None:
                continue
            self._ctx.report(PhaseProgress(note="Checking what an earlier attempt encoded"))
            record = self._store.proven(task.key, self._ctx.checkpoint)
            if record is not None and not record.is_read:
                record = self._prove_kept(task, record)
            if record is None or not self._has_same_parameters(record):
                self._ctx.log(f"chunk {task.number} is not what it was: it is encoded again")
                self._store.drop(task.key)
                continue
            self._take(task, record, None)
        if self._records:
            count = len(self._records)
            self._ctx.log(f"{count} of {len(self._tasks)} chunks of an earlier attempt are used")

    def _prove_kept(self, task: ChunkTask, record: ChunkRecord) -> ChunkRecord | None:
        """A chunk whose run was killed between its encode and its proof."""
        path = os.fsencode(self._store.path(task.key))
        (facts,) = chunk_facts((path,), checkpoint=self._ctx.checkpoint)
        problem = _problem_of(facts, task)
        if problem:
            self._ctx.log(f"chunk {task.number}: {problem}")
            return None
        record = replace(record, extradata_sha256=facts.extradata_sha256)
        self._store.finish(record)
        return record

    def _encode_rest(self) -> None:
        try:
            with ChunkSlots(self._ctx) as self._slots, Crew() as crew:
                while self._waiting or self._alone or self._running:
                    self._ctx.checkpoint()
                    self._start_more(crew)
                    for event in crew.events(TICK_S):
                        self._hear(event, crew)
                    self._read_finished(crew)
                    self._ctx.report(self._progress.shown())
        except LeaseLost:
            raise  # the rows are somebody else's now
        except BaseException as error:
            self._rows.lose_all(str(error) or type(error).__name__)
            raise

    def _start_more(self, crew: Crew) -> None:
        if self._is_alone and self._running:
            return
        self._is_alone = not self._running and not self._waiting
        queue = self._alone if self._is_alone else self._waiting
        limit = 1 if self._is_alone else self._sessions
        while queue:
            why_wait = self._guard.why_wait()
            if why_wait:
                self._progress.waits(why_wait)
                return
            slot_name = self._slots.take(queue[0].number, limit=limit)
            if slot_name is None:
                return
            self._start(crew, queue.popleft(), slot_name)
        self._slots.release_idle()

    def _start(self, crew: Crew, task: ChunkTask, slot_name: str) -> None:
        self._running[task.number] = self._rows.begin(task, slot_name)
        lead = _LEADS[self._leads.get(task.number, 0)]
        options = self._size.options(self._rest(task))
        work = partial(
            encode_chunk,
            self._film,
            task,
            self._store,
            lead=lead,
            video_options=self._fallback.options(options) if self._fallback else options,
        )
        self._progress.started(task)
        crew.encode(task, work, partial(refuse_replaced, self._ctx))

    def _rest(self, task: ChunkTask) -> Rest:
        if self._sessions < self._size.processes:  # memory is short: no more threads than planned
            return Rest(self._size.processes)
        if self._is_alone:
            return Rest(1)
        return Rest(
            len(self._waiting) + len(self._alone) + 1,
            self._progress.left_of_running(task),
            is_only_wave=self._is_only_wave,
        )

    @property
    def _sessions(self) -> int:
        return self._fallback.sessions if self._fallback else self._size.processes

    def _hear(self, event: Event, crew: Crew) -> None:
        match event:
            case Progressed(task, progress):
                self._progress.moved(task, progress)
            case Said(task, line):
                self._ctx.log(f"[chunk {task.number}] {line}")
            case Ended(task):
                self._slots.free(task.number)
            case Encoded():
                self._unread.append(event)
            case WasRead(batch, facts):
                self._is_reading = False
                for encoded, found in zip(batch, facts, strict=True):
                    self._judge(encoded, found, crew)
            case Recorded(task, record):
                reach(FAIL_RECORDED)
                self._take(task, record, self._running.pop(task.number))
                reach(FAIL_PROVEN)
            case Failed(task, error):
                self._slots.free(task.number)
                self._lose(task, error)

    def _read_finished(self, crew: Crew) -> None:
        """One reader at a time: what finishes meanwhile is read together."""
        if self._is_reading or not self._unread:
            return
        batch, self._unread = self._unread, []
        self._is_reading = True
        crew.read(batch, [os.fsencode(self._store.path(e.task.key)) for e in batch])

    def _judge(self, encoded: Encoded, facts: ChunkFacts, crew: Crew) -> None:
        task = encoded.task
        record = replace(encoded.record, extradata_sha256=facts.extradata_sha256)
        problem = _problem_of(facts, task)
        if problem:
            text = f"Chunk {task.number} cannot be used: {problem}."
            self._lose(task, JobFailed("chunk_broken", text, is_retryable=True))
        elif not self._has_same_parameters(record):
            self._lose(task, _OtherParameters())
        else:
            if self._fallback is not None:
                self._fallback.finished_one()
            crew.record(task, record, self._store)

    def _has_same_parameters(self, record: ChunkRecord) -> bool:
        """Chunks with other VPS, SPS or PPS would join into a film that decodes to garbage."""
        self._parameters = self._parameters or record.extradata_sha256
        return self._parameters == record.extradata_sha256

    def _take(self, task: ChunkTask, record: ChunkRecord, attempt_id: int | None) -> None:
        self._records[task.number] = record
        # The record's command says what really ran, also in an earlier attempt.
        missing = left_out(self._film.plan.video_options, record.result.argv)
        note = f"without {', '.join(missing)}" if missing else ""
        name = self._store.path(task.key).name
        self._rows.prove(task, record, attempt_id, name, note=note)
        self._progress.finished(task, record, is_resumed=attempt_id is None)

    def _lose(self, task: ChunkTask, error: Exception) -> None:
        """A try failed: once more where that may help. Raises JobOutcome and CannotCut."""
        self._store.drop(task.key)
        self._rows.lose(self._running.pop(task.number), str(error))
        self._progress.failed(task)
        refuse_missing(self._ctx)
        refuse_replaced(self._ctx)  # of another film no other chunk is of use either
        self._tries[task.number] = self._tries.get(task.number, 0) + 1
        self._ctx.log(f"chunk {task.number} failed: {error}")
        if isinstance(error, OtherPictures):
            self._leads[task.number] = self._leads.get(task.number, 0) + 1
            if self._leads[task.number] >= len(_LEADS):
                raise CannotCut(f"Cut at chunk {task.number}, other pictures came: {error}.")
            self._waiting.appendleft(task)
            return
        if isinstance(error, FfmpegFailed):
            if self._has_answer(error):
                self._waiting.appendleft(task)
                return
            error = error.outcome
        is_last = self._tries[task.number] >= MAX_TRIES
        if isinstance(error, _OtherParameters):
            if is_last:
                raise CannotCut("Its chunks came out with different parameter sets.")
        elif is_last or not (isinstance(error, JobFailed) and error.is_retryable):
            raise error
        self._alone.append(task)

    def _has_answer(self, failed: FfmpegFailed) -> bool:
        """Whether the encoder may do better another way. Raises JobHandedBack for another one."""
        if self._fallback is None or self._encoder is None or not _is_about_encoder(failed):
            return False
        result = failed.result
        answer = self._fallback.react(result.stderr_lines, result.return_code)
        self._ctx.log(answer.text)
        if answer.kind in (AnswerKind.OTHER_ENCODER, AnswerKind.SOFTWARE):
            raise pass_over(self._ctx.work_dir, self._encoder, answer.text)
        return answer.kind in (AnswerKind.FEWER_SESSIONS, AnswerKind.REDUCED_OPTIONS)


def _problem_of(facts: ChunkFacts, task: ChunkTask) -> str:
    """Why a chunk's file cannot be used; empty when it can."""
    if facts.problem or facts.packets == task.chunk.frames:
        return facts.problem
    return f"it holds {facts.packets} pictures, not {task.chunk.frames}"


def _is_about_encoder(failed: FfmpegFailed) -> bool:
    """A full disk is not."""
    return isinstance(failed.outcome, JobFailed)


class _OtherParameters(Exception):
    def __init__(self) -> None:
        super().__init__("its parameter sets are not those of the other chunks")
