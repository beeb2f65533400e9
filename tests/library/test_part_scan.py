"""A look at some folders of a library: what it finds, what it never touches, when it gives up."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from library.models import Availability, FileState, Library, MediaFile
from library.scanning import part
from library.scanning.names import outermost
from library.scanning.part import scan_folders, walked_folder
from library.services import LibraryProblem, start_partial_scan, start_scan
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import claim_operation, run_operation_here
from mediaflow.base.settings_store import set_setting
from tests.library.scanning import LONG_AGO_S, make_library, scan
from tests.library.test_scan_freeze import put_films, root_of

if TYPE_CHECKING:
    from pathlib import Path

    from library.scanning.summary import ScanSummary

pytestmark = pytest.mark.django_db
FOLDER = b"Film 3 (2003)"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = make_library(put_films(tmp_path / "films", 10))
    scan(library)
    MediaFile.objects.update(availability=Availability.PRESENT)
    return library


def look(library: Library, *folders: bytes) -> ScanSummary | None:
    summary = scan_folders(
        library.pk,
        folders or (FOLDER,),
        report=lambda *_args, **_kwargs: None,
        checkpoint=lambda: None,
    )
    library.refresh_from_db()
    return summary


def put(library: Library, name: str, content: bytes = b"a new film") -> Path:
    path = root_of(library) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return path


def gone() -> set[str]:
    return set(
        MediaFile.objects.filter(availability=Availability.MISSING).values_list("path", flat=True)
    )


def test_a_new_film_is_found_and_nothing_else_is_read(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(library, "Film 3 (2003)/Film 3 - part 2.mkv")
    put(library, "Film 4 (2004)/new as well.mkv")
    before = (library.last_scan_at, library.last_scan_summary, library.scan_generation)
    read: list[bytes] = []
    scandir = os.scandir

    def note(path: bytes) -> object:
        read.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", note)
    summary = look(library)
    assert summary is not None
    assert (summary.added, summary.unchanged, summary.files) == (1, 1, 2)
    root = bytes(library.root_raw)
    assert {path for path in read if path != root} == {root + b"/" + FOLDER}
    assert MediaFile.objects.count() == 11
    assert library.file_count == 11
    # The next whole scan is due as before.
    assert (library.last_scan_at, library.last_scan_summary, library.scan_generation) == before


def test_what_is_gone_is_marked_inside_and_never_outside(library: Library) -> None:
    put(library, "Film 3 (2003)/stays.mkv")
    look(library)
    (root_of(library) / "Film 3 (2003)" / "Film 3.mkv").unlink()
    shutil.rmtree(root_of(library) / "Film 4 (2004)")
    summary = look(library)
    assert summary is not None
    assert summary.missing == 1
    assert gone() == {"Film 3 (2003)/Film 3.mkv"}


def test_a_folder_whose_name_only_begins_alike_is_outside(library: Library) -> None:
    put(library, "Film 3 (2003) extended/Film 3.mkv")
    put(library, "Film 3 (2003).mkv")
    scan(library)
    for name in ("Film 3 (2003) extended/Film 3.mkv", "Film 3 (2003).mkv"):
        (root_of(library) / name).unlink()
    assert look(library) is not None
    assert gone() == set()


def test_a_film_that_was_moved_into_the_folder_stays_the_same_film(library: Library) -> None:
    row = MediaFile.objects.get(path="Film 7 (2007)/Film 7.mkv")
    MediaFile.objects.filter(pk=row.pk).update(state=FileState.IGNORED)
    target = root_of(library) / "Film 3 (2003)" / "Film 7.mkv"
    (root_of(library) / "Film 7 (2007)" / "Film 7.mkv").rename(target)
    summary = look(library)
    assert summary is not None
    assert (summary.moved, summary.added, summary.missing) == (1, 0, 0)
    row.refresh_from_db()
    assert (row.path, row.state) == ("Film 3 (2003)/Film 7.mkv", FileState.IGNORED)


def test_a_copy_is_another_film(library: Library) -> None:
    content = (root_of(library) / "Film 7 (2007)" / "Film 7.mkv").read_bytes()
    put(library, "Film 3 (2003)/Film 7.mkv", content)
    summary = look(library)
    assert summary is not None
    assert (summary.moved, summary.added) == (0, 1)


def test_a_film_in_work_is_left_alone(library: Library) -> None:
    MediaFile.objects.filter(path__startswith="Film 3").update(state=FileState.PROCESSING)
    (root_of(library) / "Film 3 (2003)" / "Film 3.mkv").unlink()
    put(library, "Film 3 (2003)/other.mkv")
    assert look(library) is not None
    assert gone() == set()


def test_a_file_stands_for_its_folder(library: Library) -> None:
    put(library, "Film 3 (2003)/new.mkv")
    summary = look(library, b"Film 3 (2003)/new.mkv", b"Film 3 (2003)/Film 3.mkv")
    assert summary is not None
    assert summary.added == 1


# Only the whole can tell


def unmount(library: Library) -> None:
    root_of(library).rename(root_of(library).with_name("away"))
    root_of(library).mkdir()


def empty_folder(library: Library) -> None:
    (root_of(library) / "Film 3 (2003)" / "Film 3.mkv").unlink()


def many_losses(library: Library) -> None:
    for number in range(6):
        put(library, f"Film 3 (2003)/{number}.mkv", b"%d" % number)
    scan(library)
    for number in range(6):
        (root_of(library) / "Film 3 (2003)" / f"{number}.mkv").unlink()


def linked_folder(library: Library) -> None:
    folder = root_of(library) / "Film 3 (2003)"
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "spoil",
    [
        unmount,
        empty_folder,
        many_losses,
        linked_folder,
        lambda library: shutil.rmtree(root_of(library) / "Film 3 (2003)"),
        lambda library: (root_of(library) / ".mediaflow" / "id").unlink(),
        lambda library: Library.objects.update(frozen_reason="Look at it."),
        lambda library: Library.objects.update(last_scan_at=None),
    ],
    ids=["unmounted", "empty", "many losses", "a link", "gone", "no marker", "frozen", "new"],
)  # fmt: skip
def test_what_only_a_whole_scan_can_tell_is_left_to_it(library: Library, spoil: object) -> None:
    assert callable(spoil)
    spoil(library)
    assert look(library) is None
    assert gone() == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"A", b"A"),
        (b"A/B", b"A/B"),
        (b"A/B/film.mkv", b"A/B"),
        (b"film.mkv", None),
        (b"", None),
        (b"A/gone", None),
        (b".hidden/x", None),
        (b"A/VIDEO_TS", None),
        (b"link/B", None),
    ],
)
def test_a_look_begins_only_where_a_walk_would_come(
    tmp_path: Path, path: bytes, expected: bytes | None
) -> None:
    for name in ("A/B", "A/VIDEO_TS", ".hidden/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "film.mkv").touch()
    (tmp_path / "A/B/film.mkv").touch()
    (tmp_path / "link").symlink_to("A")
    assert walked_folder(bytes(tmp_path), path) == expected


def test_a_folder_in_another_one_is_looked_at_once() -> None:
    assert outermost([b"A/B", b"A", b"AB", b"A/B/c.mkv"]) == [b"A", b"AB"]
    assert outermost([b"A", b""]) == [b""]


# As an operation


def test_an_operation_that_cannot_tell_scans_the_whole_library(library: Library) -> None:
    shutil.rmtree(root_of(library) / "Film 3 (2003)")
    put(library, "Somewhere/new.mkv")
    scanned_at = library.last_scan_at
    done = run_operation_here(start_partial_scan(library=library, folders={FOLDER}))
    assert done.status == OperationStatus.COMPLETED
    assert (done.result["missing"], done.result["added"]) == (1, 1)
    library.refresh_from_db()
    assert library.last_scan_at != scanned_at


def test_what_it_found_is_analysed_when_the_settings_say_so(library: Library) -> None:
    set_setting("insights_after_scan", True, None)
    run_operation_here(start_partial_scan(library=library, folders={FOLDER}))
    assert not Operation.objects.filter(kind="analyze").exists()  # nothing was new
    put(library, "Film 3 (2003)/new.mkv")
    run_operation_here(start_partial_scan(library=library, folders={FOLDER}))
    assert Operation.objects.get(kind="analyze").args["library"] == library.pk


def test_a_scan_of_the_library_takes_the_place_of_a_look_that_waits(library: Library) -> None:
    waiting = start_partial_scan(library=library, folders={FOLDER})
    whole = start_scan(library=library)
    assert "folders" not in whole.args
    waiting.refresh_from_db()
    assert waiting.status == OperationStatus.CANCELLED


def test_a_scan_asks_a_look_that_runs_to_stop_and_waits_for_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_partial_scan(library=library, folders={FOLDER})
    assert claim_operation("test", running.pk) is not None
    monkeypatch.setattr("library.services.MAKES_WAY_S", 0.3)
    with pytest.raises(LibraryProblem, match="try again in a minute"):
        start_scan(library=library)
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    monkeypatch.setattr(
        "library.services.time.sleep",
        lambda _seconds: Operation.objects.filter(pk=running.pk).update(
            status=OperationStatus.CANCELLED, lease_token=""
        ),
    )
    assert "folders" not in start_scan(library=library).args


def test_a_look_that_is_stopped_keeps_what_it_has_read(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    def stop(*_args: object) -> None:
        raise Stop

    put(library, "Film 3 (2003)/new.mkv")
    monkeypatch.setattr(part._PartScan, "finish", stop)
    with pytest.raises(Stop):
        look(library)
    assert MediaFile.objects.filter(path="Film 3 (2003)/new.mkv").exists()
    library.refresh_from_db()
    assert library.file_count == 11
