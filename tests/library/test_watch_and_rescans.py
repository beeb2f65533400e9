"""When scans start by themselves: file system events, intervals, growing files."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from watchfiles import Change

from library.models import Availability, Library, MediaFile
from library.scanning import watch
from library.scanning.rescans import due_rescans, periodic_tasks, start_due_rescans
from library.scanning.watch import (
    LibraryWatcher,
    changed,
    is_of_interest,
    request_scan,
    watched_libraries,
)
from library.services import active_scan, set_library_enabled, start_scan
from mediaflow.base.models import Operation
from tests.library.scanning import make_library, scan, wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "films").mkdir()
    return make_library(tmp_path / "films", settle_window_s=60, rescan_interval_s=3600)


def is_due(library: Library, *, after_s: float) -> bool:
    library.refresh_from_db()
    assert library.last_scan_at is not None
    return library in due_rescans(library.last_scan_at + timedelta(seconds=after_s))


def test_a_library_that_was_never_scanned_is_due(library: Library) -> None:
    assert due_rescans(timezone.now()) == [library]


def test_a_library_is_due_after_its_interval(library: Library) -> None:
    scan(library)
    assert not is_due(library, after_s=3599)
    assert is_due(library, after_s=3600)


def test_a_clock_that_went_back_does_not_stop_rescans(library: Library) -> None:
    scan(library)
    assert is_due(library, after_s=-86_400)


def test_growing_files_bring_the_next_scan_forward(library: Library) -> None:
    scan(library)
    MediaFile.objects.create(
        library=library, path_raw=b"a", path="a", path_digest="a",
        availability=Availability.GROWING,
    )  # fmt: skip
    assert not is_due(library, after_s=59)
    assert is_due(library, after_s=60)


def test_a_frozen_library_is_looked_at_more_often(library: Library) -> None:
    scan(library)
    Library.objects.update(frozen_reason="gone")
    assert is_due(library, after_s=300)


def test_a_disabled_library_and_one_being_scanned_are_not_due(library: Library) -> None:
    start_scan(library=library)
    assert due_rescans(timezone.now()) == []
    Operation.objects.all().delete()
    set_library_enabled(library, is_enabled=False)
    assert due_rescans(timezone.now()) == []


def test_due_rescans_are_queued_once(library: Library) -> None:
    start_due_rescans()
    start_due_rescans()
    assert Operation.objects.count() == 1
    assert [task.name for task in periodic_tasks()] == ["library.scanning.rescans"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/films/a.mkv", True),
        ("/films/New Folder", True),
        ("/films/Mr. Nobody (2009)", True),
        ("/home/.films/a.mkv", True),
        ("/films/.mediaflow/trash/a.mkv", False),
        ("/films/.mf-12.part", False),
        ("/films/a.nfo", False),
        ("/films/a.JPG", False),
        ("/films/a.mkv.part", False),
    ],
)
def test_only_films_and_folders_are_of_interest(path: str, expected: bool) -> None:
    assert is_of_interest(Change.added, path) is expected


def test_a_change_belongs_to_the_library_it_lies_in(library: Library) -> None:
    root = library.root
    other = Library(pk=99, name="o")
    libraries = {root: library, f"{root}2": other}
    assert changed(libraries, [(Change.added, f"{root}2/a.mkv")]) == [other]
    assert changed(libraries, [(Change.added, f"{root}/a.mkv")]) == [library]
    assert changed(libraries, [(Change.added, "/elsewhere/a.mkv")]) == []


def test_a_change_during_a_scan_asks_again(library: Library) -> None:
    assert request_scan(library)
    assert active_scan(library) is not None
    assert not request_scan(library)


def test_only_local_enabled_libraries_are_watched(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(watched_libraries()) == [library.root]
    monkeypatch.setattr(watch, "sends_events", lambda _root: False)
    assert watched_libraries() == {}
    monkeypatch.undo()
    Library.objects.update(frozen_reason="gone")
    assert watched_libraries() == {}


def test_a_new_film_is_noticed_and_the_watcher_stops(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed = threading.Event()

    def take_note(_library: Library) -> bool:
        noticed.set()
        return True

    monkeypatch.setattr(watch, "watched_libraries", lambda: {library.root: library})
    monkeypatch.setattr(watch, "DEBOUNCE_MS", 50)
    monkeypatch.setattr(watch, "_STEP_MS", 10)
    watcher = LibraryWatcher(on_change=take_note)
    watcher.start()
    try:

        def write_and_look() -> bool:
            (tmp_path / "films" / "new.mkv").write_bytes(b"x")
            return noticed.wait(0.3)

        assert wait_for(write_and_look)
    finally:
        watcher.stop(timeout_s=120)
    assert not [thread for thread in threading.enumerate() if thread.name == "library-watch"]


def test_trouble_with_watching_does_not_end_the_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fail() -> dict[str, Library]:
        calls.append(1)
        raise OSError(28, "No space left on device")  # out of inotify watches

    monkeypatch.setattr(watch, "watched_libraries", fail)
    monkeypatch.setattr(watch, "RELOAD_S", 0.01)
    watcher = LibraryWatcher()
    watcher.start()
    assert wait_for(lambda: len(calls) > 2)
    watcher.stop(timeout_s=120)
