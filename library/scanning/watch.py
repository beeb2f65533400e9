"""Watching library folders for changes: one thread per consumer, inotify through watchfiles.

A change only asks for a scan; the scan decides what changed. Network mounts send no events, and a
machine may run out of watches: the periodic rescan (`library.scanning.rescans`) covers both.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, close_old_connections
from watchfiles import watch

from library.models import Library, LibraryKind
from library.scanning.mounts import sends_events
from library.scanning.names import DISC_IMAGE_SUFFIXES, VIDEO_SUFFIXES
from library.services import LibraryProblem, active_scan, start_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchfiles import Change

log = logging.getLogger(__name__)

DEBOUNCE_MS: Final = 3_000  # changes that follow one another count as one
RELOAD_S: Final = 30.0  # libraries that were added, removed, disabled
CALM_S: Final = 20.0  # at least this long between two scans that events asked for
_STEP_MS: Final = 500
_LISTED = VIDEO_SUFFIXES | DISC_IMAGE_SUFFIXES


class LibraryWatcher:
    """Start and stop with the consumer. Never raises into it; a library that fails is logged."""

    def __init__(self, *, on_change: Callable[[Library], bool] | None = None) -> None:
        self._on_change = on_change or request_scan
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked_at: dict[int, float] = {}
        self._waiting: set[int] = set()

    def start(self) -> None:
        """Watch in a thread of its own until `stop`. A second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="library-watch", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                close_old_connections()
                self._watch_until_reload(watched_libraries())
            except (OSError, RuntimeError, DatabaseError):
                # Out of watches, a root that went away, a busy database: the rescan covers it.
                log.warning("watching the libraries failed; trying again soon", exc_info=True)
                self._stop.wait(RELOAD_S)
            finally:
                close_old_connections()

    def _watch_until_reload(self, libraries: dict[str, Library]) -> None:
        if not libraries:
            self._stop.wait(RELOAD_S)
            return
        reload_at = time.monotonic() + RELOAD_S
        for changes in watch(
            *libraries,
            watch_filter=is_of_interest,
            debounce=DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=1_000,
            yield_on_timeout=True,
            stop_event=self._stop,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            self._waiting.update(library.pk for library in changed(libraries, changes))
            self._ask(libraries)
            if time.monotonic() >= reload_at:
                reload_at = time.monotonic() + RELOAD_S
                if watched_libraries().keys() != libraries.keys():
                    return

    def _ask(self, libraries: dict[str, Library]) -> None:
        now = time.monotonic()
        for library in libraries.values():
            is_calm = now - self._asked_at.get(library.pk, float("-inf")) >= CALM_S
            if library.pk in self._waiting and is_calm:
                self._asked_at[library.pk] = now
                if self._on_change(library):
                    self._waiting.discard(library.pk)


def watched_libraries() -> dict[str, Library]:
    """Root (as text for watchfiles) -> library, for those whose mount sends events."""
    found = {}
    rows = Library.objects.filter(
        kind=LibraryKind.FOLDER, is_enabled=True, is_watched=True, frozen_reason=""
    )
    for library in rows:
        root = bytes(library.root_raw)
        if os.path.isdir(root) and sends_events(root):  # noqa: PTH112  # names are bytes
            found[os.fsdecode(root)] = library
    return found


def is_of_interest(_change: Change, path: str) -> bool:
    """Films and folders; nothing hidden (`.mediaflow/`, `.mf-*.part`), no pictures or texts."""
    name = path.rpartition("/")[2]
    if name.startswith(".") or "/.mediaflow/" in path:
        return False
    suffix = os.fsencode(name[name.rfind(".") :].lower()) if "." in name else b""
    # A folder may have a dot in its name: what looks like no known file is let through.
    return suffix in _LISTED or suffix not in _IGNORED_SUFFIXES


_IGNORED_SUFFIXES: Final = frozenset(
    (
        b".nfo .srt .ass .ssa .sub .idx .sup .vtt .jpg .jpeg .png .webp .gif .tbn .txt .xml .json"
        b" .part .tmp .crdownload .!qb .nzb .torrent .par2 .rar .zip .7z .mp3 .flac .m4a .log"
    ).split()
)


def changed(libraries: dict[str, Library], changes: Iterable[tuple[Change, str]]) -> list[Library]:
    """The libraries that the changed paths lie in."""
    found = {}
    for _change, path in changes:
        for root, library in libraries.items():
            if path == root or path.startswith(root.rstrip("/") + "/"):
                found[library.pk] = library
    return list(found.values())


def request_scan(library: Library) -> bool:
    """Queue a scan. False when one waits or runs: it may have passed the change; ask again."""
    if active_scan(library) is not None:
        return False
    try:
        start_scan(library=library)
    except LibraryProblem:
        log.info("library %s is disabled; its change is not scanned", library.name)
    return True
