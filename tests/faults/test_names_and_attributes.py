"""Faults 46 to 52: names that collide, look alike, or hurt; attributes that must stay."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import FsCall, fs
from tests.faults.places import Before, as_user
from tests.faults.test_disks import open_folders
from tests.media import HOSTILE_NAMES
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import JournalState
from transcode.outcomes import JobFailed, JobHeld
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
__all__ = ["open_folders"]


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _name(row_final: bytes) -> bytes:
    return os.path.basename(row_final)


@pytest.mark.parametrize("mode", ["replace", "beside"])
def test_fault_46_a_name_that_is_taken_gets_a_number_and_nothing_is_clobbered(
    make_world: Callable[..., World], mode: str
) -> None:
    taken = {"film.mkv": "another cut", "film.mf1.mkv": "a third one"}
    world = make_world(name=b"film.avi", neighbours=taken, mode=mode)
    row = world.swap()
    assert _name(bytes(row.final_raw)) == b"film.mf2.mkv"
    assert broken_invariants(world) == []


def test_fault_46_a_name_that_is_taken_in_the_last_instant_gets_a_number(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    late = world.root / "film.mkv"
    fs.watcher = Before("link", lambda _call: late.write_text("late") and None, b"/film.mkv")
    row = world.swap()
    assert _name(bytes(row.final_raw)) == b"film.mf1.mkv"
    assert late.read_text() == "late"


def test_fault_47_a_disk_without_case_says_that_the_name_is_taken(
    make_world: Callable[..., World],
) -> None:
    """FILM.MKV is there: a disk that knows no case answers EEXIST for film.mkv, and shows it."""
    world = make_world(name=b"film.avi", neighbours={"FILM.MKV": "another film"})
    fs.watcher = _WithoutCase(os.fsencode(world.root / "FILM.MKV"))
    row = world.swap()
    fs.watcher = None
    assert _name(bytes(row.final_raw)) == b"film.mf1.mkv"
    assert broken_invariants(world) == []


class _WithoutCase:
    """link() to another spelling of a name that is there fails, as on a disk without case."""

    def __init__(self, there: bytes) -> None:
        self._there = there

    def before(self, call: FsCall) -> None:
        if call.name == "link" and call.other.lower() == self._there.lower():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), call.other)

    def after(self, call: FsCall) -> None:
        pass


def test_fault_47_another_case_of_the_extension_is_the_same_name(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"FILM.MKV")
    row = world.swap()
    assert row.final_raw == row.original_raw
    assert broken_invariants(world) == []


@pytest.mark.parametrize("form", ["é nfc.avi", "e\u0301 nfd.avi"])
def test_fault_48_two_spellings_of_one_letter_are_two_names(
    make_world: Callable[..., World], form: str
) -> None:
    other = {"é nfc.avi": "e\u0301 nfc.avi", "e\u0301 nfd.avi": "é nfd.avi"}[form]
    world = make_world(name=form.encode(), neighbours={other: "the other spelling"})
    row = world.swap()
    assert bytes(row.final_raw).endswith(form[:-4].encode() + b".mkv")
    assert broken_invariants(world) == []


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_fault_49_any_name_is_swapped_and_put_back(
    make_world: Callable[..., World], name: bytes
) -> None:
    world = make_world(name=name)
    world.swap()
    assert broken_invariants(world) == []
    result = undo_job(world.job.pk, actor=None)
    assert result.ok, result.reason
    assert broken_invariants(world) == []


@pytest.mark.parametrize(
    ("name", "final"),
    [
        (b"x" * 251 + b".avi", b"x" * 251 + b".mkv"),
        (b"x" * 252 + b".ts", b"x" * 251 + b".mkv"),
        (("ü" * 126).encode() + b".ts", ("ü" * 125).encode() + b".mkv"),
    ],
)
def test_fault_50_a_name_as_long_as_the_disk_takes_stays_within_it(
    make_world: Callable[..., World], name: bytes, final: bytes
) -> None:
    world = make_world(name=name, neighbours={})
    row = world.swap()
    assert _name(bytes(row.final_raw)) == final
    assert len(os.path.basename(bytes(row.trash_raw or b""))) + len(b".json") <= 255
    assert broken_invariants(world) == []


def test_fault_50_a_long_name_with_a_number_stays_within_255_bytes(
    make_world: Callable[..., World],
) -> None:
    stem = "x" * 251
    world = make_world(name=f"{stem}.avi".encode(), neighbours={f"{stem}.mkv": "taken"})
    row = world.swap()
    assert _name(bytes(row.final_raw)) == b"x" * 247 + b".mf1.mkv"
    assert broken_invariants(world) == []


def test_fault_50_a_path_too_long_for_our_part_is_said(make_world: Callable[..., World]) -> None:
    deep = b"/".join([b"d" * 250] * 15)
    world = make_world(name=b"film.mkv")
    room = 4090 - len(os.fsencode(world.root)) - len(deep) - len(b"/film.mkv") - 1
    folder = os.path.join(os.fsencode(world.root), deep, b"e" * min(room, 250))
    os.makedirs(folder)
    if len(folder) + 45 < 4096:
        pytest.skip("the temporary folder's own path is too short for this")
    film = os.path.join(folder, b"film.mkv")
    os.rename(world.film, film)
    world.film = film
    with pytest.raises(JobFailed, match="name_too_long"):
        world.swap()
    assert os.path.exists(film)


@pytest.mark.service("root")
@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])
def test_fault_51_mode_owner_times_attributes_and_acl_stay(
    make_world: Callable[..., World], name: bytes
) -> None:
    world = make_world(name=name)
    acl = _acl_for_user(4711)
    os.chown(world.film, 1234, 5678)
    os.chmod(world.film, 0o4640)
    os.setxattr(world.film, "user.note", b"seen \xff")
    os.setxattr(world.film, "system.posix_acl_access", acl)
    os.utime(world.film, ns=(1_000_000_000_000_000_001, 1_111_111_111_111_111_111))
    row = world.swap()
    after = os.lstat(bytes(row.final_raw))
    assert (after.st_uid, after.st_gid) == (1234, 5678)
    assert after.st_mtime_ns == 1_111_111_111_111_111_111
    assert after.st_mode & 0o7777 == 0o640, "the set-user-id bit is dropped"
    assert os.getxattr(bytes(row.final_raw), "user.note") == b"seen \xff"
    assert os.getxattr(bytes(row.final_raw), "system.posix_acl_access") == acl
    assert any("set-user-id" in loss for loss in row.listed_losses)
    undo_job(world.job.pk, actor=None)
    assert os.lstat(world.film).st_uid == 1234


def _acl_for_user(uid: int) -> bytes:
    """user::rw-, user:<uid>:r--, group::r--, mask::r--, other::--- (linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, 4, uid), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.service("root")
@pytest.mark.parametrize(("mode", "is_held"), [(0o640, True), (0o644, False)])
def test_fault_51_an_owner_that_cannot_be_kept_is_a_listed_loss_or_asks_a_person(
    make_world: Callable[..., World], open_folders: None, mode: int, is_held: bool
) -> None:
    world = make_world()
    for path in (world.work.parent, world.work, world.root, world.root / ".mediaflow"):
        path.chmod(0o777)
    (world.root / "Film (2001)").chmod(0o777)
    world.output.chmod(0o644)
    os.chown(world.film, 1234, 5678)
    # Readable by whom we run as, through the supplementary group.
    os.chmod(world.film, mode)
    with as_user(4242, *([5678] if not is_held else [])):
        if is_held:
            os.seteuid(0)
            context = world.context("")
            os.seteuid(4242)
            with pytest.raises(JobHeld, match="owner_not_kept"):
                world.swap(context=context)
        else:
            row = world.swap()
    if is_held:
        assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)
    else:
        assert any("Owner 1234 could not be kept" in loss for loss in row.listed_losses)
        assert os.lstat(world.film).st_gid == 5678


def test_fault_51_an_attribute_that_the_disk_does_not_take_is_a_listed_loss(
    make_world: Callable[..., World],
) -> None:
    from tests.faults.places import Refusing

    world = make_world()
    os.setxattr(world.film, "user.note", b"seen")
    fs.watcher = Refusing("write_xattr", code=errno.ENOSPC)
    row = world.swap()
    assert row.state == JournalState.DONE
    assert any("user.note" in loss for loss in row.listed_losses)


def test_fault_52_sidecars_are_untouched_when_the_extension_changes(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    world.swap()
    for name, content in {"film.srt": b"1\nsubtitle", "film.nfo": b"<movie/>"}.items():
        assert (world.root / name).read_bytes() == content
    assert broken_invariants(world) == []
