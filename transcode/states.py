"""The states of a job: which step may follow which. Labels are in `transcode.models.JobStatus`.

    queued ──▶ running ──▶ completed | skipped | failed | cancelled
      ▲  ▲        │ │
      │  │        │ └──▶ retry_wait ──▶ queued      (1, 5, 15 minutes; or a mount came back)
      │  └────────┘                                 (handed back, or its runner was lost)
      └── held ◀── running, queued, retry_wait      (needs a person)

Every active state may become `cancelled`; nothing leaves a terminal one: running a film again is a
new row, and undo is `undone_at`.
"""

from __future__ import annotations

from typing import Final

from library.models import FileState
from mediaflow.base.transitions import TransitionTable
from transcode.models import Job, JobEvent, JobStatus, JournalState

ACTIVE: Final = frozenset(
    {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.RETRY_WAIT, JobStatus.HELD}
)
TERMINAL: Final = frozenset(
    {JobStatus.COMPLETED, JobStatus.SKIPPED, JobStatus.FAILED, JobStatus.CANCELLED}
)
WAITING: Final = frozenset({JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.HELD})

JOB_TABLE: Final = TransitionTable(
    model=Job,
    event_model=JobEvent,
    allowed={
        JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.HELD, JobStatus.CANCELLED}),
        JobStatus.RUNNING: TERMINAL | WAITING,
        JobStatus.RETRY_WAIT: frozenset({JobStatus.QUEUED, JobStatus.HELD, JobStatus.CANCELLED}),
        JobStatus.HELD: frozenset({JobStatus.QUEUED, JobStatus.CANCELLED}),
    },
    active=ACTIVE,
    terminal=TERMINAL,
    leased=frozenset({JobStatus.RUNNING}),
)

# Journals that recovery must bring to an end before the queue resumes.
OPEN_JOURNAL: Final = frozenset(
    {
        JournalState.COPYING,
        JournalState.STAGED,
        JournalState.SWAPPING,
        JournalState.PUBLISHED,
        # Of a job that has not ended: our file did not survive the look at it.
        JournalState.UNDOING,
        JournalState.STUCK,  # looked at again once a person lets the held job go on
    }
)
# From here a swap goes forward, whatever anybody asks.
PAST_NO_RETURN: Final = frozenset({JournalState.SWAPPING, JournalState.PUBLISHED})

# What the film's own state says while its job is in a state. A copy written elsewhere leaves the
# film as it was (see job_queue).
FILE_STATE: Final = {
    JobStatus.QUEUED: FileState.QUEUED,
    JobStatus.RUNNING: FileState.PROCESSING,
    JobStatus.RETRY_WAIT: FileState.QUEUED,
    JobStatus.HELD: FileState.QUEUED,
    JobStatus.COMPLETED: FileState.COMPLETED,
    JobStatus.SKIPPED: FileState.NEW,
    JobStatus.FAILED: FileState.FAILED,
    JobStatus.CANCELLED: FileState.NEW,
}
