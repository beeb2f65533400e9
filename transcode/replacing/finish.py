"""S8 of the swap: the new file is read back, and one transaction says that it is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from django.db import transaction

from library.file_records import read_facts, record_swapped
from library.folding import display_path
from library.media_info import MediaInfo
from library.models import FileState
from mediaflow.base.audit import record_audit
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import fs, parent_of
from mediaflow.base.hooks import hooked
from mediaflow.base.settings_store import get_setting
from transcode.models import JobStatus, JournalState, OutboxEntry, TrashEntry
from transcode.outcomes import LeaseLost
from transcode.queue import job_queue
from transcode.replacing.journal import advance, durable
from transcode.replacing.picture import Unfit, is_beside, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from library.file_records import FileFacts
    from transcode.models import Replacement
    from transcode.running.context import RunContext

FOLDERS_SYNCED: Final = declare("replace.folders_synced", "all names last")
REPROBED: Final = declare("replace.reprobed", "the new file was read back at its place")
COMMITTED: Final = declare("replace.committed", "journal, film, job and outbox are written")
OUTBOX_SWAPPED: Final = "file_swapped"


class FinishJob(Protocol):
    """`job_queue.finish_job`, or what stands for it in a test."""

    def __call__(
        self, job_id: int, *, token: str, status: str, updates: Mapping[str, Any] | None = None
    ) -> bool: ...


def finish_swap(
    ctx: RunContext, row: Replacement, *, finish: FinishJob = job_queue.finish_job
) -> None:
    """All names are in place: prove it once more and write it down. Idempotent until it commits.

    Raises JobFailed when the new file is not what was proven, LeaseLost, OSError.
    """
    from transcode.verify import check_swapped

    names = names_of(row)
    for path in (names.trash, names.original, names.final):
        if path is not None:
            fs.fsync_folder(parent_of(path))
    reach(FOLDERS_SYNCED)
    if row.proof is None:
        raise Unfit("the journal has no proof")
    check_swapped(names.final, row.proof)
    facts = read_facts(names.final)  # read now, for no transaction waits for a disk
    reach(REPROBED)
    state = row.state

    def write() -> None:
        row.state = state  # a transaction that was rolled back has moved it
        with durable(), transaction.atomic():
            _write_done(ctx, row, facts, finish)

    retry_on_busy(write)
    reach(COMMITTED)


def _write_done(ctx: RunContext, row: Replacement, facts: FileFacts, finish: FinishJob) -> None:
    row.refresh_from_db(fields=["file", "library"])  # a library may have gone meanwhile
    if not is_beside(row):
        row.previous_file = _record_file(row, facts)
        _record_trash(row)
        tell_others(row, OUTBOX_SWAPPED)
    advance(row, JournalState.DONE, previous_file=row.previous_file)
    final = display_path(bytes(row.final_raw))
    record_audit(
        "film.replace" if not is_beside(row) else "film.write_beside",
        subject=final,
        detail=f"job {ctx.job_id}, {row.output_bytes} bytes",
    )
    updates = {"output_path": final, "output_bytes": row.output_bytes}
    if not finish(ctx.job_id, token=ctx.token, status=JobStatus.COMPLETED, updates=updates):
        raise LeaseLost("lease_lost", "Another process has taken this job over.")


def _record_file(row: Replacement, facts: FileFacts) -> dict[str, Any]:
    """The same MediaFile row says what is there now. {} when the film was taken off the list."""
    if row.file_id is None or row.proof is None:
        return {}
    root = bytes(row.root_raw).rstrip(b"/") + b"/"
    return record_swapped(
        row.file_id,
        path_rel=bytes(row.final_raw).removeprefix(root),
        info=MediaInfo.from_json(row.proof.streams_after),
        state=FileState.COMPLETED,
        facts=facts,
    )


def _record_trash(row: Replacement) -> None:
    snapshot = row.source_snapshot
    TrashEntry.objects.create(
        replacement=row,
        path_raw=row.trash_raw,
        size_bytes=snapshot["size_bytes"],
        sha256=snapshot["sha256"],
        inode=snapshot["inode"],
        mtime_ns=snapshot["mtime_ns"],
        retention_days=get_setting("trash_retention_days"),
    )


def tell_others(row: Replacement, kind: str) -> None:
    """An outbox row in the caller's transaction, and the hook once it has committed."""
    OutboxEntry.objects.create(
        kind=kind,
        job_id=row.job_id,
        payload={
            "replacement": row.pk,
            "library": row.library_id,
            "file": row.file_id,
            "original": display_path(bytes(row.original_raw)),
            "final": display_path(bytes(row.final_raw)),
        },
    )
    for function in hooked("file_swapped"):
        # Robust: what a listener does wrong is logged and changes nothing about the swap.
        transaction.on_commit(partial(function, row.pk), robust=True)
