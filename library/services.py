"""What people do to libraries and their files. A person's mistake is one LibraryProblem."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from library.folding import display_path
from library.models import FileState, Library, LibraryKind, MediaFile
from library.scanning.identity import path_digest
from library.scanning.marker import read_marker
from library.totals import refresh_totals
from mediaflow.base.audit import record_audit
from mediaflow.base.hooks import hooked
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import (
    active_operation,
    active_operations,
    request_cancel,
    start_operation,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from library.scanning.summary import ScanSummary
    from mediaflow.accounts.models import User
    from mediaflow.base.operations import OperationContext

SCAN: Final = "scan"
# So long a scan waits for a look at some folders, which it has asked to stop, to be over.
MAKES_WAY_S: Final = 5.0
_NAME_LENGTH: Final = 120
_ROOT_BYTES: Final = 4096


class LibraryProblem(Exception):
    """What a person asked for cannot be done. `field` names the form field, `text` says why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def add_folder_library(*, root: bytes, name: str = "", actor: User | None = None) -> Library:
    """Make a library of a folder (links in its path are resolved). Raises LibraryProblem.

    The marker file is written by the first scan; one that is there already (the database was made
    anew) is taken over.
    """
    real = _check_folder(root)
    _check_place(real)
    clean_name = _check_name(name) if name.strip() else _free_name(real)
    with transaction.atomic():
        _check_nesting(real)
        library = Library(
            name=clean_name,
            root=display_path(real),
            root_raw=real,
            root_digest=path_digest(real),
        )
        if marker := _free_marker(real):
            library.marker_id, library.marker_seen_at = marker, timezone.now()
        library.save()
        record_audit("library.add", actor=actor, subject=library.name, detail=library.root)
    return library


def _check_folder(root: bytes) -> bytes:
    if not root.strip() or b"\0" in root:
        raise LibraryProblem("root", "Give the full path of a folder, such as /films.")
    if not root.startswith(b"/"):
        raise LibraryProblem("root", "Give the full path; it begins with a slash.")
    shown, real = display_path(root), os.path.realpath(root)
    if len(real) > _ROOT_BYTES:
        raise LibraryProblem("root", "The path is too long.")
    try:
        with os.scandir(real):
            pass
    except FileNotFoundError:
        raise LibraryProblem("root", f"There is no folder {shown}.") from None
    except NotADirectoryError:
        text = f"{shown} is a file; a library is a folder."
        raise LibraryProblem("root", text) from None
    except PermissionError:
        text = f"{shown} cannot be read: permission denied. Let MediaFlow's user read it."
        raise LibraryProblem("root", text) from None
    except OSError as error:
        text = f"{shown} cannot be read: {error.strerror or error}."
        raise LibraryProblem("root", text) from None
    return real


def _check_place(real: bytes) -> None:
    if real == b"/":
        raise LibraryProblem("root", "The whole file system cannot be a library; choose a folder.")
    if _is_inside(real, b"/proc") or _is_inside(real, b"/sys") or _is_inside(real, b"/dev"):
        raise LibraryProblem("root", "That is a folder of the system; choose one with films.")
    own = {"data": settings.DATA_DIR, "work": settings.WORK_DIR}
    for kind, folder in own.items():
        if _is_inside(os.path.realpath(os.fsencode(folder)), real):
            text = f"MediaFlow's {kind} folder ({folder}) lies in it; choose another folder."
            raise LibraryProblem("root", text)
    private = (settings.WORK_DIR, *(settings.DATA_DIR / name for name in ("keys", "logs")))
    if any(_is_inside(real, os.path.realpath(os.fsencode(folder))) for folder in private):
        raise LibraryProblem("root", "MediaFlow keeps its own files there; choose another folder.")


def _is_inside(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _check_nesting(real: bytes) -> None:
    for library in Library.objects.filter(kind=LibraryKind.FOLDER):
        other = bytes(library.root_raw)
        if real == other:
            raise LibraryProblem("root", f"This folder is the library “{library.name}” already.")
        if _is_inside(real, other):
            text = f"It lies in the library “{library.name}” ({library.root}); scan that one."
            raise LibraryProblem("root", text)
        if _is_inside(other, real):
            text = f"The library “{library.name}” ({library.root}) lies in it; remove that first."
            raise LibraryProblem("root", text)


def _check_name(name: str, *, own_id: int | None = None) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise LibraryProblem("name", "Give the library a name.")
    if len(clean) > _NAME_LENGTH or not clean.isprintable():
        text = f"Use at most {_NAME_LENGTH} printable characters for the name."
        raise LibraryProblem("name", text)
    same = Library.objects.filter(name__iexact=clean)
    if (same.exclude(pk=own_id) if own_id is not None else same).exists():
        raise LibraryProblem("name", f"There is a library “{clean}” already.")
    return clean


def _free_name(real: bytes) -> str:
    base = display_path(real.rpartition(b"/")[2])[: _NAME_LENGTH - 8] or "Films"
    number, name = 1, base
    while Library.objects.filter(name__iexact=name).exists():
        number += 1
        name = f"{base} {number}"
    return name


def _free_marker(real: bytes) -> UUID | None:
    try:
        marker = read_marker(real)
    except OSError:  # `.mediaflow` is a link: the scan says so
        return None
    if marker is None or Library.objects.filter(marker_id=marker).exists():
        return None
    return marker


def rename_library(library: Library, *, name: str, actor: User | None = None) -> None:
    """Raises LibraryProblem for an empty, too long or taken name."""
    old, library.name = library.name, _check_name(name, own_id=library.pk)
    library.save(update_fields=["name"])
    record_audit("library.rename", actor=actor, subject=library.name, detail=f"was {old}")


def set_library_enabled(library: Library, *, is_enabled: bool, actor: User | None = None) -> None:
    """A disabled library is neither scanned nor watched. Its files stay listed."""
    library.is_enabled = is_enabled
    library.save(update_fields=["is_enabled"])
    action = "library.enable" if is_enabled else "library.disable"
    record_audit(action, actor=actor, subject=library.name)


def removal_blockers(library: Library) -> list[str]:
    """Why the library cannot be removed now (hook `library_removal_blockers(library)`)."""
    if library.kind != LibraryKind.FOLDER:
        return [f"“{library.name}” goes with its Plex server; remove that on the Plex page."]
    blockers = [text for callee in hooked("library_removal_blockers") for text in callee(library)]
    if MediaFile.objects.filter(library=library, state=FileState.PROCESSING).exists():
        blockers.append("A film of it is being encoded; wait for it or cancel the job.")
    if active_scan(library) is not None:
        blockers.append("It is being scanned; cancel the scan first.")
    return list(dict.fromkeys(blockers))


def remove_library(library: Library, *, actor: User | None = None) -> None:
    """Forget a library and its files; nothing on the disk is touched. Raises LibraryProblem."""
    if blockers := removal_blockers(library):
        raise LibraryProblem("", " ".join(blockers))
    with transaction.atomic():
        record_audit("library.remove", actor=actor, subject=library.name, detail=library.root)
        library.delete()


def active_scan(library: Library) -> Operation | None:
    """The scan of this library that waits or runs."""
    return active_operation(_lock_key(library))


def start_scan(
    *, library: Library, actor: User | None = None, accept_losses: bool = False
) -> Operation:
    """Queue a scan; the one that waits or runs already when there is one.

    `accept_losses`: a person has seen what froze the library and says that it is right. A look at
    some folders makes way: the scan sees them, too.
    Raises LibraryProblem for a disabled library, and for one of Plex, which is synced instead.
    """
    _check_scannable(library)
    if accept_losses:
        record_audit("library.accept_losses", actor=actor, subject=library.name)
    until = time.monotonic() + MAKES_WAY_S
    while True:
        operation = start_operation(
            kind=SCAN,
            title=f"Scan {library.name}",
            args={"library": library.pk, "accept_losses": accept_losses},
            lock_key=_lock_key(library),
            unit="files",
            actor=actor,
        )
        if not is_partial(operation):
            return operation
        _stop_partial_scan(library, operation, until)


def start_partial_scan(*, library: Library, folders: Collection[bytes]) -> Operation:
    """Queue a look at some folders (or files) relative to the root; what is active already when
    something is. Raises LibraryProblem as `start_scan` does."""
    _check_scannable(library)
    one = display_path(next(iter(folders)))
    what = one if len(folders) == 1 else f"{len(folders)} folders"
    return start_operation(
        kind=SCAN,
        title=f"Look into {what} of {library.name}",
        args={"library": library.pk, "folders": sorted(folder.hex() for folder in folders)},
        lock_key=_lock_key(library),
    )


def scan_covers(operation: Operation, folders: Iterable[bytes], since: datetime) -> bool:
    """Whether a scan that waits or runs comes to these folders, and not before `since`."""
    began = operation.started_at
    if operation.status == OperationStatus.RUNNING and (began is None or began < since):
        return False
    if not is_partial(operation):
        return True
    named = operation.args["folders"]
    return {folder.hex() for folder in folders} <= set(named)


def _check_scannable(library: Library) -> None:
    if library.kind != LibraryKind.FOLDER:
        raise LibraryProblem("", f"“{library.name}” is no folder; Plex says what is in it.")
    if not library.is_enabled:
        raise LibraryProblem("", f"The library “{library.name}” is disabled; enable it first.")


def is_partial(scan: Operation) -> bool:
    """Whether it is only to look at some folders."""
    return "folders" in scan.args


def _stop_partial_scan(library: Library, scan: Operation, until: float) -> None:
    """Raises LibraryProblem when it does not end at once: its process hangs, or has died."""
    request_cancel(scan.pk, None)
    active = active_operations().filter(pk=scan.pk)
    while active.exists():
        if time.monotonic() > until:
            text = f"Some folders of “{library.name}” are being looked at; try again in a minute."
            raise LibraryProblem("", text)
        time.sleep(0.1)


def _lock_key(library: Library) -> str:
    return f"scan:{library.pk}"


def run_scan_operation(context: OperationContext) -> None:
    """Handler of operations of kind "scan". Raises OperationProblem when the library is frozen."""
    from mediaflow.base.operations import OperationProblem

    try:
        summary = _scan_part(context) or _scan_all(context)
    except Library.DoesNotExist:
        raise OperationProblem("The library was removed.") from None
    context.set_result(summary.to_json())
    if summary.frozen_reason:
        raise OperationProblem(summary.frozen_reason)
    context.report(summary.files, summary.files, message=scan_in_words(summary.to_json()))
    for callee in hooked("library_changed"):
        callee(context.args["library"])


def _scan_all(context: OperationContext) -> ScanSummary:
    from library.scanning.scan import scan_library

    return scan_library(
        context.args["library"],
        report=context.report,
        checkpoint=context.checkpoint,
        accept_losses=context.args.get("accept_losses", False),
    )


def _scan_part(context: OperationContext) -> ScanSummary | None:
    """None: all of it is to be scanned, or only that can tell."""
    from library.analysis.services import analyse_after_partial_scan
    from library.scanning.part import scan_folders

    if "folders" not in context.args:  # all of it
        return None
    folders = [bytes.fromhex(folder) for folder in context.args["folders"]]
    library_id = context.args["library"]
    summary = scan_folders(
        library_id, folders, report=context.report, checkpoint=context.checkpoint
    )
    if summary is not None:
        analyse_after_partial_scan(library_id, summary.to_json())
    return summary


def scan_in_words(summary: dict[str, Any]) -> str:
    """A scan's outcome in one sentence."""
    words = {
        "added": "new", "changed": "changed", "moved": "moved", "missing": "missing",
        "growing": "still growing", "errors": "unreadable",
    }  # fmt: skip
    parts = [f"{summary[key]:,} {word}" for key, word in words.items() if summary[key]]
    return f"{summary['files']:,} films: {', '.join(parts) or 'nothing changed'}."


def remove_from_list(
    files: QuerySet[MediaFile] | Iterable[int], *, actor: User | None = None
) -> int:
    """Take files off the list; nothing on the disk is touched. Returns how many.

    A file that is there and changes comes back with the next scan. Those being encoded stay.
    """
    chosen = files if isinstance(files, QuerySet) else MediaFile.objects.filter(pk__in=list(files))
    rows = chosen.filter(removed_from_list_at=None)
    rows = rows.exclude(state__in=(FileState.PROCESSING, FileState.QUEUED))
    touched = list(rows.order_by().values_list("library_id", flat=True).distinct())
    removed = rows.order_by().update(removed_from_list_at=timezone.now())
    refresh_totals(touched)
    record_audit("file.remove_from_list", actor=actor, detail=f"{removed} files")
    return removed
