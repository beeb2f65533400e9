"""Operations that the pages start: cancel many jobs, purge the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib.auth import get_user_model

from mediaflow.base.operations import start_operation
from mediaflow.templatetags._text import size
from transcode import services
from transcode.models import Job, JobStatus, TrashEntry, TrashState
from transcode.trash.purge import purge_entry, resume_purges
from transcode.trash.room import end_pause_with_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

# Beyond this many the browser does not wait for it.
DIRECT_CANCEL_LIMIT: Final = 100


def waiting_jobs() -> QuerySet[Job]:
    """What "all waiting" means: not the running ones, not those that need a person."""
    return Job.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.RETRY_WAIT])


def start_cancel(job_ids: Sequence[int] | None, *, actor: AbstractBaseUser) -> Operation:
    """Cancel these jobs, or with None all that wait, as an operation."""
    return start_operation(
        kind="cancel_jobs",
        title="Cancel waiting jobs",
        args={"job_ids": None if job_ids is None else list(job_ids), "actor_id": actor.pk},
        lock_key="cancel_jobs:all" if job_ids is None else "",
        unit="jobs",
        actor=actor,
    )


def run_cancel(context: OperationContext) -> None:
    """Handler of `cancel_jobs`. Repeated after a crash it passes over what is cancelled."""
    wanted = context.args["job_ids"]
    actor = get_user_model().objects.filter(pk=context.args.get("actor_id") or 0).first()
    # From the end of the queue: what is cancelled last might start meanwhile.
    rows = waiting_jobs().order_by("priority", "-position", "-id")
    ids = list(rows.values_list("pk", flat=True)) if wanted is None else [int(pk) for pk in wanted]
    count = 0
    for number, job_id in enumerate(ids, start=1):
        context.checkpoint()
        count += services.cancel_jobs([job_id], actor=actor)
        context.report(number, len(ids), message=f"{count:,} cancelled; no film was touched.")
    context.set_result({"cancelled": count})


def start_purge(*, actor: AbstractBaseUser) -> Operation:
    """Empty the trash, as an operation: each new film is read back before its original goes."""
    return start_operation(
        kind="purge_trash",
        title="Purge the originals in the trash",
        args={"actor_id": actor.pk},
        lock_key="purge_trash",
        unit="originals",
        actor=actor,
    )


def run_purge(context: OperationContext) -> None:
    """Handler of `purge_trash`: only what is there now, and only what passes again.

    What an earlier purge left half done is brought to its end first.
    """
    actor = get_user_model().objects.filter(pk=context.args.get("actor_id") or 0).first()
    ids = list(
        TrashEntry.objects.filter(state=TrashState.KEPT).order_by("trashed_at").values_list("pk")
    )
    freed, kept = sum(result.freed_bytes for result in resume_purges()), 0
    for number, (entry_id,) in enumerate(ids, start=1):
        context.checkpoint()
        result = purge_entry(entry_id, actor=actor)
        freed += result.freed_bytes
        kept += not result.ok
        text = f"{size(freed).text} freed" + (f", {kept} kept: see their jobs" if kept else "")
        context.report(number, len(ids), message=text)
    end_pause_with_room()
    context.set_result({"freed_bytes": freed, "kept": kept})
