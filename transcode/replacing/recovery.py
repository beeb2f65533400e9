"""After a crash: bring a job's open journal to its end by what is on the disk.

    copying, staged      nothing of the user's was touched: the part goes, the attempt is given up
    swapping             the film's name (or the new name) is ours: forward; else back
    published            forward, after what is left of the wait
    undoing              back
    stuck                as before, now that a person has looked

A film's folder that is gone from a library that is there, and what fits no step, becomes `stuck`:
the job is held and nothing is touched. Every step may be cut short and repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from mediaflow.base.failpoints import declare, reach
from transcode.models import JournalState
from transcode.outcomes import JobWaits
from transcode.queue import job_queue
from transcode.replacing.back import abandon, roll_back
from transcode.replacing.film_folder import check_film_folder
from transcode.replacing.journal import advance
from transcode.replacing.picture import Identity, has_changed_name, names_of
from transcode.replacing.problems import needs_you
from transcode.replacing.stage import check_library
from transcode.replacing.swap import drive, explained, holding

if TYPE_CHECKING:
    from transcode.models import Replacement
    from transcode.replacing.finish import FinishJob
    from transcode.running.context import RunContext

Recovered = Literal["finished", "rolled_back"]

STARTED: Final = declare("recovery.started", "the journal is being looked at")
UNSTUCK: Final = declare("recovery.unstuck", "a stuck journal is what it was before")
LOOKED: Final = declare("recovery.looked", "it is known whether to go forward or back")
_BEFORE_SWAP: Final = frozenset({JournalState.COPYING, JournalState.STAGED})
_FORWARD: Final = frozenset({JournalState.SWAPPING, JournalState.PUBLISHED})


def recover_job(
    ctx: RunContext, replacement: Replacement, *, finish: FinishJob = job_queue.finish_job
) -> Recovered:
    """Bring the journal to `done` (the job is completed with it) or `abandoned`. Idempotent.

    Raises JobHeld when a person must look, JobWaits while the disk is away or another process is at
    work, LeaseLost when the job is no longer ours.
    """
    with holding(ctx), explained(replacement):
        replacement.refresh_from_db()
        check_library(replacement)
        reach(STARTED)
        if replacement.state == JournalState.STUCK:
            advance(replacement, replacement.stuck_from)
            reach(UNSTUCK)
        _settle(replacement)
    if replacement.state in _FORWARD:
        drive(ctx, replacement, finish=finish, trust_inodes=False)
    return "finished" if replacement.state == JournalState.DONE else "rolled_back"


def _settle(row: Replacement) -> None:
    """Take the ways back; what goes forward is left as it is."""
    if row.state in _BEFORE_SWAP:
        reach(LOOKED)
        abandon(row, "Given up after a crash, before anything was touched.")
        if row.state == JournalState.STUCK:
            raise needs_you(row)
        if row.state in _BEFORE_SWAP:
            raise JobWaits(
                "part_left", "What an earlier attempt left beside the film cannot be removed yet."
            )
        return
    check_film_folder(row)
    if row.state == JournalState.UNDOING:
        reach(LOOKED)
        roll_back(row, row.detail)
    elif row.state == JournalState.SWAPPING:
        picture = Identity(row, trust_inodes=False).take_picture(names_of(row))
        is_visible = has_changed_name(row, picture)
        reach(LOOKED)
        if not is_visible:
            roll_back(row, "Rolled back after a crash: the film's name had not changed.")
