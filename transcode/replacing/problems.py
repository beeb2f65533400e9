"""What an error of the file system during a replacement means for the job, in plain words."""

from __future__ import annotations

import errno
from typing import Final

from library.folding import display_path
from transcode.outcomes import JobFailed, JobHeld, JobOutcome, JobWaits

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
