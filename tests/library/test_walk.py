"""The walk: what is listed, what is not, what cannot be seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from library.scanning.mounts import file_system_of, sends_events
from library.scanning.settle import is_complete, is_fresh, is_long_quiet
from library.scanning.walk import NEEDS_A_LOOK, KnownFiles, WalkResult, describe, walk_library
from tests.media import HOSTILE_NAMES

if TYPE_CHECKING:
    from pathlib import Path


def walk(root: Path, known: KnownFiles | None = None) -> WalkResult:
    return walk_library(
        bytes(root), {} if known is None else known, pause=lambda _files, _folder: None
    )


def put(root: Path, name: str, content: bytes = b"film") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def paths(result: WalkResult) -> set[bytes]:
    return {found.path_rel for found in result.found}


def test_only_films_are_listed(tmp_path: Path) -> None:
    for name in ("a.mkv", "b/c.MP4", "d.srt", "e.jpg", "f", "g.nfo", "h.iso", "i.mkv.part"):
        put(tmp_path, name)
    assert paths(walk(tmp_path)) == {b"a.mkv", b"b/c.MP4", b"h.iso"}


def test_hidden_names_system_folders_and_our_own_are_skipped(tmp_path: Path) -> None:
    for name in (
        ".hidden.mkv", ".mf-1234.part", ".mediaflow/trash/a.mkv", ".Trash/a.mkv", "@eaDir/a.mkv",
        "#recycle/a.mkv", "$RECYCLE.BIN/a.mkv", "lost+found/a.mkv",
    ):  # fmt: skip
        put(tmp_path, name)
    assert walk(tmp_path).files == 0


def test_disc_folders_are_one_entry_and_not_entered(tmp_path: Path) -> None:
    put(tmp_path, "Heat (1995)/BDMV/STREAM/00001.m2ts", b"x" * 100)
    put(tmp_path, "Heat (1995)/BDMV/index.bdmv", b"y" * 10)
    put(tmp_path, "Alien/VIDEO_TS/VTS_01_1.VOB")
    result = walk(tmp_path)
    assert paths(result) == {b"Heat (1995)/BDMV", b"Alien/VIDEO_TS"}
    assert all(found.is_disc_folder for found in result.found)
    assert {found.size_bytes for found in result.found} == {110, 4}


def test_an_unchanged_disc_folder_is_unchanged(tmp_path: Path) -> None:
    put(tmp_path, "Heat/BDMV/STREAM/00001.m2ts")
    (found,) = walk(tmp_path).found
    known = {found.path_rel: (found.size_bytes, found.mtime_ns, 1)}
    assert walk(tmp_path, known).unchanged == 1


@pytest.mark.parametrize(
    ("size_off", "ns_off", "is_unchanged"),
    [(0, 0, True), (0, 1_900_000_000, True), (0, -2_000_000_000, True), (0, 2_100_000_000, False),
     (1, 0, False)],
)  # fmt: skip
def test_unchanged_is_size_and_time_within_two_seconds(
    size_off: int, ns_off: int, is_unchanged: bool, tmp_path: Path
) -> None:
    status = put(tmp_path, "a.mkv").stat()
    known = {b"a.mkv": (status.st_size + size_off, status.st_mtime_ns + ns_off, 7)}
    result = walk(tmp_path, known)
    assert bool(result.unchanged) is is_unchanged
    assert [found.known_id for found in result.found] == ([] if is_unchanged else [7])
    assert known == {}


def test_a_row_that_needs_a_look_is_never_unchanged(tmp_path: Path) -> None:
    status = put(tmp_path, "a.mkv", b"").stat()
    known = {b"a.mkv": (NEEDS_A_LOOK, status.st_mtime_ns, 1)}
    assert len(walk(tmp_path, known).found) == 1


def test_what_was_not_seen_is_left_over(tmp_path: Path) -> None:
    known: KnownFiles = {b"gone.mkv": (1, 1, 5)}
    assert walk(tmp_path, known).is_clean
    assert known == {b"gone.mkv": (1, 1, 5)}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_bytes_and_come_back_as_they_are(name: bytes, tmp_path: Path) -> None:
    name = name if name.lower().endswith(b".mkv") else name + b".mkv"
    with open(os.path.join(bytes(tmp_path), name), "wb") as file:
        file.write(b"x")
    (found,) = walk(tmp_path).found
    assert found.path_rel == name


def test_both_spellings_of_an_accent_are_two_files(tmp_path: Path) -> None:
    put(tmp_path, "\u00e9.mkv")
    put(tmp_path, "e\u0301.mkv")
    assert len(walk(tmp_path).found) == 2


def test_links_to_films_inside_count_links_out_do_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "real.mkv")
    put(root, ".mediaflow/trash/old.mkv")
    put(tmp_path, "outside/secret.mkv")
    (root / "inside.mkv").symlink_to(root / "real.mkv")
    (root / "out.mkv").symlink_to(tmp_path / "outside" / "secret.mkv")
    (root / "trash.mkv").symlink_to(root / ".mediaflow" / "trash" / "old.mkv")
    (root / "dangling.mkv").symlink_to("nowhere.mkv")
    (root / "loop.mkv").symlink_to("loop.mkv")
    result = walk(root)
    assert paths(result) == {b"real.mkv", b"inside.mkv"}
    assert {found.path_rel for found in result.found if found.is_symlink} == {b"inside.mkv"}
    assert result.is_clean


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "folder/a.mkv")
    (root / "again").symlink_to(root / "folder")
    (root / "up").symlink_to(tmp_path)
    assert paths(walk(root)) == {b"folder/a.mkv"}


def test_hard_links_are_counted(tmp_path: Path) -> None:
    first = put(tmp_path, "a.mkv")
    (tmp_path / "b.mkv").hardlink_to(first)
    assert {found.hard_link_count for found in walk(tmp_path).found} == {2}


def test_a_pipe_named_as_a_film_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mkv")
    assert walk(tmp_path).files == 0


def test_a_root_that_is_gone_is_a_problem_of_the_root(tmp_path: Path) -> None:
    result = walk(tmp_path / "gone")
    assert not result.is_clean
    assert result.problems[0].path_rel == b""
    assert "cannot be read" in describe(result.problems[0])


def test_a_path_too_long_for_the_system_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
    finally:
        os.chdir(here)
    result = walk(tmp_path)
    assert not result.is_clean
    assert "too long" in describe(result.problems[0]).lower()


def test_the_walk_stops_where_pause_raises(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(_files: int, _folder: bytes) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        walk_library(bytes(tmp_path), {}, pause=cancel)


@pytest.mark.parametrize(
    ("age_s", "fresh"), [(0, True), (119, True), (121, False), (-60, True), (-3600, False)]
)
def test_fresh_is_within_the_settle_window(age_s: float, fresh: bool) -> None:
    now = 1_700_000_000.0
    mtime_ns = round((now - age_s) * 1e9)
    assert is_fresh(mtime_ns, now_s=now, settle_window_s=120) is fresh


def test_without_a_window_nothing_is_fresh() -> None:
    assert not is_fresh(0, now_s=0, settle_window_s=0)


def test_a_file_that_somebody_writes_is_not_complete(tmp_path: Path) -> None:
    path = put(tmp_path, "a.mkv")
    status = path.stat()
    later = status.st_mtime + 10

    def look(size: int = status.st_size, now: float = later) -> bool:
        return is_complete(bytes(path), size_bytes=size, mtime_ns=status.st_mtime_ns, now_s=now)

    assert look()
    assert not look(size=99)
    assert not look(now=status.st_mtime + 0.5)
    with path.open("ab"):
        assert not look()
    assert look()
    path.unlink()
    assert not look()


def test_one_look_is_enough_when_nothing_touched_the_file_for_long(tmp_path: Path) -> None:
    path = put(tmp_path, "a.mkv")
    os.utime(path, (1_000_000_000, 1_000_000_000))  # a copying tool keeps the old time
    status = path.stat()

    def look(later_s: float) -> bool:
        return is_long_quiet(
            bytes(path),
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            now_s=status.st_ctime + later_s,
        )

    assert look(2.5)
    assert not look(1.5)
    with path.open("ab"):
        assert not look(2.5)
    path.unlink()
    assert not look(2.5)


MOUNTS = rb"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /films rw - nfs4 nas:/films rw
31 30 0:41 / /films/local\040disk rw - btrfs /dev/sdb rw
32 22 0:42 / /pool rw - fuse.mergerfs 1:2 rw
33 22 0:43 / /usb rw - fuseblk /dev/sdc rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (b"/home", "ext4"),
        (b"/films/a", "nfs4"),
        (b"/filmsX", "ext4"),
        (b"/films/local disk/a", "btrfs"),
        (b"/pool", "fuse.mergerfs"),
        (b"/usb/x", "fuseblk"),
    ],
)
def test_the_nearest_mount_decides(folder: bytes, kind: str) -> None:
    assert file_system_of(folder, table=MOUNTS) == kind


def test_network_and_fuse_mounts_send_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"ext4": True, "nfs4": False, "cifs": False, "fuse.sshfs": False, "fuseblk": True}
    for kind, sends in {**kinds, "": False}.items():
        monkeypatch.setattr(
            "library.scanning.mounts.file_system_of", lambda _folder, kind=kind: kind
        )
        assert sends_events(b"/x") is sends
