"""`fs` on file systems that lack calls or fail: what counts as lacking, and what is an error."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mediaflow.base import failpoints
from mediaflow.base import fs as fs_module
from mediaflow.base.fs import CLAIMED, fs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LACKING = [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS]


@pytest.fixture(autouse=True)
def no_failpoint_stays() -> Iterator[None]:
    yield
    failpoints.watch(None)


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"film")
    return os.fsencode(path)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """The system call of this name fails from now on."""

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fail)


def lacks_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """A C library without renameat2: old glibc, old musl."""
    monkeypatch.setattr(fs_module, "_libc", object())


def content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("has_links", [True, False])
def test_a_rename_works_without_the_call_for_it(
    has_links: bool, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks_rename(monkeypatch)
    if not has_links:
        refuse(monkeypatch, "link", errno.EPERM)
    target = film + b".new"
    fs.rename_noreplace(film, target)
    assert content(target) == b"film"
    assert fs.lstat_or_none(film) is None


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_is_taken_is_never_overwritten(
    has_links: bool, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks_rename(monkeypatch)
    if not has_links:
        refuse(monkeypatch, "link", errno.EPERM)
    target = film + b".other"
    fs.write_new(target, b"another film")
    with pytest.raises(FileExistsError):
        fs.rename_noreplace(film, target)
    assert (content(film), content(target)) == (b"film", b"another film")


def test_a_film_that_took_the_claimed_name_meanwhile_stays(
    film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody replaces the empty file with which the name was claimed."""
    lacks_rename(monkeypatch)
    refuse(monkeypatch, "link", errno.EPERM)
    target, theirs = film + b".new", film + b".theirs"
    fs.write_new(theirs, b"another film")

    def somebody_is_faster(reached: str) -> None:
        if reached == CLAIMED:
            os.rename(theirs, target)

    failpoints.watch(somebody_is_faster)
    with pytest.raises(FileExistsError):
        fs.rename_noreplace(film, target)
    assert (content(film), content(target)) == (b"film", b"another film")


def test_a_failing_disk_is_not_taken_for_one_without_links(
    film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks_rename(monkeypatch)
    refuse(monkeypatch, "link", errno.EIO)
    target = film + b".new"
    with pytest.raises(OSError, match="Input/output error"):
        fs.rename_noreplace(film, target)
    assert content(film) == b"film"
    assert fs.lstat_or_none(target) is None


@pytest.mark.parametrize("code", LACKING)
def test_a_network_disk_that_cannot_sync_folders_is_accepted(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    refuse(monkeypatch, "fsync", code)
    fs.fsync_folder(os.fsencode(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_names_that_could_not_be_written_are_an_error(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "fsync", code)
    with pytest.raises(OSError) as problem:
        fs.fsync_folder(os.fsencode(tmp_path))
    assert problem.value.errno == code


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_attributes_has_none(
    code: int, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "listxattr", code)
    assert fs.read_xattrs(film) == {}


def test_attributes_that_cannot_be_read_are_an_error_and_not_lost(
    film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "listxattr", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        fs.read_xattrs(film)


def test_what_is_no_folder_or_no_file_is_said_to_be_none(film: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        fs.stat_folder(film)
    with pytest.raises(OSError) as problem:
        fs.sha256(os.fsencode(tmp_path))
    assert problem.value.errno == errno.EINVAL
