"""What an error of the file system or a stuck journal means for the job, in plain words."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from transcode.models import JournalState
from transcode.outcomes import JobFailed, JobHeld, JobOutcome, JobWaits
from transcode.replacing.picture import is_beside

if TYPE_CHECKING:
    from transcode.models import Replacement

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
FULL_DELAY_S: Final = 300
AWAY_DELAY_S: Final = 60


def outcome_of(error: OSError, folder: bytes) -> JobOutcome:
    """The job's end or pause for an error met in `folder` while the film is as it was."""
    place = display_path(folder)
    detail = error.strerror or str(error)
    if error.errno in FULL:
        return JobWaits(
            "disk_full",
            f"The disk of {place} is full ({detail}). Free some space; the job goes on by itself.",
            delay_s=FULL_DELAY_S,
        )
    if error.errno in DENIED:
        return JobHeld(
            "no_permission",
            f"MediaFlow may not write in {place} ({detail}). Give it the right to, then retry.",
        )
    if error.errno == errno.EROFS:
        return JobHeld("read_only", f"{place} can only be read. Mount it writable, then retry.")
    if error.errno == errno.EFBIG:
        return JobHeld("file_too_big", f"The disk of {place} takes no file of this size.")
    if error.errno == errno.ENAMETOOLONG:
        return JobFailed("name_too_long", f"A path in {place} would be longer than the disk takes.")
    if isinstance(error, FileExistsError):
        return JobHeld("no_free_name", f"No free name for the new file in {place}: {error}.")
    return JobWaits(
        "library_unreachable",
        f"{place} cannot be reached ({detail}). The job goes on when it is back.",
        delay_s=AWAY_DELAY_S,
    )


def needs_you(row: Replacement) -> JobHeld:
    """What a stuck journal means for its job."""
    return JobHeld(
        "swap_stuck",
        f"What lies at {display_path(bytes(row.original_raw))} fits no step of its swap:"
        f" {row.detail}. {_what_has_changed(row)} Nothing more is touched: look at the files, put"
        " them right, then let the job go on.",
    )


def _what_has_changed(row: Replacement) -> str:
    if row.stuck_from in {JournalState.COPYING, JournalState.STAGED}:
        return "The journal says that the swap had not begun."
    if is_beside(row) or not row.trash_raw:
        return "The swap had begun, so the new file may have its name already."
    place = display_path(bytes(row.trash_raw))
    if place in row.detail:  # once is enough: paths are long, and the sentence has an end
        return "The swap had begun: names may have changed."
    return f"The swap had begun: names may have changed, and the original may lie at {place}."
