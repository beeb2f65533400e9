"""Ways back from an unfinished swap: the film as it was, nothing of ours beside it."""

from __future__ import annotations

import logging
from typing import Final

from django.db import DatabaseError, InterfaceError

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import NotOurs, fs, parent_of
from transcode.models import JournalState, Replacement
from transcode.outcomes import JobWaits
from transcode.replacing.journal import advance
from transcode.replacing.picture import (
    Holds,
    Identity,
    Unfit,
    has_changed_name,
    names_of,
)
from transcode.replacing.stage import check_library
from transcode.replacing.steps import run_back
from transcode.trash.place import remove_sidecar

log = logging.getLogger(__name__)
PART_REMOVED: Final = declare("back.part_removed", "the part is gone, the journal open")
NAMES_BACK: Final = declare("back.names_back", "the names are as before, the journal open")
ABANDONED: Final = declare("back.abandoned", "the journal says abandoned")
UNDOING_UNVERIFIED: Final = declare("back.unverified", "the new file did not pass at its place")
DETAIL_LENGTH: Final = 1000


def abandon(row: Replacement, why: str) -> None:
    """Before the point of no return: remove the part by the journal.

    When even that fails, or the library is not mounted, the journal stays open and recovery does it
    later.
    """
    try:
        check_library(row)
        discard_part(row)
        advance(row, JournalState.ABANDONED, detail=why[:DETAIL_LENGTH])
        reach(ABANDONED)
    except (OSError, NotOurs, JobWaits, DatabaseError, InterfaceError) as error:
        log.warning("replacement %s could not be cleaned up yet: %s", row.pk, error)
    except Unfit as error:
        become_stuck(row, str(error))


def discard_part(row: Replacement) -> None:
    """Remove what `copying` and `staged` may have left. Raises Unfit when the disk says otherwise.

    The part's name is journalled before it is used and never given twice, so what has it is ours;
    but a database restored from a backup may be older than the disk, so the original is looked for.
    """
    names, identity = names_of(row), Identity(row, trust_inodes=False)
    if row.state == JournalState.STAGED:
        picture = identity.take_picture(names)
        if has_changed_name(row, picture) or picture.trash.holds == Holds.ORIGINAL:
            raise Unfit(f"the journal says staged, but {picture}")
    part = identity.look(names.part)
    trash = identity.look(names.trash)
    if Holds.ORIGINAL in {part.holds, trash.holds}:
        raise Unfit("the part's or the trash's name holds the original")
    if trash.holds == Holds.FOREIGN:  # a part may be half-written, a trial in the trash is empty
        raise Unfit("the trash's name holds another file")
    folders = set()
    for path, seen in ((names.part, part), (names.trash, trash)):
        if path and seen.holds != Holds.ABSENT:
            fs.unlink_own(path, seen.inode)
            folders.add(parent_of(path))
    for folder in folders:
        fs.fsync_folder(folder)
    reach(PART_REMOVED)


def roll_back(row: Replacement, why: str, *, trust_inodes: bool = False) -> None:
    """Every name as before, nothing of ours left; ends in `abandoned`. Raises Unfit, OSError."""
    run_back(row, Identity(row, trust_inodes=trust_inodes))
    remove_sidecar(row)
    reach(NAMES_BACK)
    advance(row, JournalState.ABANDONED, detail=why[:DETAIL_LENGTH])
    reach(ABANDONED)


def undo_unverified(row: Replacement, why: str) -> None:
    """The new file is not what was proven (rung 12): the original comes back."""
    advance(row, JournalState.UNDOING, detail=why[:DETAIL_LENGTH])
    reach(UNDOING_UNVERIFIED)
    # By its inode alone: what the disk made of its bytes is what is wrong with it.
    roll_back(row, why, trust_inodes=True)


def become_stuck(row: Replacement, why: str) -> None:
    """Nothing more is touched until a person has looked.

    Raises JobWaits instead when the library is not mounted: what was seen then was not the film.
    """
    check_library(row)
    advance(row, JournalState.STUCK, detail=why[:DETAIL_LENGTH])
    log.error("replacement %s is stuck: %s", row.pk, why)
