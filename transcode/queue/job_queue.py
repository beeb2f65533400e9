"""The queue of jobs: the only writer of `Job.status`.

Every step is one conditional UPDATE on status and token (mediaflow/base/transitions.py); in the
same transaction follow the attempt's row and the film's own state. False or None means that
somebody else won: the caller stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from library.models import FileState, MediaFile
from mediaflow.base.leases import LeasedRows, new_token
from mediaflow.base.settings_store import get_setting
from mediaflow.base.transitions import change_status
from mediaflow.base.wake import ring
from transcode.models import Job, JobAttempt, JobPhase, JobStatus, OutputMode, Replacement
from transcode.queue.opening import closed_hours, queue_is_open
from transcode.queue.slots import is_switched_off
from transcode.states import FILE_STATE, JOB_TABLE, OPEN_JOURNAL, TERMINAL, WAITING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

RETRY_DELAYS_S: Final = (60, 5 * 60, 15 * 60)
# A runner that dies without a word counts no try of the film's (machines crash), but not for ever.
CRASH_CAP: Final = 8
CRASH_DELAYS_S: Final = (0, 2, 5, 15, 30, 60)

_FRESH_PROGRESS: Final[dict[str, Any]] = {
    **dict.fromkeys(("progress_pct", "fps", "speed", "eta_s", "bytes_so_far")),
    "progress_note": "",
}
_NO_RESERVATION: Final[dict[str, Any]] = {
    **dict.fromkeys(("work_fs", "target_fs"), ""),
    **dict.fromkeys(("work_reserved_bytes", "target_reserved_bytes"), 0),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this caller may run: `token` fences every later write."""

    job_id: int
    token: str
    attempt_id: int


def claim_next(owner: str, *, among: Collection[int] | None = None) -> Claim | None:
    """Take the next job: open journals first (even while paused), then priority, position, id.

    Honours `not_before`, the pause of the job and of the queue, and the hours of both; `among`
    narrows it to some jobs, which somebody asked for now, whatever the hours. Safe with any number
    of callers.
    """
    promote_due(timezone.now())
    while True:
        if _next_id(timezone.now(), among) is None:
            return None  # an idle look takes no write lock
        with transaction.atomic():
            job_id = _next_id(timezone.now(), among)
            if job_id is None:
                return None
            claim = _claim(job_id, owner)
        if claim is not None:
            return claim


def claim_job(job_id: int, owner: str) -> Claim | None:
    """Take one named job, whatever its place in the queue. None when it is not waiting."""
    with transaction.atomic():
        return _claim(job_id, owner)


def promote_due(now: datetime) -> int:
    """Move jobs whose wait is over from `retry_wait` to `queued`. Returns how many."""
    due = Job.objects.filter(status=JobStatus.RETRY_WAIT, not_before__lte=now)
    return sum(
        change_status(
            JOB_TABLE,
            pk,
            from_status=JobStatus.RETRY_WAIT,
            to_status=JobStatus.QUEUED,
            reason_code="retry_due",
            updates={"not_before": None},
        )
        for pk in due.order_by("not_before").values_list("pk", flat=True)[:100]
    )


def _next_id(now: datetime, among: Collection[int] | None = None) -> int | None:
    ready = Job.objects.filter(
        Q(not_before__isnull=True) | Q(not_before__lte=now), status=JobStatus.QUEUED
    )
    if among is not None:
        ready = ready.filter(pk__in=among)
    open_journals = Replacement.objects.filter(state__in=OPEN_JOURNAL)
    with_journal = list(open_journals.values_list("job_id", flat=True)[:1000])
    first = _lockable(ready.filter(pk__in=with_journal).order_by("id")) if with_journal else None
    if first is not None or get_setting("queue_paused"):
        return first
    if among is None:
        if not queue_is_open(now) or is_switched_off():
            return None
        ready = ready.exclude(hours__in=closed_hours(now))
    in_order = ready.filter(is_paused=False).order_by("-priority", "position", "id")
    return _lockable(in_order)


def _lockable(jobs: QuerySet[Job]) -> int | None:
    """The first of them; with SKIP LOCKED, so that callers on PostgreSQL take different ones."""
    if connection.features.has_select_for_update_skip_locked and connection.in_atomic_block:
        jobs = jobs.select_for_update(skip_locked=True, of=("self",))
    return jobs.values_list("pk", flat=True).first()


def _claim(job_id: int, owner: str) -> Claim | None:
    token = new_token()
    now = timezone.now()
    if not change_status(
        JOB_TABLE,
        job_id,
        from_status=JobStatus.QUEUED,
        to_status=JobStatus.RUNNING,
        updates={
            **_FRESH_PROGRESS,
            "lease_token": token,
            "lease_owner": owner,
            "heartbeat": 0,
            "attempt": F("attempt") + 1,
            "started_at": now,
            "phase": JobPhase.NONE,
            "reason_code": "",
            "reason": "",
            "not_before": None,
        },
    ):
        return None
    job = Job.objects.only("id", "uuid", "file_id").get(pk=job_id)
    number = job.attempts.count() + 1
    attempt = JobAttempt.objects.create(
        job_id=job_id,
        number=number,
        lease_owner=owner,
        lease_token=token,
        started_at=now,
        log_name=f"{job.uuid}-{number}.log",
    )
    _follow(job_id, JobStatus.RUNNING)
    return Claim(job_id, token, attempt.pk)


def adopt(job_id: int, *, token: str, owner: str) -> bool:
    """The runner becomes the owner of what its consumer claimed. False: the lease is gone."""
    with transaction.atomic():
        if not _mine(job_id, token).update(lease_owner=owner, heartbeat=F("heartbeat") + 1):
            return False
        JobAttempt.objects.filter(lease_token=token).update(lease_owner=owner)
    return True


def beat(job_id: int, token: str) -> bool:
    """Move the heartbeat. False: somebody else holds the job now."""
    return bool(_mine(job_id, token).update(heartbeat=F("heartbeat") + 1))


def write_running(job_id: int, token: str, values: Mapping[str, Any]) -> bool:
    """Write columns of a running job (progress, phase, plan, …). False: the lease is gone."""
    return bool(_mine(job_id, token).update(**values))


def _mine(job_id: int, token: str) -> QuerySet[Job]:
    return Job.objects.filter(pk=job_id, status=JobStatus.RUNNING, lease_token=token)


def finish_job(
    job_id: int,
    *,
    token: str,
    status: str,
    reason_code: str = "",
    reason: str = "",
    updates: Mapping[str, Any] | None = None,
) -> bool:
    """End a running job (completed, skipped, failed, cancelled). False: the lease is gone.

    Takes part in the caller's transaction when there is one. Raises ValueError for a status that is
    no end.
    """
    if status not in TERMINAL:
        raise ValueError(f"{status} does not end a job")
    now = timezone.now()
    started = _mine(job_id, token).values_list("started_at", flat=True).first()
    values: dict[str, Any] = {
        "finished_at": now,
        "seconds": (now - started).total_seconds() if started else None,
        **(_FRESH_PROGRESS | {"progress_pct": 100.0} if status == JobStatus.COMPLETED else {}),
        **(updates or {}),
    }
    return _leave_running(job_id, token, JobStatus(status), reason_code, reason, values)


def retry_later(job_id: int, *, token: str, reason_code: str, reason: str) -> bool:
    """After a failure that may pass: wait 1, 5, 15 minutes; `failed` when no try is left."""
    row = _mine(job_id, token).values_list("attempt", "max_attempts").first()
    if row is None:
        return False
    attempt, max_attempts = row
    if attempt >= max_attempts:
        return finish_job(
            job_id, token=token, status=JobStatus.FAILED, reason_code=reason_code, reason=reason
        )
    delay_s = RETRY_DELAYS_S[min(max(attempt, 1), len(RETRY_DELAYS_S)) - 1]
    values = {"not_before": timezone.now() + timedelta(seconds=delay_s)}
    return _leave_running(job_id, token, JobStatus.RETRY_WAIT, reason_code, reason, values)


def wait_for_disk(
    job_id: int, *, token: str, reason_code: str, reason: str, delay_s: float
) -> bool:
    """A mount or a disk is not there: wait, and count no attempt."""
    values = {"not_before": timezone.now() + timedelta(seconds=delay_s)}
    return _leave_running(
        job_id, token, JobStatus.RETRY_WAIT, reason_code, reason, values, is_counted=False
    )


def hand_back(job_id: int, *, token: str, reason_code: str, reason: str) -> bool:
    """Back to the queue at once, and count no attempt (shutdown, pause)."""
    queued = JobStatus.QUEUED
    return _leave_running(job_id, token, queued, reason_code, reason, {}, is_counted=False)


def hold_running(job_id: int, *, token: str, reason_code: str, reason: str) -> bool:
    """Stop until a person decides."""
    return _leave_running(job_id, token, JobStatus.HELD, reason_code, reason, {})


def take_over(job_id: int, token: str) -> bool:
    """The runner died without a word. Back to the queue; after CRASH_CAP times in a row `failed`.

    A job with an open journal is never failed here: it becomes `held`.
    """
    job = _mine(job_id, token).first()
    if job is None:
        return False
    has_journal = Replacement.objects.filter(job_id=job_id, state__in=OPEN_JOURNAL).exists()
    if job.cancel_requested_at is not None and not has_journal:
        end: dict[str, Any] = {"status": JobStatus.CANCELLED, "reason_code": "cancelled"}
        return finish_job(job_id, token=token, reason="Cancelled.", **end)
    crashes = _crashes_in_a_row(job_id) + 1
    if crashes < CRASH_CAP:
        delay_s = CRASH_DELAYS_S[min(crashes, len(CRASH_DELAYS_S)) - 1]
        values = {"not_before": timezone.now() + timedelta(seconds=delay_s) if delay_s else None}
        reason = "Its process ended without a word; the job starts again."
        return _leave_running(
            job_id, token, JobStatus.QUEUED, "runner_lost", reason, values, is_counted=False
        )
    reason = f"Its process ended without a word {crashes} times in a row; see the log."
    if has_journal:
        return hold_running(job_id, token=token, reason_code="runner_lost", reason=reason)
    return finish_job(
        job_id, token=token, status=JobStatus.FAILED, reason_code="runner_lost", reason=reason
    )


def _crashes_in_a_row(job_id: int) -> int:
    ended = JobAttempt.objects.filter(job_id=job_id, ended_at__isnull=False).order_by("-id")
    crashes = 0
    for code in ended.values_list("reason_code", flat=True)[:CRASH_CAP]:
        if code != "runner_lost":
            break
        crashes += 1
    return crashes


def _leave_running(
    job_id: int,
    token: str,
    status: JobStatus,
    reason_code: str,
    reason: str,
    values: Mapping[str, Any],
    *,
    is_counted: bool = True,
) -> bool:
    """Every way out of `running`: status and event, attempt row, reservations, the film's state."""
    texts = {"reason_code": reason_code[:40], "reason": reason[:1000]}
    updates: dict[str, Any] = {
        "lease_owner": "",
        **texts,
        **_NO_RESERVATION,
        **(_FRESH_PROGRESS if status in WAITING else {}),
        **({} if is_counted else {"attempt": F("attempt") - 1}),
        **values,
    }
    with transaction.atomic():
        if not change_status(
            JOB_TABLE,
            job_id,
            from_status=JobStatus.RUNNING,
            to_status=status,
            token=token,
            updates=updates,
            **texts,
        ):
            return False
        JobAttempt.objects.filter(lease_token=token).update(
            ended_at=timezone.now(), outcome=status, is_counted=is_counted, **texts
        )
        _follow(job_id, status, reason)
        transaction.on_commit(ring)
    return True


def cancel_waiting(job_id: int, *, reason: str) -> bool:
    """Cancel a job that is not running and has no open journal. False otherwise."""
    if Replacement.objects.filter(job_id=job_id, state__in=OPEN_JOURNAL).exists():
        return False
    values = {"finished_at": timezone.now(), "cancel_requested_at": timezone.now()}
    return any(
        _change_waiting(job_id, status, JobStatus.CANCELLED, "cancelled", reason, values)
        for status in sorted(WAITING)
    )


def ask_to_cancel(job_id: int) -> bool:
    """Ask the runner of a job to stop (one that waits with an open journal: once recovered)."""
    rows = Job.objects.filter(pk=job_id, status__in=JOB_TABLE.active)
    return bool(rows.update(cancel_requested_at=timezone.now()))


def hold(job_id: int, *, reason_code: str, reason: str) -> bool:
    """Hold a job that waits. False when it does not wait."""
    return any(
        _change_waiting(job_id, status, JobStatus.HELD, reason_code, reason, {})
        for status in (JobStatus.QUEUED, JobStatus.RETRY_WAIT)
    )


def release(job_id: int) -> bool:
    """A person lets a held job, or one that waits to retry, go on now."""
    values = {"not_before": None, "cancel_requested_at": None}
    return any(
        _change_waiting(job_id, status, JobStatus.QUEUED, "released", "", values)
        for status in (JobStatus.HELD, JobStatus.RETRY_WAIT)
    )


def _change_waiting(
    job_id: int,
    from_status: str,
    to_status: JobStatus,
    reason_code: str,
    reason: str,
    values: Mapping[str, Any],
) -> bool:
    with transaction.atomic():
        is_changed = change_status(
            JOB_TABLE,
            job_id,
            from_status=from_status,
            to_status=to_status,
            reason_code=reason_code,
            reason=reason[:1000],
            updates={"reason_code": reason_code, "reason": reason[:1000], **values},
        )
        if is_changed:
            _follow(job_id, to_status, reason)
            transaction.on_commit(ring)
    return is_changed


def _follow(job_id: int, status: JobStatus, reason: str = "") -> None:
    """Let the film's own state say what its job does; only films that a job had taken."""
    job = Job.objects.filter(pk=job_id).values_list("file_id", "output_mode").first()
    if job is None or job[0] is None:
        return
    state = FILE_STATE[status]
    if status == JobStatus.COMPLETED and job[1] != OutputMode.REPLACE:
        state = FileState.NEW  # the film itself is as it was; the copy lies elsewhere
    says_why = status in {JobStatus.SKIPPED, JobStatus.FAILED, JobStatus.HELD}
    MediaFile.objects.filter(pk=job[0], state__in=(FileState.QUEUED, FileState.PROCESSING)).update(
        state=state, state_reason=reason[:300] if says_why else ""
    )


def job_leases() -> LeasedRows:
    """Running jobs, for the sweeper."""
    running = Job.objects.filter(status=JobStatus.RUNNING)
    return LeasedRows(
        "job",
        lambda: running.all().values_list("pk", "lease_owner", "lease_token", "heartbeat"),
        take_over,
    )
