"""Where a path lies: the library, also through links, and with disks that do not answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from library.places import find_place
from tests.dead_disk import dead_disk
from tests.library.file_rows import make_library

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import Library

pytestmark = pytest.mark.django_db


def library_at(folder: Path) -> Library:
    folder.mkdir()
    return make_library(folder.name, root=str(folder))


def test_a_path_lies_in_the_library_above_it(tmp_path: Path) -> None:
    films = library_at(tmp_path / "films")
    (tmp_path / "films" / "Up").mkdir()
    (tmp_path / "films" / "Up" / "up.mkv").touch()
    for name, relative, is_file in (
        ("films", b"", False), ("films/Up", b"Up", False), ("films/Up/up.mkv", b"Up/up.mkv", True),
    ):  # fmt: skip
        place = find_place(bytes(tmp_path / name))
        assert place is not None
        assert (place.library, place.relative, place.is_file) == (films, relative, is_file)
    assert find_place(bytes(tmp_path / "filmsets")) is None


def test_a_library_whose_folder_became_a_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "tank").mkdir()
    (tmp_path / "films").symlink_to(tmp_path / "tank")
    films = make_library("Films", root=str(tmp_path / "films"))
    place = find_place(os.path.realpath(bytes(tmp_path / "films" / "up.mkv")))
    assert place is not None
    assert (place.library, place.relative) == (films, b"up.mkv")


def test_the_dead_disk_of_another_library_is_not_waited_for(tmp_path: Path) -> None:
    library_at(tmp_path / "dead")
    films = library_at(tmp_path / "films")
    with dead_disk(bytes(tmp_path / "dead")) as disk:
        place = find_place(bytes(tmp_path / "films" / "up.mkv"))
        assert (disk.asked, place and place.library) == (0, films)
        assert find_place(bytes(tmp_path / "elsewhere")) is None


def test_a_path_on_a_dead_disk_is_a_timeout(tmp_path: Path) -> None:
    library_at(tmp_path / "dead")
    with dead_disk(bytes(tmp_path / "dead")), pytest.raises(TimeoutError):
        find_place(bytes(tmp_path / "dead" / "up.mkv"))
