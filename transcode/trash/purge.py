"""The end of one trashed original: only after its replacement has passed again.

Journalled like the swap: `purging` is committed before the file goes, and a purge that was cut
short is brought to its end by `resume_purges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone

from library.folding import display_path
from library.probing.probe import ProbeProblem
from library.scanning.marker import marker_matches
from mediaflow.base.audit import record_audit
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import NotOurs, fs, join, parent_of
from transcode.models import JournalState, Replacement, TrashEntry, TrashState
from transcode.replacing.journal import JournalBusy, durable, hold_journal
from transcode.trash.place import is_gone_from_trash, remove_sidecar

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

MARKED: Final = declare("purge.marked", "the row says purging")
UNLINKED: Final = declare("purge.unlinked", "the original is gone from the trash")
PURGED: Final = declare("purge.committed", "the row says purged")
MAX_CHAIN: Final = 20  # a film that was optimised again and again
_ALLOWED: Final = {
    TrashState.KEPT: {TrashState.PURGING, TrashState.RESTORED, TrashState.LOST},
    TrashState.PURGING: {TrashState.PURGED, TrashState.KEPT},
    TrashState.LOST: {TrashState.KEPT},
}


@dataclass(frozen=True, slots=True)
class PurgeResult:
    ok: bool
    reason: str = ""
    freed_bytes: int = 0


def change_trash(entry: TrashEntry, to_state: str, **values: Any) -> bool:
    """Move an entry on, durably, if it is still in the state of `entry`. True when it was.

    Raises KeyError for a step that does not exist.
    """
    if to_state not in _ALLOWED[TrashState(entry.state)]:
        raise KeyError(f"trash {entry.pk}: {entry.state} -> {to_state}")
    rows = TrashEntry.objects.filter(pk=entry.pk, state=entry.state)

    def write() -> int:
        with durable():
            return rows.update(state=to_state, **values)

    if not retry_on_busy(write):
        return False
    entry.state = to_state
    return True


def purge_entry(
    entry_id: int, *, actor: User | None = None, is_forced: bool = False
) -> PurgeResult:
    """Remove one original for good.

    Refuses with a sentence when its replacement does not pass again; an admin may force that. What
    lies there and is not the original is never removed.
    """
    entry = TrashEntry.objects.select_related("replacement__library", "replacement__job").get(
        pk=entry_id
    )
    try:
        with hold_journal(entry.replacement.job_id):
            entry.refresh_from_db()
            if entry.state != TrashState.KEPT:
                return PurgeResult(False, f"It is not in the trash any more ({entry.state}).")
            reason = why_kept(entry, is_forced=is_forced)
            if reason:
                TrashEntry.objects.filter(pk=entry.pk).update(kept_reason=reason[:300])
                return PurgeResult(False, reason)
            if not change_trash(entry, TrashState.PURGING, is_forced=is_forced):
                return PurgeResult(False, "Somebody else was faster.")
            reach(MARKED)
            return _finish_purge(entry, actor)
    except JournalBusy:
        return PurgeResult(False, "Another process is at work on this film.")


def resume_purges() -> list[PurgeResult]:
    """Bring purges that were cut short to their end. Returns those that freed their bytes.

    As much may have happened since, a film that is still there must pass like any other.
    """
    done = []
    entries = TrashEntry.objects.filter(state=TrashState.PURGING)
    for entry in entries.select_related("replacement__library", "replacement__job"):
        if not is_library_there(entry.replacement):
            continue
        try:
            with hold_journal(entry.replacement.job_id):
                entry.refresh_from_db()
                if entry.state == TrashState.PURGING:
                    done.append(_resume(entry))
        except JournalBusy:
            continue
    return [result for result in done if result.ok]


def _resume(entry: TrashEntry) -> PurgeResult:
    try:
        is_gone = is_gone_from_trash(bytes(entry.path_raw))
    except OSError as error:
        return PurgeResult(False, f"It could not be looked at: {error.strerror or error}.")
    reason = "" if is_gone else why_kept(entry, is_forced=entry.is_forced)
    if reason:
        change_trash(entry, TrashState.KEPT, kept_reason=reason[:300])
        return PurgeResult(False, reason)
    return _finish_purge(entry, None)


def _finish_purge(entry: TrashEntry, actor: User | None) -> PurgeResult:
    path = bytes(entry.path_raw)
    try:
        found = fs.lstat_or_none(path)
        if found is not None:
            if not _is_original(entry):
                raise NotOurs(display_path(path))
            fs.unlink_own(path, found.st_ino)
        reach(UNLINKED)
        remove_sidecar(entry.replacement)
        fs.fsync_folder(parent_of(path))
    except (OSError, NotOurs) as error:
        return _stopped(entry, error)
    with durable(), transaction.atomic():
        change_trash(entry, TrashState.PURGED, ended_at=timezone.now(), kept_reason="")
        record_audit(
            "film.purge",
            actor=actor,
            subject=display_path(bytes(entry.replacement.original_raw)),
            detail=f"{entry.size_bytes} bytes",
        )
    reach(PURGED)
    return PurgeResult(True, freed_bytes=entry.size_bytes)


def _stopped(entry: TrashEntry, error: Exception) -> PurgeResult:
    """Kept, unless the original has gone already: such a purge is resumed, and nothing was lost."""
    try:
        is_there = fs.lstat_or_none(bytes(entry.path_raw)) is not None
    except OSError:
        is_there = False
    if not is_there:
        return PurgeResult(False, f"The purge was interrupted ({error}) and goes on by itself.")
    text = f"It could not be removed: {error}."
    change_trash(entry, TrashState.KEPT, kept_reason=text[:300])
    return PurgeResult(False, text)


def mark_lost(entry: TrashEntry) -> bool:
    """The file is gone from the trash although its library is there."""
    return change_trash(entry, TrashState.LOST, ended_at=timezone.now())


def find_again(entry: TrashEntry) -> bool:
    """A lost original that lies in the trash again, with its size, time and bytes, is kept."""
    row = entry.replacement
    if row.state != JournalState.DONE or not is_library_there(row):
        return False
    try:
        found = fs.lstat_or_none(bytes(entry.path_raw))
        is_same = found is not None and found.st_mtime_ns == entry.mtime_ns and _is_original(entry)
    except OSError:
        return False
    return is_same and change_trash(entry, TrashState.KEPT, ended_at=None, kept_reason="")


def is_library_there(row: Replacement) -> bool:
    """The library's marker can be read; False while it is not mounted or was removed."""
    if row.library is None:
        return False
    try:
        return marker_matches(bytes(row.root_raw), row.library.marker_id)
    except OSError:
        return False


def why_kept(entry: TrashEntry, *, is_forced: bool = False) -> str:
    """Why this original must stay, as a sentence; "" when it may go. Reads the film's bytes."""
    row = entry.replacement
    if row.state != JournalState.DONE:
        return f"Its swap has no end yet ({row.state})."
    if not is_library_there(row):
        return "Its library is not there."
    try:
        if not _is_original(entry):
            return "What lies in the trash is not what was trashed."
        return "" if is_forced else _why_not_proven(row)
    except OSError as error:
        return f"It could not be looked at: {error.strerror or error}."


def _is_original(entry: TrashEntry) -> bool:
    path = bytes(entry.path_raw)
    found = fs.lstat(path)
    if found.st_size != entry.size_bytes:
        return False
    if (found.st_ino, found.st_mtime_ns) == (entry.inode, entry.mtime_ns):
        return True
    return fs.sha256(path).sha256 == entry.sha256  # inodes change on a remount


def _why_not_proven(row: Replacement) -> str:
    """The film in place is the verified one, or one that was verified against it later."""
    current = row
    for _ in range(MAX_CHAIN):
        problem = _why_not_in_place(current)
        if not problem:
            return ""
        later = Replacement.objects.filter(
            file_id=current.file_id,
            state=JournalState.DONE,
            source_snapshot__sha256=current.output_sha256,
            pk__gt=current.pk,
        ).first()
        if later is None or current.file_id is None:
            return problem
        current = later
    return "It was replaced too many times."


def _why_not_in_place(row: Replacement) -> str:
    from library.probing.pool import probe_in_worker

    for path in _places(row):
        found = fs.lstat_or_none(path)
        if found is None or found.st_size != row.output_bytes:
            continue
        if fs.sha256(path).sha256 != row.output_sha256:
            continue
        try:
            probe_in_worker(path)
        except ProbeProblem as problem:
            return f"The optimised film cannot be opened: {problem.text}"
        return ""
    return "The optimised film is gone or was changed by others; purge by hand if you want to."


def _places(row: Replacement) -> list[bytes]:
    """Where the film was put, and where a scan has seen it since (people rename films)."""
    places = [bytes(row.final_raw)]
    if row.file is not None and row.library is not None:
        now = join(bytes(row.library.root_raw), bytes(row.file.path_raw))
        places += [now] if now not in places else []
    return places
