"""The swap of a film for its verified output (trust.md S0 to S8), journalled before each effect.

    S3 copy beside the film    S6 "swapping" is committed: forward, or back while nothing shows
    S4 attributes              S7 the names change (replace_steps)
    S5 the film is unchanged   S8 read back, and one transaction ends journal, film and job

`transcode/replacing/recovery.py` goes on after a crash with the same functions.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from library.folding import display_path
from library.models import MediaFile
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import NotOurs, parent_of
from mediaflow.base.hooks import hooked
from transcode.models import Job, JobStatus, JournalState, OutputMode
from transcode.outcomes import (
    JobCancelled,
    JobFailed,
    JobHandedBack,
    JobHeld,
    JobOutcome,
    JobSkipped,
    JobWaits,
    LeaseLost,
)
from transcode.queue import job_queue
from transcode.replacing.announce import announce_swap
from transcode.replacing.back import abandon, become_stuck, roll_back, undo_unverified
from transcode.replacing.film_folder import check_film_folder
from transcode.replacing.finish import FinishJob, finish_swap
from transcode.replacing.journal import (
    JournalBusy,
    JournalLost,
    advance,
    durable,
    hold_journal,
    start_journal,
)
from transcode.replacing.names import beside_path, final_path, part_path
from transcode.replacing.picture import Identity, Unfit, has_changed_name, is_beside, names_of
from transcode.replacing.problems import needs_you, outcome_of
from transcode.replacing.stage import (
    check_library,
    check_output_folder,
    check_place,
    check_source,
    stage,
)
from transcode.replacing.steps import run_forward
from transcode.trash.place import write_sidecar
from transcode.trash.room import make_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from library.models import Library
    from transcode.models import ProofRecord, Replacement
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

log = logging.getLogger(__name__)

PUBLISHED_WAIT_S: Final = 600.0
BUSY_WAIT_S: Final = 30.0
COPYING: Final = declare("replace.copying", "the journal says copying")
SWAPPING: Final = declare("replace.swapping", "the journal says swapping: no way back but undo")
SIDECAR: Final = declare("replace.sidecar", "the sidecar in the trash is written")
PUBLISHED: Final = declare("replace.published", "the journal says published")
RELEASED: Final = declare("replace.released", "the original may leave")
_DATABASE_AWAY: Final = (DatabaseError, InterfaceError)


def replace_original(
    ctx: RunContext,
    plan: Plan,
    output: Path,
    proof: ProofRecord,
    *,
    finish: FinishJob = job_queue.finish_job,
) -> Replacement:
    """Swap the film for `output` and complete the job.

    Raises JobOutcome; the film is then as it was, or the journal is open and `recover_job` brings
    it to its end.
    """
    final = final_path(ctx.source, plan.extension)
    return _run(ctx, output, proof, plan, finish, final=final, folder=parent_of(ctx.source))


def publish_beside(
    ctx: RunContext,
    plan: Plan,
    output: Path,
    proof: ProofRecord,
    *,
    folder: bytes,
    finish: FinishJob = job_queue.finish_job,
) -> Replacement:
    """Put the output into `folder` under a free name and complete the job; the film stays."""
    final = beside_path(ctx.source, folder, plan.extension)
    return _run(ctx, output, proof, plan, finish, final=final, folder=folder)


def _run(
    ctx: RunContext,
    output: Path,
    proof: ProofRecord,
    plan: Plan,
    finish: FinishJob,
    *,
    final: bytes,
    folder: bytes,
) -> Replacement:
    with holding(ctx):
        job, library = _job_and_library(ctx)
        _check_allowed(ctx, job, library, proof)
        check_place(ctx, library, parent_of(ctx.source))
        if job.output_mode != OutputMode.REPLACE:
            check_output_folder(folder)
        row = _open_journal(ctx, job, library, proof, plan, final, part_path(folder))
        with _given_up_on_failure(ctx, row, folder):
            if not is_beside(row):
                announce_swap(row)
            stage(ctx, row, output, proof, library)
            if not is_beside(row):
                make_room(row)
            ctx.checkpoint()
            retry_on_busy(lambda: _pass_point_of_no_return(ctx, row, library, output))
            reach(SWAPPING)
    drive(ctx, row, finish=finish)
    return row


def _job_and_library(ctx: RunContext) -> tuple[Job, Library]:
    job = Job.objects.select_related("file__library").get(pk=ctx.job_id)
    if job.file is None:
        raise JobSkipped("file_gone", "The film is no longer in any library.")
    return job, job.file.library


def _check_allowed(ctx: RunContext, job: Job, library: Library, proof: ProofRecord) -> None:
    if not proof.is_passed or proof.job_id != ctx.job_id:
        raise JobFailed("not_proven", "The output was not verified, so it replaces nothing.")
    if not ctx.snapshot.is_regular:
        raise JobSkipped("symlink", "The film is a symbolic link; links are left as they are.")
    if job.output_mode == OutputMode.REPLACE and not library.is_replace_allowed:
        raise JobSkipped("replace_not_allowed", f"Nothing is replaced in {library.name}.")


def _open_journal(
    ctx: RunContext,
    job: Job,
    library: Library,
    proof: ProofRecord,
    plan: Plan,
    final: bytes,
    part: bytes,
) -> Replacement:
    source = ctx.snapshot.to_json()
    source["sha256"] = ctx.snapshot.sha256 or proof.source_sha256
    try:
        row = start_journal(
            ctx.job_id,
            {
                "file": job.file,
                "library": library,
                "mode": job.output_mode,
                "root_raw": ctx.library_root,
                "original_raw": ctx.source,
                "final_raw": final,
                "part_raw": part,
                "trash_raw": None,
                "link_method": "",
                "source_snapshot": source,
                "output_sha256": proof.output_sha256,
                "output_bytes": proof.output_bytes,
                "output_inode": None,
                "proof": None,
                "is_proof_passed": False,
                "listed_losses": list(plan.losses),
                "published_at": None,
            },
        )
    except JournalLost as error:
        raise JobHeld(
            "journal_open", f"An earlier swap of this film has no end yet: {error}."
        ) from error
    reach(COPYING)
    return row


def _pass_point_of_no_return(
    ctx: RunContext, row: Replacement, library: Library, output: Path
) -> None:
    """S6. In one transaction: the job is still ours, nobody wants otherwise, the journal moves."""
    check_place(ctx, library, parent_of(bytes(row.original_raw)))
    snapshot = check_source(ctx, row, library, output)
    state = row.state
    try:
        with durable(), transaction.atomic():
            _check_last_word(ctx, row)
            advance(row, JournalState.SWAPPING, source_snapshot=snapshot.to_json())
    except _DATABASE_AWAY:
        row.state = state
        raise


def _check_last_word(ctx: RunContext, row: Replacement) -> None:
    """What people and other processes decided last, under the lock of the transaction."""
    mine = Job.objects.select_for_update(of=("self",)).filter(
        pk=ctx.job_id, status=JobStatus.RUNNING, lease_token=ctx.token
    )
    job = mine.only("cancel_requested_at").first()
    if job is None:
        raise LeaseLost("lease_lost", "Another process has taken this job over.")
    if job.cancel_requested_at is not None:
        raise JobCancelled("cancelled", "Cancelled.")
    files = MediaFile.objects.select_related("library").filter(pk=row.file_id or 0)
    file = files.only("removed_from_list_at", "library__is_replace_allowed").first()
    if file is None or file.removed_from_list_at is not None:
        raise JobSkipped("file_gone", "The film was taken off the list meanwhile.")
    if not is_beside(row) and not file.library.is_replace_allowed:
        raise JobSkipped("replace_not_allowed", f"Nothing is replaced in {file.library}.")


def drive(
    ctx: RunContext,
    row: Replacement,
    *,
    finish: FinishJob = job_queue.finish_job,
    trust_inodes: bool = True,
) -> None:
    """From `swapping` or `published` to the end. Raises JobOutcome.

    `trust_inodes`: no crash and no remount since the journal began (see replace_picture.Identity).
    The lock is free while the original waits for its leave, so that an undo can take it.
    """
    while row.state != JournalState.DONE:
        if row.state == JournalState.PUBLISHED:
            _ask_leave(ctx, row)
        with holding(ctx), explained(row):
            if row.state == JournalState.PUBLISHED:
                _take_leave(row)
                reach(RELEASED)
            _change_names(ctx, row, trust_inodes)
            if row.state == JournalState.SWAPPING:
                _finish(ctx, row, finish)


def _change_names(ctx: RunContext, row: Replacement, trust_inodes: bool) -> None:
    """S7. Ends in `swapping` with all names as they shall be, or in `published`."""
    may_leave = row.published_at is not None
    fence = _fence(ctx)
    try:
        write_sidecar(row)
        reach(SIDECAR)
        picture = run_forward(
            row, Identity(row, trust_inodes=trust_inodes), fence=fence, may_leave=may_leave
        )
    except OSError as error:
        ctx.log(f"{row.pk}: {error}; looking what is on the disk")
        check_library(row)
        check_film_folder(row)
        identity = Identity(row, trust_inodes=False)
        if not has_changed_name(row, identity.take_picture(names_of(row))):
            roll_back(row, str(error))
            raise outcome_of(error, parent_of(bytes(row.final_raw))) from error
        picture = run_forward(row, identity, fence=fence, may_leave=may_leave)
    if picture.original.stat is not None and not names_of(row).is_same_name and not is_beside(row):
        advance(row, JournalState.PUBLISHED, published_at=timezone.now())
        reach(PUBLISHED)


def _ask_leave(ctx: RunContext, row: Replacement) -> None:
    """Both names exist: whoever plays the film by its old name may say when it can go.

    A listener that fails or takes too long changes nothing but the time. Raises JobHandedBack when
    MediaFlow ends meanwhile: the next start waits for the rest (recovery.py).
    """
    started = time.monotonic()
    waited = (timezone.now() - row.published_at).total_seconds() if row.published_at else 0.0
    left = min(max(PUBLISHED_WAIT_S - waited, 0.0), PUBLISHED_WAIT_S)
    for function in hooked("before_original_leaves"):
        deadline_s = left - (time.monotonic() - started)
        if deadline_s <= 0:
            return
        is_there = False
        try:
            is_there = function(row.pk, deadline_s, ctx.is_stopping)
        except Exception:  # another room's code; a dead Plex never fails a job
            log.exception("before_original_leaves of replacement %s", row.pk)
        if ctx.is_stopping() and not is_there:
            reason = "MediaFlow was stopped while both names exist; the swap goes on later."
            raise JobHandedBack("handed_back", reason)


def _take_leave(row: Replacement) -> None:
    """Go on from `published`, unless an undo came first."""
    try:
        advance(row, JournalState.SWAPPING)
    except JournalLost:
        row.refresh_from_db()
        if row.state in {JournalState.UNDOING, JournalState.UNDONE}:
            raise JobSkipped("undone", "It was undone before the original left.") from None
        raise


def _finish(ctx: RunContext, row: Replacement, finish: FinishJob) -> None:
    try:
        finish_swap(ctx, row, finish=finish)
    except JobFailed as failure:
        undo_unverified(row, failure.reason)
        raise JobFailed(failure.reason_code, failure.reason, is_retryable=True) from failure


def _fence(ctx: RunContext) -> Callable[[], None]:
    """Raises LeaseLost once another process holds the job: our effects would cross its own."""

    def check() -> None:
        mine = Job.objects.filter(pk=ctx.job_id, status=JobStatus.RUNNING, lease_token=ctx.token)
        if not retry_on_busy(mine.exists):
            raise LeaseLost("lease_lost", "Another process has taken this job over.")

    return check


@contextmanager
def holding(ctx: RunContext) -> Iterator[None]:
    """The right to work on this job's replacement. Raises JobWaits while another process has it."""
    try:
        with hold_journal(ctx.job_id):
            yield
    except JournalBusy:
        raise JobWaits(
            "journal_busy",
            "Another process is still at work on this film's swap.",
            delay_s=BUSY_WAIT_S,
        ) from None


@contextmanager
def _given_up_on_failure(ctx: RunContext, row: Replacement, folder: bytes) -> Iterator[None]:
    """Before the point of no return whatever goes wrong leaves the film as it was and no part."""
    try:
        yield
    except LeaseLost:
        raise
    except JobOutcome as outcome:
        abandon(row, outcome.reason)
        raise
    except OSError as error:
        abandon(row, str(error))
        raise outcome_of(error, folder) from error
    except NotOurs as error:
        become_stuck(row, f"{error} holds a file that is not ours")
        raise needs_you(row) from error
    except _DATABASE_AWAY as error:
        raise JobWaits(
            "database_busy", f"The database could not be written: {error}.", delay_s=BUSY_WAIT_S
        ) from error


@contextmanager
def explained(row: Replacement) -> Iterator[None]:
    """After the point of no return: what cannot be brought to an end now stays in the journal."""
    try:
        yield
    except (Unfit, NotOurs) as error:
        become_stuck(row, str(error))
        raise needs_you(row) from error
    except OSError as error:
        raise JobWaits(
            "swap_interrupted",
            f"The swap of {display_path(bytes(row.original_raw))} was interrupted"
            f" ({error.strerror or error}). It is brought to its end when the disk is back.",
        ) from error
    except JournalLost as error:
        raise LeaseLost("journal_lost", str(error)) from error
    except _DATABASE_AWAY as error:
        raise JobWaits(
            "database_busy", f"The database could not be written: {error}.", delay_s=BUSY_WAIT_S
        ) from error
