"""S3 to S5 of the swap: nothing of the user's is touched here.

The output is copied beside the film, read back and given the film's attributes, and the film is
compared with what was planned from.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace as with_values
from typing import TYPE_CHECKING, Final

from django.conf import settings

from library.folding import display_path
from library.scanning.marker import marker_matches
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import fs, parent_of
from transcode.encoding.source_check import source_changed
from transcode.models import JournalState
from transcode.outcomes import JobFailed, JobHeld, JobSkipped, JobWaits
from transcode.queue import job_queue
from transcode.replacing.attributes import keep_attributes
from transcode.replacing.film_folder import is_folder_gone
from transcode.replacing.journal import advance
from transcode.replacing.picture import is_beside
from transcode.replacing.snapshot import (
    SourceChange,
    SourceSnapshot,
    compare_snapshots,
    take_source_snapshot,
)
from transcode.trash.place import choose_trash
from transcode.trash.room import check_room

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import Library
    from transcode.models import ProofRecord, Replacement
    from transcode.running.context import RunContext

MOUNT_WAIT_S: Final = 60.0
PART_MADE: Final = declare("replace.part_made", "the part's name is taken")
TRASH_CHOSEN: Final = declare("replace.trash_chosen", "the trash folder was tried")
PART_WRITTEN: Final = declare("replace.part_written", "the part is written and synced")
PART_HASHED: Final = declare("replace.part_hashed", "the part was read back")
ATTRIBUTES: Final = declare("replace.attributes", "the part has the film's attributes")
STAGED: Final = declare("replace.staged", "the journal says staged")


def check_place(ctx: RunContext, library: Library, folder: bytes) -> None:
    """The library is there, and `folder` is on the disk where the film was planned (fault 12).

    An unmounted library leaves a bare folder behind, which can be written: the id file and the
    device tell. Raises JobWaits; JobHeld when a link leads the folder out of the library.
    """
    try:
        is_there = marker_matches(ctx.library_root, library.marker_id)
        device = fs.stat_folder(folder).st_dev
        is_inside = _is_inside(fs.resolve(folder), fs.resolve(ctx.library_root))
    except OSError as error:
        raise _away(ctx.library_root, error.strerror or str(error)) from error
    if not is_there:
        raise _away(ctx.library_root, "its id file .mediaflow/id is not there")
    if not is_inside:
        raise JobHeld(
            "outside_library",
            f"{display_path(folder)} leads out of the library by a symbolic link.",
        )
    if ctx.snapshot.device and device != ctx.snapshot.device:
        raise _away(ctx.library_root, "the film's folder is on another disk than before")


def _is_inside(folder: bytes, root: bytes) -> bool:
    return folder == root or folder.startswith(root.rstrip(b"/") + b"/")


def _away(root: bytes, why: str) -> JobWaits:
    return JobWaits(
        "library_unreachable",
        f"The library at {display_path(root)} cannot be used: {why}. Nothing is written"
        " before it is back; is it mounted?",
        delay_s=MOUNT_WAIT_S,
    )


def check_library(row: Replacement) -> None:
    """Before anything on the disk is judged or removed: the library is mounted. Raises JobWaits.

    On a bare mount point every name is missing, which must not be taken for the end of a step. When
    the library was removed from the list meanwhile, its folder at least must be there. A film's
    folder that is gone from a library that is there is another matter: see `check_film_folder`.
    """
    root, film_folder = bytes(row.root_raw), parent_of(bytes(row.original_raw))
    try:
        is_there = row.library is None or marker_matches(root, row.library.marker_id)
        is_gone = row.library is not None and is_there and is_folder_gone(film_folder)
        for folder in {film_folder, parent_of(bytes(row.part_raw))}:
            if not (is_gone and folder == film_folder):
                fs.stat_folder(folder)
    except OSError as error:
        raise _away(root, error.strerror or str(error)) from error
    if not is_there:
        raise _away(root, "its id file .mediaflow/id is not there")


def check_output_folder(folder: bytes) -> None:
    """For an output that goes elsewhere. Raises JobWaits."""
    try:
        fs.stat_folder(folder)
    except OSError as error:
        raise JobWaits(
            "folder_unreachable",
            f"The folder {display_path(folder)} cannot be reached: {error.strerror}.",
            delay_s=MOUNT_WAIT_S,
        ) from error


def stage(
    ctx: RunContext, row: Replacement, output: Path, proof: ProofRecord, library: Library
) -> None:
    """Copy, prove, dress and compare; ends in journal state `staged`.

    Raises JobOutcome and OSError; the caller then removes the part by the journal.
    """
    part = bytes(row.part_raw)
    check_source(ctx, row, library, output)  # before gigabytes are copied in vain
    _check_room(parent_of(part), proof.output_bytes)
    if not is_beside(row):
        _reserve_trash(row, part)
        check_room(row)
    fs.copy(os.fsencode(output), part, tick=ctx.checkpoint)
    fs.fsync_folder(parent_of(part))
    reach(PART_WRITTEN)
    _check_part(ctx, part, proof)
    reach(PART_HASHED)
    try:
        losses = keep_attributes(bytes(row.original_raw), part, is_owner_needed=not is_beside(row))
    except FileNotFoundError:
        check_source(ctx, row, library, output)  # says whether the film or its disk is gone
        raise
    fs.fsync_file(part)
    reach(ATTRIBUTES)
    snapshot = check_source(ctx, row, library, output)
    advance(
        row,
        JournalState.STAGED,
        output_inode=fs.lstat(part).st_ino,
        source_snapshot=snapshot.to_json(),
        listed_losses=[*row.listed_losses, *losses],
        proof_id=proof.pk,
        is_proof_passed=proof.is_passed,
    )
    reach(STAGED)


def _reserve_trash(row: Replacement, part: bytes) -> None:
    """Find the trash before gigabytes are copied, with an empty file under the part's own name."""
    empty = fs.write_new(part, b"", mode=0o600)
    reach(PART_MADE)
    choose_trash(row)
    reach(TRASH_CHOSEN)
    fs.unlink_own(part, empty.st_ino)


def _check_room(folder: bytes, needed: int) -> None:
    free = fs.free_bytes(folder)
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed, {free:,} are free", folder)


def _check_part(ctx: RunContext, part: bytes, proof: ProofRecord) -> None:
    """The copy, read back from the disk, is what climbed the ladder."""
    found = fs.sha256(part, tick=ctx.checkpoint)
    if (found.sha256, found.stat.st_size) != (proof.output_sha256, proof.output_bytes):
        raise JobFailed(
            "copy_differs",
            "The copy beside the film, read back, is not what was verified: the disk or the work"
            " folder changed it on the way.",
            is_retryable=True,
        )


def check_source(
    ctx: RunContext, row: Replacement, library: Library, output: Path
) -> SourceSnapshot:
    """S5: the film is what the plan was made from. Returns the snapshot as it must be from here on.

    Raises JobFailed (changed: may be tried again; deleted: the output is kept aside), JobSkipped
    (hard links came up), JobWaits (the library went away).
    """
    original, before = bytes(row.original_raw), ctx.snapshot
    try:
        now = take_source_snapshot(original)
    except (FileNotFoundError, NotADirectoryError):
        check_place(ctx, library, parent_of(original))
        raise _source_deleted(ctx, output) from None
    if compare_snapshots(before, now) is SourceChange.CHANGED:
        raise source_changed()
    if now.hard_link_count > 1 and library.hard_link_policy == "skip" and not is_beside(row):
        raise JobSkipped(
            "hard_linked",
            f"The film has {now.hard_link_count} names (hard links); replacing one would free no"
            " space. The library's settings can allow it.",
        )
    known = before.sha256 or row.source_snapshot.get("sha256", "")
    if compare_snapshots(before, now) is SourceChange.CTIME_ONLY or not known:
        found = fs.sha256(original, tick=ctx.checkpoint).sha256
        if known and found != known:
            raise source_changed()
        known = found
    return with_values(now, sha256=known)


def refuse_deleted(ctx: RunContext, library: Library, output: Path) -> None:
    """Fault 19 before a journal is begun. Raises JobFailed; JobWaits when the library is away."""
    check_place(ctx, library, parent_of(ctx.source))
    if fs.lstat_or_none(ctx.source) is None:
        raise _source_deleted(ctx, output)


def _source_deleted(ctx: RunContext, output: Path) -> JobFailed:
    """Fault 19: nothing is published; the finished file is kept for a person to decide."""
    folder = settings.WORK_DIR / "kept"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = folder / f"{ctx.job_uuid}{output.suffix}"
    with suppress(FileExistsError):  # kept by an earlier attempt
        fs.rename_noreplace(os.fsencode(output), os.fsencode(kept))
    job_queue.write_running(ctx.job_id, ctx.token, {"kept_output_raw": os.fsencode(kept)})
    return JobFailed(
        "source_deleted",
        "The film was deleted while it was being encoded, so nothing was put in its place. The"
        f" finished file is kept at {kept}.",
    )
