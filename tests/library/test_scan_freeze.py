"""When a scan must not believe its eyes (faults 12 and 15), and folders that it may not read."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from library.models import Availability, Library, MediaFile
from library.scanning.guard import leave_marker
from library.scanning.marker import read_marker
from mediaflow.base.models import AuditEvent
from tests.library.scanning import file_at, make_library, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db


def put_films(root: Path, count: int) -> Path:
    """Films that no prober reads (their content is none): quick, and listed all the same."""
    for number in range(count):
        path = root / f"Film {number} ({2000 + number})" / f"Film {number}.mkv"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no film %d" % number)
    return root


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = make_library(put_films(tmp_path / "films", 10))
    scan(library)
    MediaFile.objects.update(availability=Availability.PRESENT)
    return library


def root_of(library: Library) -> Path:
    from pathlib import Path

    return Path(library.root)


def missing() -> int:
    return MediaFile.objects.filter(availability=Availability.MISSING).count()


def test_the_first_scan_leaves_the_marker(library: Library) -> None:
    assert read_marker(bytes(library.root_raw)) == library.marker_id
    assert library.marker_seen_at is not None


def test_an_unreachable_root_freezes(library: Library) -> None:
    root_of(library).rename(root_of(library).with_name("away"))
    summary = scan(library)
    assert "cannot be reached" in summary.frozen_reason
    assert library.frozen_reason == summary.frozen_reason
    assert library.is_frozen
    assert missing() == 0


def test_a_bare_mount_point_freezes(library: Library) -> None:
    root_of(library).rename(root_of(library).with_name("away"))
    root_of(library).mkdir()
    assert "marker" in scan(library).frozen_reason
    assert missing() == 0
    assert list(root_of(library).iterdir()) == []  # nothing is written into it


def test_another_librarys_disk_freezes(library: Library) -> None:
    (root_of(library) / ".mediaflow" / "id").write_text(str(uuid.uuid4()))
    assert "another library" in scan(library).frozen_reason


def test_a_suddenly_empty_root_freezes(library: Library) -> None:
    for folder in root_of(library).glob("Film*"):
        shutil.rmtree(folder)
    assert "suddenly empty" in scan(library).frozen_reason
    assert missing() == 0


@pytest.mark.parametrize(("gone", "frozen"), [(3, False), (4, False), (5, True), (9, True)])
def test_too_many_losses_freeze(gone: int, frozen: bool, library: Library) -> None:
    for number in range(gone):
        shutil.rmtree(root_of(library) / f"Film {number} ({2000 + number})")
    assert bool(scan(library).frozen_reason) is frozen
    assert missing() == (0 if frozen else gone)


def test_accepted_losses_are_marked_and_thaw(library: Library) -> None:
    for number in range(9):
        shutil.rmtree(root_of(library) / f"Film {number} ({2000 + number})")
    assert scan(library).frozen_reason
    summary = scan(library, accept_losses=True)
    assert (summary.missing, summary.frozen_reason, library.frozen_reason) == (9, "", "")


def test_a_library_thaws_when_its_root_is_back(library: Library) -> None:
    root_of(library).rename(root_of(library).with_name("away"))
    scan(library)
    root_of(library).with_name("away").rename(root_of(library))
    assert scan(library).frozen_reason == ""
    assert not library.is_frozen
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["library.freeze", "library.thaw"]


def test_a_frozen_library_is_recorded_once(library: Library) -> None:
    root_of(library).rename(root_of(library).with_name("away"))
    scan(library)
    frozen_at = library.frozen_at
    scan(library)
    assert library.frozen_at == frozen_at
    assert AuditEvent.objects.filter(action="library.freeze").count() == 1


def test_a_moved_top_folder_is_no_loss(library: Library) -> None:
    (root_of(library) / "All").mkdir()
    for folder in root_of(library).glob("Film*"):
        folder.rename(root_of(library) / "All" / folder.name)
    summary = scan(library)
    assert (summary.moved, summary.missing, summary.frozen_reason) == (10, 0, "")


def test_an_empty_new_folder_is_a_library(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    library = make_library(tmp_path / "empty")
    assert scan(library).frozen_reason == ""
    assert library.marker_seen_at is not None


def test_the_marker_folder_must_be_a_folder(library: Library, tmp_path: Path) -> None:
    shutil.rmtree(root_of(library) / ".mediaflow")
    (root_of(library) / ".mediaflow").symlink_to(tmp_path)
    assert scan(library).frozen_reason


@pytest.mark.service("root")
def test_films_below_an_unreadable_folder_are_unreadable_not_missing(library: Library) -> None:
    """Root reads everything, so the walk runs under another user."""
    locked = root_of(library) / "Film 3 (2003)"
    (root_of(library) / "Film 4 (2004)" / "Film 4.mkv").unlink()
    with as_other_user(root_of(library)):
        locked.chmod(0)
        try:
            summary = scan(library)
        finally:
            locked.chmod(0o755)
    file = file_at(library, "Film 3 (2003)/Film 3.mkv")
    assert file.availability == Availability.UNREADABLE
    assert "folder cannot be read" in file.availability_reason
    assert missing() == 0  # the walk was not clean: nothing at all is marked missing
    assert summary.errors == 1


@pytest.mark.service("root")
def test_films_are_read_again_when_their_folder_is(library: Library) -> None:
    locked = root_of(library) / "Film 3 (2003)"
    with as_other_user(root_of(library)):
        locked.chmod(0)
        scan(library)
        locked.chmod(0o755)
    scan(library)
    reason = file_at(library, "Film 3 (2003)/Film 3.mkv").availability_reason
    assert "damaged" in reason  # read, and found to be no film


@pytest.mark.service("root")
def test_a_root_that_may_not_be_written_to_stays_without_a_marker(tmp_path: Path) -> None:
    root = put_films(tmp_path / "films", 2)
    library = make_library(root)
    with as_other_user(root):
        root.chmod(0o555)
        leave_marker(library)
    assert library.marker_seen_at is None
    assert not (root / ".mediaflow").exists()


@contextmanager
def as_other_user(root: Path) -> Iterator[None]:
    """Walk and look with the rights of user 65534, who owns what lies below `root`."""
    for folder in root.parents:
        if str(folder) in {"/", "/tmp"}:
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
