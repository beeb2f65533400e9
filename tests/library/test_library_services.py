"""What people do with libraries, and the sentences they get for mistakes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.conf import settings

from library.media_info import MediaInfo, VideoStream
from library.models import Availability, FileState, Library, MediaFile
from library.probing.probe import ProbeProblem
from library.scanning import rechecks
from library.scanning.identity import path_digest
from library.scanning.input import library_for
from library.scanning.marker import write_marker
from library.scanning.rechecks import recheck_file
from library.services import (
    LibraryProblem,
    active_scan,
    add_folder_library,
    remove_from_list,
    remove_library,
    rename_library,
    run_scan_operation,
    set_library_enabled,
    start_scan,
)
from mediaflow.base import hooks
from mediaflow.base.models import AuditEvent, OperationStatus
from mediaflow.base.operations import run_operation_here
from tests.library.scanning import age, file_at, make_library, scan
from tests.media import make_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    return tmp_path / "films"


def problem_of(root: bytes | Path, name: str = "") -> LibraryProblem:
    with pytest.raises(LibraryProblem) as caught:
        add_folder_library(root=bytes(root) if isinstance(root, Path) else root, name=name)
    return caught.value


def test_a_folder_becomes_a_library_named_after_it(root: Path, admin_user: User) -> None:
    library = add_folder_library(root=bytes(root), actor=admin_user)
    assert (library.name, library.root, bytes(library.root_raw)) == (
        "films", str(root), bytes(root),
    )  # fmt: skip
    event = AuditEvent.objects.get(action="library.add")
    assert (event.actor_name, event.detail) == ("ada", str(root))
    assert list(root.iterdir()) == []  # adding writes nothing; the scan leaves the marker


def test_a_second_folder_of_the_same_name_gets_a_number(tmp_path: Path) -> None:
    names = []
    for parent in ("a", "b"):
        (tmp_path / parent / "films").mkdir(parents=True)
        names.append(add_folder_library(root=bytes(tmp_path / parent / "films")).name)
    assert names == ["films", "films 2"]


def test_a_folder_whose_name_is_no_text_can_be_a_library(tmp_path: Path) -> None:
    folder = bytes(tmp_path) + b"/\xff films"
    os.mkdir(folder)
    library = add_folder_library(root=folder)
    assert library.name == "\\xff films"
    assert bytes(library.root_raw) == folder


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"", "full path"),
        (b"films", "slash"),
        (b"/no/such/folder", "There is no folder"),
        (b"/a\0b", "full path"),
        (b"/", "whole file system"),
        (b"//", "whole file system"),
        (b"/proc", "folder of the system"),
        (b"/etc/passwd", "is a file"),
        (b"/" + b"a" * 5000, ""),
    ],
)
def test_what_cannot_be_a_library_is_said(path: bytes, text: str) -> None:
    problem = problem_of(path)
    assert problem.field == "root"
    assert text in problem.text
    assert problem.text.endswith(".")


def test_nested_roots_are_refused(root: Path) -> None:
    (root / "inner").mkdir()
    add_folder_library(root=bytes(root), name="Films")
    assert "already" in problem_of(root).text
    assert "lies in the library “Films”" in problem_of(root / "inner").text
    assert "lies in it" in problem_of(root.parent).text
    (root.parent / "link").symlink_to(root)
    assert "already" in problem_of(root.parent / "link").text


def test_a_neighbour_with_a_longer_name_is_not_nested(root: Path) -> None:
    add_folder_library(root=bytes(root))
    (root.parent / "films2").mkdir()
    assert add_folder_library(root=bytes(root.parent / "films2")).name == "films2"


def test_our_own_folders_are_refused() -> None:
    assert "data folder" in problem_of(settings.DATA_DIR).text
    assert "data folder" in problem_of(settings.DATA_DIR.parent).text
    settings.WORK_DIR.mkdir(exist_ok=True)
    assert problem_of(settings.WORK_DIR).field == "root"


@pytest.mark.service("root")
def test_an_unreadable_folder_is_refused(root: Path) -> None:
    for folder in root.parents:
        if str(folder) in {"/", "/tmp"}:
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    root.chmod(0)
    os.seteuid(65534)
    try:
        text = problem_of(root).text
    finally:
        os.seteuid(0)
    assert "permission denied" in text


@pytest.mark.parametrize("name", ["x" * 121, "a\x07b", "FILMS"])
def test_bad_names_are_refused(name: str, root: Path, tmp_path: Path) -> None:
    add_folder_library(root=bytes(root), name="Films")
    (tmp_path / "other").mkdir()
    assert problem_of(tmp_path / "other", name=name).field == "name"


def test_a_marker_of_a_lost_database_is_taken_over(root: Path) -> None:
    marker = uuid.uuid4()
    write_marker(bytes(root), marker)
    library = add_folder_library(root=bytes(root))
    assert library.marker_id == marker
    assert scan(library).frozen_reason == ""


def test_a_library_is_renamed_but_not_to_a_taken_name(root: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first = add_folder_library(root=bytes(root), name="A")
    add_folder_library(root=bytes(tmp_path / "b"), name="B")
    rename_library(first, name="  My   films ")
    assert Library.objects.get(pk=first.pk).name == "My films"
    rename_library(first, name="my films")  # its own name in other letters
    with pytest.raises(LibraryProblem, match="already"):
        rename_library(first, name="b")
    with pytest.raises(LibraryProblem, match="name"):
        rename_library(first, name=" ")


def test_a_disabled_library_is_not_scanned(root: Path) -> None:
    library = add_folder_library(root=bytes(root))
    set_library_enabled(library, is_enabled=False)
    with pytest.raises(LibraryProblem, match="disabled"):
        start_scan(library=library)
    set_library_enabled(library, is_enabled=True)
    assert start_scan(library=library).kind == "scan"


def test_two_scans_of_one_library_are_one(root: Path) -> None:
    library = add_folder_library(root=bytes(root))
    assert start_scan(library=library).pk == start_scan(library=library).pk
    assert active_scan(library) is not None


@pytest.mark.ffmpeg
def test_the_scan_operation_says_what_it_did(films: Path) -> None:
    library = make_library(films)
    operation = run_operation_here(start_scan(library=library))
    assert operation.status == OperationStatus.COMPLETED
    assert operation.result["added"] == 4
    assert operation.message == "4 films: 4 new, 1 unreadable."


def test_a_frozen_library_fails_the_scan_with_the_reason(root: Path) -> None:
    library = make_library(root)
    root.rmdir()
    operation = run_operation_here(start_scan(library=library))
    assert operation.status == OperationStatus.FAILED
    assert "cannot be reached" in operation.message


def test_a_scan_of_a_removed_library_ends_with_a_sentence(root: Path) -> None:
    library = make_library(root)
    operation = start_scan(library=library)
    Library.objects.all().delete()
    assert run_operation_here(operation).message == "The library was removed."
    assert run_scan_operation is not None


def test_removing_a_library_touches_no_file(root: Path) -> None:
    (root / "film.mkv").write_bytes(b"x")
    library = make_library(root)
    scan(library)
    remove_library(library)
    assert not Library.objects.exists()
    assert (root / "film.mkv").read_bytes() == b"x"


@pytest.fixture
def blocker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An upper room that has work in every library."""
    monkeypatch.setitem(
        hooks._registered, "library_removal_blockers", [lambda _library: ["2 jobs wait."]]
    )
    yield


def test_a_library_with_active_jobs_stays(root: Path, blocker: None) -> None:
    library = make_library(root)
    with pytest.raises(LibraryProblem, match="2 jobs wait"):
        remove_library(library)
    assert Library.objects.exists()


def test_a_library_being_scanned_stays(root: Path) -> None:
    library = make_library(root)
    start_scan(library=library)
    with pytest.raises(LibraryProblem, match="being scanned"):
        remove_library(library)


def test_a_library_with_a_film_in_work_stays(root: Path) -> None:
    (root / "film.mkv").write_bytes(b"x")
    library = make_library(root)
    scan(library)
    MediaFile.objects.update(state=FileState.PROCESSING)
    with pytest.raises(LibraryProblem, match="being encoded"):
        remove_library(library)


@pytest.mark.ffmpeg
def test_a_repaired_film_is_fine_after_a_recheck(root: Path) -> None:
    make_clip("broken", root / "film.mkv")
    library = make_library(root)
    scan(library)
    file = file_at(library, "film.mkv")
    assert recheck_file(file).availability == Availability.UNREADABLE
    make_clip("h264_mkv", root / "film.mkv")
    age(root)
    recheck_file(file)
    file.refresh_from_db()
    assert (file.availability, file.video_codec) == (Availability.PRESENT, "h264")
    (root / "film.mkv").unlink()
    assert recheck_file(file).availability == Availability.MISSING


def test_a_film_in_work_is_not_rechecked(root: Path) -> None:
    (root / "film.mkv").write_bytes(b"x")
    library = make_library(root)
    scan(library)
    MediaFile.objects.update(state=FileState.PROCESSING, availability=Availability.PRESENT)
    assert recheck_file(MediaFile.objects.get()).availability == Availability.PRESENT


@pytest.fixture
def film_and_info(root: Path) -> tuple[MediaFile, MediaInfo]:
    """A scanned file that no prober can read, and what a prober says that can."""
    (root / "film.mkv").write_bytes(b"x")
    library = make_library(root)
    scan(library)
    video = VideoStream(0, "hevc", width=1920, height=800)
    return file_at(library, "film.mkv"), MediaInfo("mkv", "matroska", 1, 60.0, 0.0, 8, (video,))


def recheck_while(file: MediaFile, probe: Callable[[bytes], MediaInfo]) -> MediaFile:
    with mock.patch.object(rechecks, "probe_in_worker", probe):
        return recheck_file(file)


@pytest.mark.parametrize("state", [FileState.QUEUED, FileState.IGNORED])
def test_a_recheck_keeps_the_state_that_was_set_while_it_looked(
    film_and_info: tuple[MediaFile, MediaInfo], state: FileState
) -> None:
    file, info = film_and_info

    def probe(_path: bytes) -> MediaInfo:
        MediaFile.objects.update(state=state, state_reason="Said meanwhile.", play_count=3)
        return info

    recheck_while(file, probe)
    file.refresh_from_db()
    assert (file.state, file.state_reason, file.play_count) == (state, "Said meanwhile.", 3)
    assert (file.availability, file.video_codec) == (Availability.PRESENT, "hevc")
    assert file.probe.detail["video"][0]["codec"] == "hevc"


@pytest.mark.parametrize(
    "written",
    [
        {"path_raw": b"film.mp4", "path_digest": path_digest(b"film.mp4"), "path": "film.mp4"},
        {"size_bytes": 7},
        {"mtime_ns": 7},
        {"state": FileState.PROCESSING},
    ],
)
@pytest.mark.parametrize("is_readable", [True, False])
def test_a_recheck_leaves_a_row_that_became_another_file_while_it_looked(
    film_and_info: tuple[MediaFile, MediaInfo], written: dict[str, Any], is_readable: bool
) -> None:
    file, info = film_and_info
    after: list[Any] = []

    def probe(_path: bytes) -> MediaInfo:
        MediaFile.objects.update(**written, availability=Availability.PRESENT)
        after.extend(MediaFile.objects.values())
        if not is_readable:
            raise ProbeProblem("vanished", "It is gone.")
        return info

    shown = recheck_while(file, probe)
    assert list(MediaFile.objects.values()) == after
    assert shown.availability == Availability.PRESENT
    assert "next scan" in AuditEvent.objects.get(action="file.recheck").detail


def test_a_recheck_does_not_bring_a_removed_row_back(
    film_and_info: tuple[MediaFile, MediaInfo],
) -> None:
    file, info = film_and_info

    def probe(_path: bytes) -> MediaInfo:
        MediaFile.objects.all().delete()
        return info

    recheck_while(file, probe)
    assert not MediaFile.objects.exists()


def test_files_leave_the_list_but_not_those_in_work(root: Path) -> None:
    for name in ("a.mkv", "b.mkv"):
        (root / name).write_bytes(b"x")
    library = make_library(root)
    scan(library)
    MediaFile.objects.filter(path="a.mkv").update(state=FileState.PROCESSING)
    assert remove_from_list(list(MediaFile.objects.values_list("pk", flat=True))) == 1
    assert MediaFile.objects.filter(removed_from_list_at=None).get().path == "a.mkv"
    library.refresh_from_db()
    assert (library.file_count, library.total_bytes) == (1, 1)


def test_a_path_inside_a_library_is_that_library(root: Path) -> None:
    (root / "a").mkdir()
    library = make_library(root)
    assert library_for(bytes(root / "a")).pk == library.pk
    assert library_for(bytes(root)).pk == library.pk
    with pytest.raises(LibraryProblem, match="There is no folder"):
        library_for(bytes(root / "b"))
    with pytest.raises(LibraryProblem):
        library_for(b"")
