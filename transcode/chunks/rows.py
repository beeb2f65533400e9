"""The rows of a job's chunks and of the tries to encode them; only its runner writes them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mediaflow.base.db_retry import retry_on_busy
from transcode.models import Chunk, ChunkAttempt, ChunkAttemptStatus, ChunkStatus, Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.chunks.encoding import ChunkTask
    from transcode.chunks.store import ChunkRecord
    from transcode.running.context import RunContext


class ChunkRows:
    """All writes about the chunks of one job, each in a short transaction of its own."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._ids: dict[int, int] = {}

    def plan(self, tasks: Sequence[ChunkTask]) -> None:
        """One row for each chunk; rows of other ranges or other plans begin anew."""
        retry_on_busy(lambda: self._plan(tasks))

    def begin(self, task: ChunkTask, slot: str) -> int:
        """A try on a slot; returns its id."""
        return retry_on_busy(lambda: self._begin(task, slot))

    def lose(self, attempt_id: int, error: str) -> None:
        retry_on_busy(
            lambda: ChunkAttempt.objects.filter(pk=attempt_id).update(
                status=ChunkAttemptStatus.LOST, ended_at=timezone.now(), error=error[:1000]
            )
        )

    def prove(
        self,
        task: ChunkTask,
        record: ChunkRecord,
        attempt_id: int | None,
        name: str,
        *,
        note: str = "",
    ) -> None:
        """The chunk counts. `attempt_id` None: it was encoded earlier, maybe by another job."""
        retry_on_busy(lambda: self._prove(task, record, attempt_id, name, note))

    def lose_all(self, error: str) -> None:
        """No try runs any more."""
        retry_on_busy(lambda: self._lose_open(error))

    def _plan(self, tasks: Sequence[ChunkTask]) -> None:
        with transaction.atomic():
            self._lose_open("its runner ended")
            rows = {row.index: row for row in Chunk.objects.filter(job_id=self._ctx.job_id)}
            for task in tasks:
                row = rows.pop(task.number, None)
                if row is None:
                    row = Chunk.objects.create(
                        job_id=self._ctx.job_id, index=task.number, **_planned(task)
                    )
                elif row.plan_hash != task.key:
                    _begin_anew(row, task)
                self._ids[task.number] = row.pk
            Chunk.objects.filter(pk__in=[row.pk for row in rows.values()]).delete()
            Job.objects.filter(pk=self._ctx.job_id, lease_token=self._ctx.token).update(
                chunks_total=len(tasks), chunks_done=0, resumed_chunks=0
            )

    def _lose_open(self, error: str) -> None:
        # Only the holder of the job's lease is here: what still looks leased is not.
        ChunkAttempt.objects.filter(
            chunk__job_id=self._ctx.job_id, status=ChunkAttemptStatus.LEASED
        ).update(status=ChunkAttemptStatus.LOST, ended_at=timezone.now(), error=error[:1000])

    def _begin(self, task: ChunkTask, slot: str) -> int:
        with transaction.atomic():
            chunk_id = self._ids[task.number]
            # It is being encoded again, so what once was proven is no more.
            ChunkAttempt.objects.filter(chunk_id=chunk_id, status=ChunkAttemptStatus.PROVEN).update(
                status=ChunkAttemptStatus.LOST, error="its file was not what it had been"
            )
            Chunk.objects.filter(pk=chunk_id).update(status=ChunkStatus.PENDING)
            attempt = ChunkAttempt.objects.create(
                chunk_id=chunk_id, slot=slot, token=secrets.token_hex(16)
            )
        return attempt.pk

    def _prove(
        self, task: ChunkTask, record: ChunkRecord, attempt_id: int | None, name: str, note: str
    ) -> None:
        with transaction.atomic():
            if attempt_id is not None:
                ChunkAttempt.objects.filter(pk=attempt_id).update(
                    status=ChunkAttemptStatus.PROVEN,
                    ended_at=timezone.now(),
                    sha256=record.sha256,
                )
            Chunk.objects.filter(pk=self._ids[task.number]).update(
                status=ChunkStatus.DONE,
                sha256=record.sha256,
                size_bytes=record.size_bytes,
                file_name=name,
                seconds=record.seconds,
                encoder_note=note[:200],
            )
            job = Job.objects.filter(pk=self._ctx.job_id, lease_token=self._ctx.token)
            if attempt_id is None:
                job.update(chunks_done=F("chunks_done") + 1, resumed_chunks=F("resumed_chunks") + 1)
            else:
                job.update(chunks_done=F("chunks_done") + 1)


def _planned(task: ChunkTask) -> dict[str, Any]:
    return {
        "start_pts": task.chunk.start_pts,
        "end_pts": task.chunk.end_pts,
        "frames": task.chunk.frames,
        "plan_hash": task.key,
    }


def _begin_anew(row: Chunk, task: ChunkTask) -> None:
    row.attempts.filter(status=ChunkAttemptStatus.PROVEN).update(
        status=ChunkAttemptStatus.LOST, error="made by another plan"
    )
    Chunk.objects.filter(pk=row.pk).update(
        **_planned(task),
        status=ChunkStatus.PENDING,
        file_name="",
        sha256="",
        size_bytes=None,
        seconds=None,
        encoder_note="",
    )


def mark_all_resumed(ctx: RunContext, count: int) -> None:
    """The film of all chunks is there already, joined by an earlier attempt."""
    retry_on_busy(
        lambda: Job.objects.filter(pk=ctx.job_id, lease_token=ctx.token).update(
            chunks_total=count, chunks_done=count, resumed_chunks=count
        )
    )
