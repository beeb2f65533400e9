"""The content fingerprint and the marker folder."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from library.scanning.identity import content_fingerprint
from library.scanning.marker import MarkerProblem, marker_matches, read_marker, write_marker

if TYPE_CHECKING:
    from pathlib import Path


def test_the_fingerprint_does_not_know_the_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"film" * 100_000)
    (tmp_path / "b").write_bytes(b"film" * 100_000)
    assert content_fingerprint(bytes(tmp_path / "a")) == content_fingerprint(bytes(tmp_path / "b"))


@pytest.mark.parametrize("changed_at", [0, 70_000 - 1, 500_000 - 1])
def test_a_changed_head_or_tail_changes_the_fingerprint(changed_at: int, tmp_path: Path) -> None:
    raw = bytearray(500_000)
    (tmp_path / "a").write_bytes(raw)
    before = content_fingerprint(bytes(tmp_path / "a"))
    raw[changed_at] = 1
    (tmp_path / "a").write_bytes(raw)
    is_read = changed_at < 65_536 or changed_at >= 500_000 - 65_536
    assert (content_fingerprint(bytes(tmp_path / "a")) != before) is is_read


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 131_072, 131_073])
def test_size_counts_for_files_of_equal_bytes(size: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(size))
    (tmp_path / "b").write_bytes(bytes(size + 1))
    assert content_fingerprint(bytes(tmp_path / "a")) != content_fingerprint(bytes(tmp_path / "b"))


def test_a_marker_is_written_once_and_read_back(tmp_path: Path) -> None:
    marker = uuid.uuid4()
    assert not marker_matches(bytes(tmp_path), marker)
    write_marker(bytes(tmp_path), marker)
    write_marker(bytes(tmp_path), marker)
    assert marker_matches(bytes(tmp_path), marker)
    names = sorted(path.name for path in (tmp_path / ".mediaflow").iterdir())
    assert names == [".ignore", ".nomedia", ".plexignore", "id"]
    assert (tmp_path / ".mediaflow" / ".plexignore").read_text() == "*\n"


def test_another_librarys_marker_is_not_overwritten(tmp_path: Path) -> None:
    theirs = uuid.uuid4()
    write_marker(bytes(tmp_path), theirs)
    with pytest.raises(MarkerProblem):
        write_marker(bytes(tmp_path), uuid.uuid4())
    assert read_marker(bytes(tmp_path)) == theirs


def test_a_root_that_is_gone_is_an_error_not_a_missing_marker(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        marker_matches(bytes(tmp_path / "gone"), uuid.uuid4())


def test_a_linked_marker_folder_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".mediaflow").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        write_marker(bytes(tmp_path / "root"), uuid.uuid4())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_linked_id_file_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "root" / ".mediaflow").mkdir(parents=True)
    (tmp_path / "root" / ".mediaflow" / "id").symlink_to(victim)
    with pytest.raises((OSError, MarkerProblem)):
        write_marker(bytes(tmp_path / "root"), uuid.uuid4())
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"no uuid", b"\xff\xfe", b"x" * 10_000])
def test_a_broken_marker_counts_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".mediaflow").mkdir()
    (tmp_path / ".mediaflow" / "id").write_bytes(content)
    assert read_marker(bytes(tmp_path)) is None


def test_a_marker_that_is_a_pipe_does_not_block(tmp_path: Path) -> None:
    (tmp_path / ".mediaflow").mkdir()
    os.mkfifo(tmp_path / ".mediaflow" / "id")
    assert read_marker(bytes(tmp_path)) is None
