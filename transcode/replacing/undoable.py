"""Which jobs can be undone: one rule for every page and list that offers it.

Whether it can really be done is decided when it is tried (transcode/replacing/undo.py), by the
films' bytes. The rule stands here twice, for many rows and for one; a test holds them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q

from transcode.models import IN_TRASH, Job, JobStatus, JournalState, OutputMode, TrashEntry
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from transcode.models import Replacement

# Where an undo begins: the swap is at its end, or both names exist.
UNDO_BEGINS: Final = frozenset({JournalState.DONE, JournalState.PUBLISHED})


def undoable_jobs() -> QuerySet[Job]:
    """Jobs whose original can be put back."""
    # An undo that got stuck is asked for again once a person has looked.
    state = "replacement__state"
    is_stuck = Q((state, JournalState.STUCK), replacement__stuck_from=JournalState.UNDOING)
    has_left = Q(
        Q((state, JournalState.DONE)) | is_stuck,
        status=JobStatus.COMPLETED,
        replacement__trash__state__in=IN_TRASH,
    )
    both_names = Q((state, JournalState.PUBLISHED), status__in=ACTIVE)
    return Job.objects.filter(
        has_left | both_names, undone_at=None, replacement__mode=OutputMode.REPLACE
    )


def is_undoable(job: Job, row: Replacement | None) -> bool:
    """The same of one job, with its journal (and the journal's trash) as they were read."""
    if row is None or row.mode != OutputMode.REPLACE or job.undone_at is not None:
        return False
    if row.state == JournalState.PUBLISHED:
        return job.status in ACTIVE
    is_settled = row.state == JournalState.DONE or is_undo_stuck(row)
    return is_settled and job.status == JobStatus.COMPLETED and entry_in_trash(row) is not None


def is_undo_stuck(row: Replacement) -> bool:
    return row.state == JournalState.STUCK and row.stuck_from == JournalState.UNDOING


def entry_in_trash(row: Replacement | None) -> TrashEntry | None:
    """The original while it lies in the trash, also when its purge was cut short."""
    entry: TrashEntry | None = getattr(row, "trash", None)
    return entry if entry is not None and entry.state in IN_TRASH else None
