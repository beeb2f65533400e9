"""After a restore: make the database agree with the disks, then let the queue go on (fault 38).

Nothing on a disk is changed here. An original that is not in its trash place any more is marked
lost, so no purge and no undo touches another file; a journal that does not fit what lies on the
disk is stopped, so no swap is done a second time. Trash that the restored database does not know is
never in a sweep: sweeps go by rows.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from library.models import Availability, MediaFile
from mediaflow.base.audit import record_audit
from mediaflow.base.models import Setting
from mediaflow.base.restore_flag import PENDING_KEY
from transcode.models import Job, JobStatus, JournalState, Replacement, TrashEntry, TrashState
from transcode.queue import job_queue
from transcode.queue.pause import end_restore_pause
from transcode.replacing.journal import JournalBusy, JournalLost, advance, hold_journal
from transcode.replacing.picture import Holds, Identity, names_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mediaflow.diagnostics.library_check import LibraryReport

STUCK_REASON: Final = (
    "The swap of this film fits no step any more, so nothing is touched. Look at its files, put"
    " them right and let the job go on."
)
_STOPPABLE: Final = frozenset(
    {
        JournalState.COPYING,
        JournalState.STAGED,
        JournalState.SWAPPING,
        JournalState.PUBLISHED,
        JournalState.UNDOING,
    }
)


@dataclass(frozen=True, slots=True)
class Reconciled:
    lost_trash: int
    stopped_journals: int
    missing_files: int
    left_out: tuple[str, ...]  # libraries that could not be reached

    @property
    def is_complete(self) -> bool:
        return not self.left_out


def reconcile(reports: Sequence[LibraryReport]) -> Reconciled:
    """Write what was found. The queue goes on only when every library could be compared."""
    lost = stopped = missing = 0
    for report in reports:
        if report.unreachable:
            continue
        rows = [row for row, _problem in report.unfit_journals if row.state in _STOPPABLE]
        untouched = {row.pk for row in rows if _is_untouched(row)}
        with transaction.atomic():
            lost += _mark_lost(report)
            stopped += _stop_journals(report, untouched)
            missing += _mark_missing(report)
    left_out = tuple(r.library.name for r in reports if r.unreachable)
    result = Reconciled(lost, stopped, missing, left_out)
    if result.is_complete:
        _let_queue_go_on()
        record_audit(
            "restore.reconciled",
            detail=f"{lost} trash entries lost, {stopped} journals stopped, {missing} missing",
        )
    return result


def _let_queue_go_on() -> None:
    """As it was in the backup: a queue that somebody had paused stays paused."""
    pending = Setting.objects.filter(key=PENDING_KEY).first()
    before = pending.value if pending and isinstance(pending.value, dict) else {}
    with transaction.atomic():
        Setting.objects.filter(key=PENDING_KEY).delete()
        end_restore_pause(
            was_paused=bool(before.get("queue_paused")),
            reason=str(before.get("queue_paused_reason", "")),
        )


def _mark_lost(report: LibraryReport) -> int:
    """An interrupted purge is no loss: its row says so and the sweep finishes it."""
    ids = [entry.pk for entry in report.lost_trash]
    return TrashEntry.objects.filter(pk__in=ids, state=TrashState.KEPT).update(
        state=TrashState.LOST,
        kept_reason="Not in the trash when the database was compared after a restore.",
        ended_at=timezone.now(),
    )


def _stop_journals(report: LibraryReport, untouched: Collection[int]) -> int:
    stopped = 0
    for row, problem in report.unfit_journals:
        if row.state in _STOPPABLE:
            with suppress(JournalBusy, JournalLost), hold_journal(row.job_id):
                _stop(row, f"After a restore: {problem}"[:1000], is_untouched=row.pk in untouched)
                stopped += 1
    return stopped


def _stop(row: Replacement, detail: str, *, is_untouched: bool) -> None:
    """The job waits for a person, unless nothing of the swap is on the disk."""
    # Without a proof nothing of ours can have been swapped.
    if is_untouched or not row.is_proof_passed:
        if row.state == JournalState.PUBLISHED:
            advance(row, JournalState.UNDOING)
        advance(row, JournalState.ABANDONED, detail=detail)
        return
    advance(row, JournalState.STUCK, detail=detail)
    why: dict[str, str] = {"reason_code": "swap_stuck", "reason": f"{STUCK_REASON} {detail}"}
    job = Job.objects.get(pk=row.job_id)
    if job.status == JobStatus.RUNNING:
        job_queue.hold_running(job.pk, token=job.lease_token, **why)
    else:
        job_queue.hold(job.pk, **why)


def _is_untouched(row: Replacement) -> bool:
    """The film is the original and none of the swap's other names exists. Reads the disk."""
    names = names_of(row)
    try:
        seen = Identity(row, trust_inodes=False).take_picture(names)
    except OSError:
        return False
    others = [seen.part, seen.trash, *([] if names.is_same_name else [seen.final])]
    is_alone = all(other.holds == Holds.ABSENT for other in others)
    return is_alone and seen.original.holds == Holds.ORIGINAL


def _mark_missing(report: LibraryReport) -> int:
    marked = 0
    for start in range(0, len(report.missing_ids), 500):
        marked += MediaFile.objects.filter(
            pk__in=report.missing_ids[start : start + 500], availability=Availability.PRESENT
        ).update(
            availability=Availability.MISSING,
            availability_reason="Not there when the database was compared after a restore.",
            availability_since=timezone.now(),
        )
    return marked
