"""What people do with the queue, from a page or the command line; each verb is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from library.models import FileState, MediaFile
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import start_operation
from mediaflow.base.restore_flag import is_reconcile_pending
from mediaflow.base.wake import ring
from transcode.models import Job, OutputMode, Replacement
from transcode.queue import job_queue, pause
from transcode.queue import order as queue_order
from transcode.queue.enqueue import EnqueueOrder, EnqueueResult, insert_jobs
from transcode.queue.recommended import link_jobs, origin_of
from transcode.states import OPEN_JOURNAL, TERMINAL, WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

    from library.listing.selection import FileSelection
    from mediaflow.base.models import Operation
    from transcode.models import Preset

# Above this a page starts an Operation instead of queueing while the browser waits.
DIRECT_LIMIT: Final = 2_000


class QueueProblem(Exception):
    """Something that cannot be done with a job now; the text says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def enqueue_files(
    *,
    files: QuerySet[MediaFile] | Iterable[int],
    preset: Preset,
    actor: AbstractBaseUser | None,
    origin: str = "by hand",
    output_mode: str | None = None,
    output_dir: bytes | None = None,
    priority: int = 0,
    includes_ignored: bool = False,
    cause: str = "",
) -> EnqueueResult:
    """Queue films with a preset. `output_mode` None: as the preset says. 100,000 in seconds.

    `cause`: the recommendation that it follows (transcode/queue/recommended.py); it is accepted.
    Raises QueueProblem for a priority out of bounds or a folder that is missing in its mode.
    """
    mode = output_mode or str(preset.spec.get("output", OutputMode.REPLACE))
    if mode == OutputMode.FOLDER and not output_dir:
        raise QueueProblem("Name the folder that the new films go to.")
    _check_priority(priority)
    order = EnqueueOrder(
        preset=preset,
        output_mode=mode,
        output_dir=output_dir if mode == OutputMode.FOLDER else None,
        actor=actor,
        origin=origin_of(cause) if cause else origin,
        priority=priority,
        includes_ignored=includes_ignored,
    )
    if cause:
        with transaction.atomic():
            result = insert_jobs(files, order)
            link_jobs(result.jobs, cause, actor)
    else:
        result = insert_jobs(files, order)
    record_audit(
        "job.queue",
        actor=actor,
        subject=f"{len(result.jobs)} films with {preset.slug}",
        detail=f"{order.origin}; {mode}; {len(result.skipped)} skipped",
    )
    return result


def start_enqueue(
    *,
    query: str,
    preset: Preset,
    actor: AbstractBaseUser | None,
    output_mode: str | None = None,
    priority: int = 0,
    cause: str = "",
) -> Operation:
    """Queue everything that a filter matches, as an operation with progress and cancel."""
    _check_priority(priority)
    return start_operation(
        kind="enqueue",
        title=f"Queue films with {preset.name}",
        args={
            "query": query,
            "preset": preset.slug,
            "output_mode": output_mode or "",
            "priority": priority,
            "cause": cause,
            "actor_id": actor.pk if actor else None,
        },
        actor=actor,
    )


def enqueue_selection(
    selection: FileSelection,
    *,
    preset: Preset,
    actor: AbstractBaseUser | None,
    output_mode: str | None = None,
    priority: int = 0,
    cause: str = "",
) -> EnqueueResult | Operation:
    """At once, or as an operation where that would keep the browser waiting. Raises QueueProblem.

    An ignored film is queued where a person named it and no other.
    """
    count = selection.count
    if selection.is_all and (count is None or count > DIRECT_LIMIT):
        return start_enqueue(
            query=selection.query,
            preset=preset,
            actor=actor,
            output_mode=output_mode,
            priority=priority,
            cause=cause,
        )
    return enqueue_files(
        files=selection.queryset,
        preset=preset,
        actor=actor,
        output_mode=output_mode,
        priority=priority,
        includes_ignored=selection.names_one_film,
        cause=cause,
    )


def cancel_job(job_id: int, *, actor: AbstractBaseUser | None) -> str:
    """Returns "cancelled" (at once) or "asked" (its runner stops in seconds).

    A job whose swap is past the point of no return finishes it first. Raises QueueProblem.
    """
    by = actor.get_username() if actor else "the command line"
    if job_queue.cancel_waiting(job_id, reason=f"Cancelled by {by}."):
        result = "cancelled"
    elif job_queue.ask_to_cancel(job_id):
        result = "asked"
    else:
        raise QueueProblem("This job is over already.")
    record_audit("job.cancel", actor=actor, subject=f"job {job_id}", detail=result)
    return result


def cancel_jobs(job_ids: Iterable[int], *, actor: AbstractBaseUser | None) -> int:
    """Cancel several; those that are over already are passed over. Returns how many."""
    count = 0
    for job_id in job_ids:
        try:
            cancel_job(job_id, actor=actor)
        except QueueProblem:
            continue
        count += 1
    return count


def pause_job(job_id: int, *, actor: AbstractBaseUser | None) -> None:
    """Pause one job; a running one stands still and frees nothing. Raises QueueProblem."""
    _set_paused(job_id, True, actor)


def stop_job(job_id: int, *, actor: AbstractBaseUser | None) -> None:
    """Stop a running job until it is resumed: it frees everything but its finished chunks.

    Raises QueueProblem.
    """
    if not queue_order.stop_running(job_id):
        raise QueueProblem("This job is not running.")
    record_audit("job.stop", actor=actor, subject=f"job {job_id}")


def resume_job(job_id: int, *, actor: AbstractBaseUser | None) -> None:
    """Raises QueueProblem."""
    _set_paused(job_id, False, actor)


def _set_paused(job_id: int, is_paused: bool, actor: AbstractBaseUser | None) -> None:
    if not queue_order.set_paused(job_id, is_paused):
        raise QueueProblem("This job is over already.")
    action = "job.pause" if is_paused else "job.resume"
    record_audit(action, actor=actor, subject=f"job {job_id}")
    if not is_paused:
        ring()


def retry_job(job_id: int, *, actor: AbstractBaseUser | None) -> Job:
    """Run it again: a waiting one goes on now, one that is over gets a new row.

    Raises QueueProblem.
    """
    old = Job.objects.select_related("file", "preset").filter(pk=job_id).first()
    if old is None:
        raise QueueProblem("There is no such job.")
    if old.status in WAITING:
        job_queue.release(job_id)
        old.refresh_from_db()
        job = old
    elif old.status in TERMINAL:
        job = _rerun(old, actor)
    else:
        raise QueueProblem("This job is running.")
    record_audit("job.retry", actor=actor, subject=f"job {job_id}", detail=f"job {job.pk}")
    transaction.on_commit(ring)
    return job


def _rerun(old: Job, actor: AbstractBaseUser | None) -> Job:
    if old.file is None:
        raise QueueProblem("The film is no longer in any library.")
    if Replacement.objects.filter(job=old, state__in=OPEN_JOURNAL).exists():
        raise QueueProblem("Its swap is not at its end; see the job's page.")
    spec = old.preset.spec if old.preset else old.preset_spec
    try:
        with transaction.atomic():
            job = Job.objects.create(
                file=old.file,
                file_path=old.file_path,
                library_name=old.library_name,
                preset=old.preset,
                preset_slug=old.preset_slug,
                preset_name=old.preset_name,
                preset_spec=spec,
                output_mode=old.output_mode,
                output_dir_raw=old.output_dir_raw,
                priority=old.priority,
                position=queue_order.first_free_position(),
                requested_by_id=actor.pk if actor else None,
                origin="again",
                rerun_of=old,
                source_bytes=old.file.size_bytes,
                hours="; ".join(spec.get("hours", ())),
            )
            MediaFile.objects.filter(pk=old.file.pk).update(state=FileState.QUEUED, state_reason="")
    except IntegrityError:
        raise QueueProblem("The film is already in the queue.") from None
    return job


def set_job_priority(job_id: int, priority: int, *, actor: AbstractBaseUser | None) -> None:
    """Raises QueueProblem when out of bounds, or when the job does not wait."""
    _check_priority(priority)
    if not queue_order.set_priority(job_id, priority):
        raise QueueProblem("Only a waiting job has a place in the queue.")
    record_audit("job.priority", actor=actor, subject=f"job {job_id}", detail=str(priority))


def move_job(
    job_id: int,
    *,
    actor: AbstractBaseUser | None,
    before: int | None = None,
    after: int | None = None,
) -> None:
    """Put a waiting job before or after another; with neither to the front. Raises QueueProblem."""
    if not queue_order.move_job(job_id, before=before, after=after):
        raise QueueProblem("One of the two no longer waits; look at the queue again.")
    detail = f"before {before}" if before else f"after {after}" if after else "to the front"
    record_audit("job.move", actor=actor, subject=f"job {job_id}", detail=detail)


def _check_priority(priority: int) -> None:
    limit = queue_order.PRIORITY_LIMIT
    if not -limit <= priority <= limit:
        raise QueueProblem(f"The priority must be from {-limit} to {limit}.")


def pause_queue(reason: str, *, actor: AbstractBaseUser | None = None) -> None:
    """No new job starts; running ones go on. The reason is shown above the queue."""
    pause.pause_by_person(reason, actor=actor)


def resume_queue(*, actor: AbstractBaseUser | None = None) -> None:
    """Let jobs start again. Raises QueueProblem after a restore that was not compared yet."""
    if is_reconcile_pending():
        raise QueueProblem(
            "A backup was restored: run `mediaflow doctor --library` first, which compares the"
            " disks with the database and then lets the queue go on."
        )
    pause.resume_by_person(actor=actor)


def undo_jobs(job_ids: Sequence[int], *, actor: AbstractBaseUser | None) -> Operation:
    """Put originals back, as an operation (its handler: transcode/replacing/undo.py)."""
    record_audit("job.undo", actor=actor, subject=f"{len(job_ids)} jobs")
    args: dict[str, Any] = {
        "job_ids": list(job_ids),
        "actor_id": actor.pk if actor else None,
    }
    return start_operation(
        kind="undo",
        title=f"Put {len(job_ids)} originals back" if len(job_ids) != 1 else "Put an original back",
        args=args,
        unit="films",
        actor=actor,
    )
