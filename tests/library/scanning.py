"""What the scan's tests share: a library of a folder, one scan of it, files that look old."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from library.scanning.scan import scan_library
from library.services import add_folder_library

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import Library, MediaFile
    from library.scanning.summary import ScanSummary

LONG_AGO_S = 1_700_000_000.0


def age(root: Path, *, at: float = LONG_AGO_S) -> None:
    """Set every file's time of change back, so that none counts as growing."""
    for folder, _folders, names in os.walk(bytes(root)):
        for name in names:
            os.utime(os.path.join(folder, name), (at, at), follow_symlinks=False)


def make_library(root: Path, **columns: object) -> Library:
    age(root)
    library = add_folder_library(root=bytes(root))
    for name, value in columns.items():
        setattr(library, name, value)
    library.save()
    return library


def scan(library: Library, *, accept_losses: bool = False) -> ScanSummary:
    summary = scan_library(
        library.pk,
        report=lambda *_args, **_kwargs: None,
        checkpoint=lambda: None,
        accept_losses=accept_losses,
    )
    library.refresh_from_db()
    return summary


def file_at(library: Library, path: str) -> MediaFile:
    return library.files.get(path=path)


def wait_for(condition: object, *, timeout_s: float = 120) -> bool:
    """Poll a callable until it is true; False when it never was."""
    assert callable(condition)
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False
