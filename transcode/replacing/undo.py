"""Undo: the original comes back from the trash, our output goes, as one journalled step.

    marked      the journal says undoing: whoever tells others of the swap waits from now on
    announced   what others know of the film is noted; after a kill before this it is noted again
    names back  the original is in place, our output is gone
    undone      journal, trash, film, job and outbox, in one transaction

Refused, with a sentence, when the film in place is no longer our output, when the original is not
what was trashed, when something else has the original's name, or while a job is at work on the
film. The output goes away only after the original is in place.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone

from library.folding import display_path
from library.models import FileState, MediaFile
from mediaflow.base.audit import record_audit
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import NotOurs, fs, parent_of
from transcode.models import (
    IN_TRASH,
    Job,
    JournalState,
    OutputMode,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.outcomes import JobWaits
from transcode.queue import job_queue
from transcode.replacing.announce import announce_swap
from transcode.replacing.back import become_stuck
from transcode.replacing.finish import OUTBOX_SWAPPED, tell_others
from transcode.replacing.journal import (
    IllegalStep,
    JournalBusy,
    JournalLost,
    advance,
    durable,
    hold_journal,
    note,
)
from transcode.replacing.picture import Holds, Identity, Unfit, names_of
from transcode.replacing.steps import run_back
from transcode.replacing.undoable import UNDO_BEGINS, is_undo_stuck
from transcode.states import ACTIVE
from transcode.trash.place import remove_sidecar
from transcode.trash.purge import change_trash, is_library_there

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.accounts.models import User
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)

MARKED: Final = declare("undo.marked", "the journal says undoing")
ANNOUNCED: Final = declare("undo.announced", "what others know of the film is noted")
NAMES_BACK: Final = declare("undo.names_back", "the original has its name, our output is gone")
COMMITTED: Final = declare("undo.committed", "the journal says undone")
OUTBOX_RESTORED: Final = "file_restored"
NOTHING_REPLACED: Final = "This job has replaced nothing."


@dataclass(frozen=True, slots=True)
class UndoResult:
    """`reason` is a sentence for people when `ok` is False."""

    job_id: int
    ok: bool
    reason: str = ""
    file: str = ""


class _Refused(Exception):
    """Nothing was touched; the text says why."""


def undo_job(
    job_id: int, *, actor: User | None, tick: Callable[[], None] = lambda: None
) -> UndoResult:
    """Put the original of one job back. Reads both films from their disk: seconds to minutes.

    `tick` is called while reading and may raise; nothing has been touched then. Repeated after a
    crash it goes on where it was.
    """
    row = Replacement.objects.filter(job_id=job_id).select_related("library", "job", "file").first()
    if row is None:
        return UndoResult(job_id, False, NOTHING_REPLACED)
    file = display_path(bytes(row.original_raw))
    try:
        with hold_journal(job_id):
            _undo(row, actor, tick)
        # Undone while both names existed: a job that waits has nothing left to do.
        why = "Undone before the original left."
        retry_on_busy(lambda: job_queue.cancel_waiting(job_id, reason=why))
    except _Refused as refusal:
        return UndoResult(job_id, False, str(refusal), file)
    except JournalBusy:
        return UndoResult(job_id, False, "Another process is at work on this film.", file)
    except JournalLost:
        text = "Another process went on with this film meanwhile; look at it again, then undo."
        return UndoResult(job_id, False, text, file)
    except IllegalStep as error:
        log.exception("undo of job %s", job_id)
        text = f"Its journal has no such step ({error}); nothing more was touched."
        return UndoResult(job_id, False, text, file)
    except OSError as error:
        return UndoResult(job_id, False, _interrupted(row, error), file)
    return UndoResult(job_id, True, "", file)


def _undo(row: Replacement, actor: User | None, tick: Callable[[], None]) -> None:
    """The steps, each repeatable. Raises _Refused, JournalLost, OSError."""
    row.refresh_from_db()
    if is_undo_stuck(row):
        advance(row, JournalState.UNDOING)  # a person has looked and asks again
    if row.state != JournalState.UNDOING:
        _check(row, tick)
        retry_on_busy(lambda: _mark(row, actor))
        reach(MARKED)
    _announce(row)
    _bring_back(row)
    reach(NAMES_BACK)
    retry_on_busy(lambda: _write_undone(row, actor))
    reach(COMMITTED)


def _interrupted(row: Replacement, error: OSError) -> str:
    why = error.strerror or error
    if row.state == JournalState.UNDOING:
        return f"It was interrupted ({why}) and goes on by itself."
    return f"It could not begin ({why}), and nothing was touched; try again later."


def _check(row: Replacement, tick: Callable[[], None]) -> None:
    if row.mode != OutputMode.REPLACE:
        raise _Refused("The original was never replaced: the output lies beside it.")
    if row.state == JournalState.UNDONE:
        raise _Refused("It was undone already.")
    if row.state == JournalState.ABANDONED:
        raise _Refused(NOTHING_REPLACED)
    if row.state not in UNDO_BEGINS:
        raise _Refused(f"The swap has no end yet ({row.get_state_display().lower()}).")
    if not is_library_there(row):
        raise _Refused("The library is not there; is it mounted?")
    _check_trash(row)
    try:
        _check_disk(row, tick)
    except OSError as error:
        raise _Refused(f"The films cannot be read: {error.strerror or error}.") from error


def _check_trash(row: Replacement) -> None:
    if row.state != JournalState.DONE:
        return
    entry = TrashEntry.objects.filter(replacement=row).first()
    if entry is None:
        raise _Refused("The original is not in the trash.")
    if entry.state not in IN_TRASH:
        raise _Refused(f"The original is gone: {entry.get_state_display().lower()}.")


def _check_disk(row: Replacement, tick: Callable[[], None]) -> None:
    """Both films by their bytes, not by what stat says: one of them is going to be removed."""
    names, identity = names_of(row), Identity(row, trust_inodes=False)
    has_left = row.state == JournalState.DONE
    if has_left and not names.is_same_name and fs.lstat_or_none(names.original) is not None:
        raise _Refused(
            f"Something else is at {display_path(names.original)} now; nothing was touched."
        )
    keeper = names.trash if has_left else names.original
    if keeper is None or identity.look(keeper).holds == Holds.ABSENT:
        raise _Refused("The original is gone.")
    if fs.lstat_or_none(names.final) is None:
        raise _Refused(
            f"Nothing is at {display_path(names.final)} any more; the original lies at"
            f" {display_path(keeper)}."
        )
    if fs.sha256(names.final, tick=tick).sha256 != row.output_sha256:
        raise _Refused("The film in place is no longer the one that MediaFlow made; it stays.")
    if fs.sha256(keeper, tick=tick).sha256 != row.source_snapshot["sha256"]:
        raise _Refused("The file in the trash is not the original that was trashed.")


def _mark(row: Replacement, actor: User | None) -> None:
    """The journal says undoing, unless a job is at work on the film."""
    state = row.state
    try:
        with durable(), transaction.atomic():
            others = Job.objects.filter(file_id=row.file_id, status__in=ACTIVE)
            if row.file_id is not None and others.exclude(pk=row.job_id).exists():
                raise _Refused("Another job of this film is waiting or running; cancel it first.")
            # While both names exist, what was noted before the swap is still how others know it.
            is_known = state == JournalState.PUBLISHED
            advance(row, JournalState.UNDOING, is_undo_announced=is_known)
            _stop_purge(row)
            Job.objects.filter(pk=row.job_id).update(undone_by_id=actor.pk if actor else None)
            if state == JournalState.PUBLISHED:
                job_queue.ask_to_cancel(row.job_id)
    except JournalLost:
        raise _Refused("The swap went on meanwhile; try again when it is done.") from None
    except BaseException:
        row.state = state
        raise


def _announce(row: Replacement) -> None:
    """Once, before a name changes; a kill before it is on record announces it once more."""
    if row.is_undo_announced:
        return
    announce_swap(row)
    note(row, is_undo_announced=True)
    reach(ANNOUNCED)


def _stop_purge(row: Replacement) -> None:
    """A purge that was cut short before its effect must not be resumed (fault 55)."""
    entry = TrashEntry.objects.filter(replacement=row, state=TrashState.PURGING).first()
    if entry is not None:
        change_trash(entry, TrashState.KEPT)


def _bring_back(row: Replacement) -> None:
    try:
        run_back(row, Identity(row, trust_inodes=False))
        for path in {bytes(row.original_raw), bytes(row.final_raw), bytes(row.trash_raw or b"")}:
            if path:
                fs.fsync_folder(parent_of(path))
        remove_sidecar(row)
    except (Unfit, NotOurs) as error:
        _ask_a_person(row, str(error))
        raise _Refused(
            f"What lies on the disk fits no step: {error}. Nothing more was touched."
        ) from error
    except FileExistsError as error:
        _unmark(row, error)
        raise _Refused(
            "Something new came under the original's name; nothing was touched."
        ) from error
    except OSError as error:
        raise _Refused(_interrupted(row, error)) from error


def _ask_a_person(row: Replacement, why: str) -> None:
    try:
        become_stuck(row, why)
    except JobWaits as outcome:
        raise _Refused(f"It was interrupted and goes on by itself: {outcome.reason}") from None


def _unmark(row: Replacement, error: FileExistsError) -> None:
    """As before, when nothing has changed on the disk yet; else a person must look."""
    final = Identity(row, trust_inodes=False).look(bytes(row.final_raw))
    if final.holds != Holds.OUTPUT:
        _ask_a_person(row, f"something came between: {error}")
        raise _Refused(
            f"Something new came to {display_path(bytes(row.original_raw))} while the original was"
            " on its way back; it stays. Move it elsewhere, then undo again."
        ) from error
    had_trash = TrashEntry.objects.filter(replacement=row).exists()
    with durable(), transaction.atomic():
        if had_trash:  # what was still to be told of the swap begins anew
            tell_others(row, OUTBOX_SWAPPED)
        advance(row, JournalState.DONE if had_trash else JournalState.PUBLISHED)


def _write_undone(row: Replacement, actor: User | None) -> None:
    """One transaction: journal, trash, film, job, outbox, audit."""
    row.state = JournalState.UNDOING  # a transaction that was rolled back has moved it
    with durable(), transaction.atomic():
        row.refresh_from_db(fields=["file", "library"])
        entry = TrashEntry.objects.filter(replacement=row).first()
        if entry is not None and entry.state == TrashState.KEPT:
            change_trash(entry, TrashState.RESTORED, ended_at=timezone.now())
        _restore_file(row)
        Job.objects.filter(pk=row.job_id).update(undone_at=timezone.now())
        tell_others(row, OUTBOX_RESTORED)
        record_audit(
            "film.undo",
            actor=actor,
            subject=display_path(bytes(row.original_raw)),
            detail=f"job {row.job_id}",
        )
        advance(row, JournalState.UNDONE)


def _restore_file(row: Replacement) -> None:
    from library.file_records import restore_record

    if row.file_id is None:
        return
    reason = "Put back; it is left alone from now on."
    if row.previous_file:
        restore_record(row.file_id, row.previous_file, state=FileState.IGNORED, state_reason=reason)
    else:  # undone while both names existed: the row never named the new one
        MediaFile.objects.filter(pk=row.file_id).update(
            state=FileState.IGNORED, state_reason=reason
        )


def finish_open_undos() -> int:
    """Bring undos that were cut short to their end, at start and with the sweeps. Returns how many.

    Journals of jobs that have not ended belong to their runner (transcode/replacing/recovery.py).
    """
    rows = Replacement.objects.filter(state=JournalState.UNDOING).exclude(job__status__in=ACTIVE)
    return sum(_finish_undo(job_id) for job_id in list(rows.values_list("job_id", flat=True)))


def _finish_undo(job_id: int) -> bool:
    """One that fails keeps none of the others from their end; it is tried again with the next."""
    try:
        return undo_job(job_id, actor=None).ok
    except Exception:  # the edge of the periodic task: logged, and the row stays as it is
        log.exception("undo of job %s", job_id)
        return False


def run_undo_operation(context: OperationContext) -> None:
    """Handler of operations of kind `undo`: args {"job_ids": [...]}. After a crash it goes on."""
    from mediaflow.base.models import Operation

    operation = Operation.objects.select_related("requested_by").get(pk=context.operation_id)
    undone: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    job_ids = [int(pk) for pk in context.args["job_ids"]]
    for number, job_id in enumerate(job_ids):
        context.checkpoint()
        result = undo_job(job_id, actor=operation.requested_by, tick=context.checkpoint)
        if result.ok or _was_undone_since(job_id, operation):
            undone.append({"id": job_id, "file": result.file})
        else:
            refused.append({"id": job_id, "file": result.file, "reason": result.reason})
        context.report(number + 1, len(job_ids), result.file)
    context.set_result({"undone": undone, "refused": refused})


def _was_undone_since(job_id: int, operation: Any) -> bool:
    """By an earlier try of this same operation, before it was cut short."""
    return Job.objects.filter(pk=job_id, undone_at__gte=operation.created_at).exists()
