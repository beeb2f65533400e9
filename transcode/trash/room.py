"""Room in the trash: whether one more original fits under its size limit on its file system.

Where it does not, the queue pauses. The pause names the job that found no room, and lasts until the
original of that job would fit by the same rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.folding import display_path
from mediaflow.base.fs import fs, parent_of
from mediaflow.base.settings_store import get_setting
from transcode.models import IN_TRASH, Replacement, TrashEntry, TrashState
from transcode.outcomes import JobHeld, JobWaits
from transcode.queue.pause import PausedBy, pause_for_trash, read_pause, resume_from_trash
from transcode.states import ACTIVE
from transcode.trash.purge import is_library_there, purge_entry

if TYPE_CHECKING:
    from collections.abc import Callable

FULL_WAIT_S: Final = 600.0
OLDEST_FIRST: Final = "oldest_first"


def check_room(row: Replacement) -> None:
    """`make_room` before there is anything to swap in: what it would purge stays until then.

    Raises as it does.
    """
    _ask_for_room(row, lambda device, _needed, _limit: _may_purge(device))


def make_room(row: Replacement) -> None:
    """Before a swap: its original must fit under the size limit of the trash, per file system.

    Raises JobWaits after pausing the queue, or JobHeld when the film alone is over the limit.
    Nothing is purged early unless the admin chose "oldest first".
    """
    _ask_for_room(row, _purge_oldest)


def _ask_for_room(row: Replacement, is_made: Callable[[int, int, int], bool]) -> None:
    limit = get_setting("trash_cap_bytes")
    if not limit or not row.trash_raw:
        return
    needed = _needed_bytes(row)
    if needed > limit:
        raise JobHeld(
            "trash_too_small",
            f"The original has {needed:,} bytes, the trash may hold {limit:,}. Raise the limit in"
            " the settings.",
        )
    device = _device_of(row)
    if _fits(device, needed, limit) or is_made(device, needed, limit):
        return
    folder = display_path(parent_of(bytes(row.trash_raw)))
    reason = f"The trash is full ({limit:,} bytes at {folder})."
    pause_for_trash(reason, job_id=row.job_id)
    text = f"{reason} Purge originals or raise the limit."
    raise JobWaits("trash_full", text, delay_s=FULL_WAIT_S)


def end_pause_with_room() -> bool:
    """End a pause of the trash once the original that found no room would fit. True when ended."""
    pause = read_pause()
    if not pause.is_paused or pause.by is not PausedBy.TRASH:
        return False
    return _has_room_for(pause.job_id) and resume_from_trash(job_id=pause.job_id)


def _has_room_for(job_id: int | None) -> bool:
    """Also when the job waits for no room any more: it is over, or asks a person at its turn."""
    limit = get_setting("trash_cap_bytes")
    row = Replacement.objects.filter(job_id=job_id or 0, job__status__in=ACTIVE).first()
    if not limit or row is None or not row.trash_raw or _needed_bytes(row) > limit:
        return True
    if row.library_id is None or row.file_id is None:  # removed since: its turn ends it
        return True
    try:
        device = _device_of(row)
    except FileNotFoundError:
        return is_library_there(row)  # somebody emptied the trash by hand, with its folder
    except OSError:
        return False  # its disk is away: nobody can tell
    return _fits(device, _needed_bytes(row), limit) or _may_purge(device)


def _needed_bytes(row: Replacement) -> int:
    return int(row.source_snapshot["size_bytes"])


def _device_of(row: Replacement) -> int:
    return fs.stat_folder(parent_of(bytes(row.trash_raw or b""))).st_dev


def _fits(device: int, needed: int, limit: int) -> bool:
    return sum(entry.size_bytes for entry in _entries_on(device)) + needed <= limit


def _entries_on(device: int) -> list[TrashEntry]:
    """What lies in the trash of one file system, the oldest first."""
    found, known = [], {}
    for entry in TrashEntry.objects.filter(state__in=IN_TRASH).order_by("trashed_at"):
        folder = parent_of(bytes(entry.path_raw))
        if folder not in known:
            try:
                known[folder] = fs.stat_folder(folder).st_dev
            except OSError:
                known[folder] = -1
        if known[folder] == device:
            found.append(entry)
    return found


def _purge_oldest(device: int, needed: int, limit: int) -> bool:
    if get_setting("trash_cap_policy") != OLDEST_FIRST:
        return False
    for entry in _entries_on(device):
        purge_entry(entry.pk)
        if _fits(device, needed, limit):
            return True
    return False


def _may_purge(device: int) -> bool:
    """By "oldest first", and there is an original whose purge was not refused yet.

    It goes when the job asks for room once more, and only as far as that needs.
    """
    if get_setting("trash_cap_policy") != OLDEST_FIRST:
        return False
    kept = (entry for entry in _entries_on(device) if entry.state == TrashState.KEPT)
    return any(not entry.kept_reason for entry in kept)
