"""`doctor --library`: every file, trash entry and journal against what lies on the disks.

Looks only; `mediaflow.recovery.reconcile` draws the conclusions after a restore.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from library.models import Availability, Library, MediaFile
from library.scanning.identity import content_fingerprint
from library.scanning.marker import marker_matches
from mediaflow.base.fs import join
from mediaflow.base.patience import answer_within
from mediaflow.diagnostics.findings import Check
from transcode.models import IN_TRASH, JournalState, Replacement, TrashEntry, TrashState
from transcode.replacing.picture import Holds, Identity, Unfit, names_of, next_forward
from transcode.trash.place import is_gone_from_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MTIME_TOLERANCE_NS: Final = 2 * 10**9
ROOT_TIMEOUT_S: Final = 10.0
SHOWN: Final = 5  # examples named in a check's detail
MEDIAFLOW_FOLDER: Final = b".mediaflow"
TRASH_FOLDER: Final = b"trash"
OPEN_STATES: Final = (
    JournalState.COPYING,
    JournalState.STAGED,
    JournalState.SWAPPING,
    JournalState.PUBLISHED,
    JournalState.UNDOING,
    JournalState.STUCK,
)


@dataclass(slots=True)
class LibraryReport:
    """What was found in one library. Paths are text for people."""

    library: Library
    unreachable: str = ""
    files: int = 0
    missing: list[str] = field(default_factory=list)
    missing_ids: list[int] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)  # `.mf-*.part` that no journal names
    unknown_trash: list[str] = field(default_factory=list)
    lost_trash: list[TrashEntry] = field(default_factory=list)
    doubtful_trash: list[str] = field(default_factory=list)  # changed, or not to be looked at
    unfit_journals: list[tuple[Replacement, str]] = field(default_factory=list)
    trash_entries: int = 0
    journals: int = 0

    @property
    def is_clean(self) -> bool:
        return not any(
            (
                self.unreachable,
                self.missing,
                self.changed,
                self.unreadable,
                self.leftovers,
                self.unknown_trash,
                self.lost_trash,
                self.doubtful_trash,
                self.unfit_journals,
            )
        )


def compare_library(
    library: Library, *, checkpoint: Callable[[], None] = lambda: None
) -> LibraryReport:
    """Read everything of one library. Files whose size and time fit are not opened."""
    report = LibraryReport(library)
    root, marker_id = bytes(library.root_raw), library.marker_id
    try:
        if not answer_within(ROOT_TIMEOUT_S, lambda: marker_matches(root, marker_id)):
            report.unreachable = "the marker of this library is not there"
    except OSError as error:
        report.unreachable = error.strerror or str(error)
    if report.unreachable:
        return report
    _compare_files(report, root, checkpoint)
    _compare_trash(report, checkpoint)
    _compare_journals(report, checkpoint)
    _look_for_strangers(report, root, checkpoint)
    return report


def _compare_files(report: LibraryReport, root: bytes, checkpoint: Callable[[], None]) -> None:
    rows = MediaFile.objects.filter(
        library=report.library, availability=Availability.PRESENT, removed_from_list_at=None
    ).only("path_raw", "path", "size_bytes", "mtime_ns", "content_fingerprint", "kind")
    for row in rows.iterator(chunk_size=2000):
        checkpoint()
        report.files += 1
        path = join(root, bytes(row.path_raw))
        try:
            found = os.stat(path)  # noqa: PTH116  # a path of bytes
            if stat.S_ISDIR(found.st_mode):
                continue  # a disc folder
            if not _is_unchanged(row, found, path):
                report.changed.append(row.path)
        except FileNotFoundError:
            report.missing.append(row.path)
            report.missing_ids.append(row.pk)
        except OSError as error:
            report.unreadable.append(f"{row.path} ({error.strerror})")


def _is_unchanged(row: MediaFile, found: os.stat_result, path: bytes) -> bool:
    if found.st_size != row.size_bytes:
        return False
    if abs(found.st_mtime_ns - row.mtime_ns) <= MTIME_TOLERANCE_NS:
        return True
    # Touched, or put back by another tool: the content decides.
    return not row.content_fingerprint or content_fingerprint(path) == row.content_fingerprint


def _compare_trash(report: LibraryReport, checkpoint: Callable[[], None]) -> None:
    rows = TrashEntry.objects.filter(
        replacement__library=report.library, state__in=IN_TRASH
    ).select_related("replacement")
    for entry in rows.iterator(chunk_size=500):
        checkpoint()
        report.trash_entries += 1
        path = bytes(entry.path_raw)
        try:
            if is_gone_from_trash(path):
                report.lost_trash.append(entry)
            elif os.lstat(path).st_size != entry.size_bytes:
                report.doubtful_trash.append(f"{display_path(path)} (changed)")
        except OSError as error:
            report.doubtful_trash.append(f"{display_path(path)} ({error.strerror})")


def _compare_journals(report: LibraryReport, checkpoint: Callable[[], None]) -> None:
    """Open journals: does what lies there fit a step, so that recovery can finish it?"""
    rows = Replacement.objects.filter(library=report.library)
    for row in rows.filter(state__in=OPEN_STATES).iterator(chunk_size=500):
        checkpoint()
        report.journals += 1
        problem = _journal_problem(row)
        if problem:
            report.unfit_journals.append((row, problem))
    done = rows.filter(state=JournalState.DONE).select_related("trash")
    for row in done.iterator(chunk_size=500):
        checkpoint()
        report.journals += 1
        if _final_is_gone(row):
            report.unfit_journals.append((row, "the optimised file is not where it was put"))


def _journal_problem(row: Replacement) -> str:
    if row.state == JournalState.STUCK:
        return row.detail or "needs a person"
    try:
        picture = Identity(row, trust_inodes=False).take_picture(names_of(row))
        if row.state in {JournalState.COPYING, JournalState.STAGED}:
            # Nothing has been swapped: the original must still be there.
            is_there = picture.original.holds is Holds.ORIGINAL
            return "" if is_there else f"not begun, yet {picture}"
        if row.state in {JournalState.SWAPPING, JournalState.PUBLISHED}:
            next_forward(row, picture)
    except Unfit as problem:
        return str(problem)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return ""


def _final_is_gone(row: Replacement) -> bool:
    try:
        os.lstat(bytes(row.final_raw))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _look_for_strangers(report: LibraryReport, root: bytes, checkpoint: Callable[[], None]) -> None:
    """Our kinds of file that the database does not know: nothing will ever remove them."""
    # A row that says that the file has left the trash does not know one that lies there.
    ended = [TrashState.LOST, TrashState.PURGED]
    entries = TrashEntry.objects.exclude(state__in=ended)
    known = {bytes(p) for p in entries.values_list("path_raw", flat=True)}
    swaps = Replacement.objects.exclude(trash_raw=None).exclude(trash__state__in=ended)
    known |= {bytes(raw or b"") for raw in swaps.values_list("trash_raw", flat=True)}
    parts = {bytes(p) for p in Replacement.objects.values_list("part_raw", flat=True)}
    for path in _walk(root, checkpoint):
        name = path.rpartition(b"/")[2]
        if b"/" + MEDIAFLOW_FOLDER + b"/" + TRASH_FOLDER + b"/" in path:
            # Names with a dot are the files that keep media servers out.
            if path not in known and not name.endswith(b".json") and not name.startswith(b"."):
                report.unknown_trash.append(display_path(path))
        elif name.startswith(b".mf-") and name.endswith(b".part") and path not in parts:
            report.leftovers.append(display_path(path))


def _walk(root: bytes, checkpoint: Callable[[], None]) -> Iterator[bytes]:
    for folder, _folders, names in os.walk(root):
        checkpoint()
        for name in names:
            yield join(folder, name)


def library_checks(report: LibraryReport) -> list[Check]:
    """The report as lines of `doctor`."""
    name = f"library {report.library.name}"
    if report.unreachable:
        hint = "Mount it and run this again; nothing in it was compared."
        return [Check(name, False, f"not compared: {report.unreachable}", hint)]
    trash = [display_path(bytes(entry.path_raw)) for entry in report.lost_trash]
    doubtful = report.doubtful_trash
    journals = [f"job {row.job_id}: {problem}" for row, problem in report.unfit_journals]
    return [
        _line(f"{name}: files", report.files, "missing", report.missing, "Scan the library."),
        _line(
            f"{name}: content", report.files, "changed since the scan", report.changed,
            "Scan the library; a film that was optimised and changed since cannot be undone.",
        ),
        _line(
            f"{name}: access", report.files, "unreadable", report.unreadable,
            "Give the user that runs MediaFlow the right to read them.",
        ),
        _line(
            f"{name}: trash", report.trash_entries, "gone", trash,
            "Their jobs cannot be undone. Look into a backup of the disk.",
        ),
        _line(
            f"{name}: trash content", report.trash_entries, "changed or unreachable", doubtful,
            "Mount the disk that they are on, then run this again. Changed ones are never purged.",
        ),
        _line(
            f"{name}: journals", report.journals, "do not fit the disk", journals,
            "Nothing is touched until a person looks: see the job's page.",
        ),
        _line(
            f"{name}: unknown trash", None, "not in the database", report.unknown_trash,
            "MediaFlow never removes them. They are originals: move them back by hand if wanted.",
        ),
        _line(
            f"{name}: leftovers", None, "of no journal", report.leftovers,
            "Unfinished copies; they can be deleted by hand while nothing runs.",
        ),
    ]  # fmt: skip


def _line(name: str, total: int | None, what: str, found: Iterable[str], hint: str) -> Check:
    names = list(found)
    if not names:
        return Check(name, True, "none" if total is None else f"{total:,} compared")
    shown = ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
    return Check(name, False, f"{len(names):,} {what}: {shown}", hint)
