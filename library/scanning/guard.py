"""When a scan must not believe its eyes: root gone, empty, or too much lost (faults 12, 15)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.scanning.marker import MarkerProblem, read_marker, write_marker
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from library.models import Library

# Fewer files than this may go at once without a question: a share of a handful says nothing.
FEW_FILES: Final = 5


class RootProblem(Exception):
    """The library is frozen with this sentence; nothing in it is marked missing."""


def check_root(library: Library) -> bool:
    """Reachable, a folder, and the marker that was once seen is there. Raises RootProblem.

    True when the marker is there; False when there never was one.
    """
    root = bytes(library.root_raw)
    try:
        with os.scandir(root):
            pass
        found = read_marker(root)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RootProblem(
            f"The folder cannot be reached ({reason}). Mount or reconnect it, then scan again."
        ) from error
    if library.marker_seen_at is not None and found is None:
        raise RootProblem(
            "The folder is there, but MediaFlow's marker in it (.mediaflow/id) is gone."
            " Perhaps its disk is not mounted."
        )
    if found is not None and found != library.marker_id:
        raise RootProblem(
            "The folder carries the marker of another library (.mediaflow/id)."
            " Perhaps another disk is mounted there."
        )
    return found is not None


def leave_marker(library: Library) -> None:
    """Write the marker where there is none. A folder that may not be written to stays without."""
    root = bytes(library.root_raw)
    try:
        write_marker(root, library.marker_id)
    except MarkerProblem as problem:
        raise RootProblem(str(problem)) from problem
    except OSError:
        return
    library.marker_seen_at = timezone.now()


def check_not_empty(*, known: int, seen: int) -> None:
    """Raises RootProblem when files were known and none is there."""
    if known and not seen:
        raise RootProblem(
            f"The folder is suddenly empty: none of its {known:,} films is there."
            " Nothing was marked missing."
        )


def check_losses(library: Library, *, known: int, lost: int) -> None:
    """Raises RootProblem when more than the allowed share of present files went at once."""
    if lost < FEW_FILES or lost * 100 <= library.max_missing_pct * known:
        return
    raise RootProblem(
        f"{lost:,} of {known:,} films are gone at once, more than {library.max_missing_pct} %."
        " Nothing was marked missing; if that is right, scan again and accept the losses."
    )


def freeze(library: Library, reason: str) -> None:
    """Set the library aside until a scan finds it well. Idempotent."""
    if library.frozen_reason != reason:
        record_audit("library.freeze", subject=library.name, detail=reason)
        library.frozen_at = timezone.now()
    library.frozen_reason = reason[:500]


def thaw(library: Library) -> None:
    if library.frozen_reason:
        record_audit("library.thaw", subject=library.name, detail=library.frozen_reason)
    library.frozen_reason, library.frozen_at = "", None
