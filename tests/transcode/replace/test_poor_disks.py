"""Disks that lack hard links, the exchange, or any rename that does not overwrite."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import FsCall, NotOurs, fs
from tests.faults.places import Before, Refusing, Together
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import JobStatus, JournalState
from transcode.outcomes import JobHeld, JobOutcome, JobWaits
from transcode.replacing.names import MAX_NAME_TRIES, beside_path, next_free_name, split_suffix
from transcode.replacing.problems import outcome_of
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
LACKS = [
    ("link",),
    ("rename_exchange",),
    ("link", "rename_exchange"),
    ("rename_exchange", "rename_noreplace"),
    ("link", "rename_exchange", "rename_noreplace"),
]
EACH_LACK = pytest.mark.parametrize("lacks", LACKS, ids=" ".join)


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


@EACH_LACK
@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])
def test_a_swap_and_its_undo_work_without(
    make_world: Callable[..., World], lacks: tuple[str, ...], name: bytes
) -> None:
    world = make_world(name=name)
    fs.watcher = Refusing(*lacks)
    row = world.swap()
    assert row.state == JournalState.DONE
    assert broken_invariants(world) == []
    result = undo_job(world.job.pk, actor=None)
    assert result.ok, result.reason
    assert broken_invariants(world) == []


@EACH_LACK
def test_a_name_that_is_taken_gets_a_number_without(
    make_world: Callable[..., World], lacks: tuple[str, ...]
) -> None:
    world = make_world(name=b"film.avi", neighbours={"film.mkv": "another", "film.mf1.mkv": ""})
    fs.watcher = Refusing(*lacks)
    row = world.swap()
    assert bytes(row.final_raw).endswith(b"/film.mf2.mkv")
    assert broken_invariants(world) == []


@pytest.mark.parametrize("lacks", LACKS[2:3] + LACKS[4:], ids=" ".join)
@pytest.mark.parametrize("call", ["rename_noreplace", "rename_over"])
def test_a_film_that_comes_while_the_names_change_is_not_lost(
    make_world: Callable[..., World], lacks: tuple[str, ...], call: str
) -> None:
    world = make_world(name=b"film.mkv")
    newer = world.folder / "fresh.mkv"
    newer.write_bytes(b"newer")
    target = os.fsdecode(world.film)
    comes = Before(call, lambda _call: newer.rename(target), b"film.mkv\0")
    fs.watcher = Together(comes, Refusing(*lacks))
    try:
        world.swap()
    except JobOutcome:
        pass
    fs.watcher = None
    if comes.is_done:
        assert digest(b"newer") in tree(world.root).values()
    else:
        assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_a_film_that_comes_before_a_plain_rename_is_seen(
    make_world: Callable[..., World],
) -> None:
    """Without the exchange the inode is looked at right before the rename."""
    world = make_world(name=b"film.mkv")
    newer = world.folder / "fresh.mkv"
    newer.write_bytes(b"newer")
    comes = Before("rename_exchange", lambda _call: newer.rename(os.fsdecode(world.film)))
    fs.watcher = Together(comes, Refusing("rename_exchange"))
    with pytest.raises(JobHeld, match="swap_stuck") as stopped:
        world.swap()
    assert tree(world.root)[b"film.mkv"] == digest(b"newer")
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    place = os.fsdecode(bytes(world.journal().trash_raw or b""))
    assert f"the original may lie at {place}. Nothing more is touched" in stopped.value.reason
    assert "Nothing was touched" not in stopped.value.reason


def test_a_link_that_the_network_made_twice_is_known_as_ours(
    make_world: Callable[..., World],
) -> None:
    """NFS: the reply was lost, the request was repeated, and the answer is EEXIST."""
    world = make_world(name=b"film.avi")

    def made_before(call: FsCall) -> None:
        os.link(call.path, call.other)

    fs.watcher = Before("link", made_before, b"film.mkv")
    row = world.swap()
    assert bytes(row.final_raw).endswith(b"/film.mkv")
    assert broken_invariants(world) == []


def test_an_error_in_mid_swap_is_repaired_at_once_where_the_disk_lets_us(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    fs.watcher = _FailOnce("unlink", b".part")
    assert world.swap().state == JournalState.DONE
    assert broken_invariants(world) == []


class _FailOnce(Before):
    def __init__(self, name: str, suffix: bytes, state: str = "") -> None:
        super().__init__(name, self._fail, suffix)
        self._trial_is_over = False

    def _fail(self, call: FsCall) -> None:
        if not self._trial_is_over:
            self._trial_is_over = True
            self.is_done = False
            return
        raise OSError(errno.EIO, os.strerror(errno.EIO), call.path)


def test_a_new_film_that_the_disk_spoils_gives_way_to_the_original_at_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")

    def spoil(call: FsCall) -> None:
        with open(call.path, "r+b") as film:
            film.write(b"spoiled")

    fs.watcher = Before("sha256", spoil, b"film.mkv")
    assert world.run() == JobStatus.RETRY_WAIT
    fs.watcher = None
    assert world.journal().state == JournalState.ABANDONED
    assert "not what was verified" in world.journal().detail
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


@pytest.mark.parametrize(
    ("code", "outcome", "reason_code"),
    [
        (errno.ENOSPC, JobWaits, "disk_full"),
        (errno.EDQUOT, JobWaits, "disk_full"),
        (errno.EACCES, JobHeld, "no_permission"),
        (errno.EROFS, JobHeld, "read_only"),
        (errno.EFBIG, JobHeld, "file_too_big"),
        (errno.ESTALE, JobWaits, "library_unreachable"),
        (errno.EIO, JobWaits, "library_unreachable"),
    ],
)
def test_each_error_means_something_for_the_job(
    code: int, outcome: type[JobOutcome], reason_code: str
) -> None:
    found = outcome_of(OSError(code, os.strerror(code)), b"/films")
    assert isinstance(found, outcome)
    assert found.reason_code == reason_code
    assert "/films" in found.reason


def test_when_thirty_names_are_taken_a_person_is_asked() -> None:
    with pytest.raises(FileExistsError) as error:
        next_free_name(b"/films/a.mf%d.mkv" % MAX_NAME_TRIES)
    assert outcome_of(error.value, b"/films").reason_code == "no_free_name"


def test_a_name_without_a_suffix_keeps_its_dots() -> None:
    assert split_suffix(b"Mr. Smith goes to Washington") == (b"Mr. Smith goes to Washington", b"")
    assert split_suffix(b".hidden") == (b".hidden", b"")
    assert beside_path(b"/a/film.mkv", b"/a", ".mkv") == b"/a/film.mf1.mkv"


class TestTheShimItself:
    """What `fs` promises whoever uses it."""

    def test_nothing_is_unlinked_that_is_not_the_file_that_was_meant(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("somebody's")
        with pytest.raises(NotOurs):
            fs.unlink_own(os.fsencode(path), path.stat().st_ino + 1)
        assert path.exists()
        assert not fs.unlink_own(os.fsencode(tmp_path / "gone"), 1)

    def test_a_copy_never_overwrites_and_never_follows_a_link(self, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(b"x" * 100)
        target.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            fs.copy(os.fsencode(source), os.fsencode(target))
        assert not (tmp_path / "elsewhere").exists()

    def test_only_regular_files_are_hashed(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "link").symlink_to(tmp_path / "fifo")
        for name in ("fifo", "link"):
            with pytest.raises(OSError, match=r"regular|symbolic"):
                fs.sha256(os.fsencode(tmp_path / name))

    def test_a_tick_may_stop_a_long_read_or_copy(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"x" * 100)

        def stop() -> None:
            raise JobWaits("stop", "stop")

        with pytest.raises(JobWaits):
            fs.sha256(os.fsencode(source), tick=stop)
        with pytest.raises(JobWaits):
            fs.copy(os.fsencode(source), os.fsencode(tmp_path / "target"), tick=stop)

    def test_a_rename_that_may_not_replace_does_not(self, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        for lacks in ((), ("rename_noreplace",), ("rename_noreplace", "link")):
            one.write_text("1")
            two.write_text("2")
            fs.watcher = Refusing(*lacks)
            with pytest.raises(FileExistsError):
                fs.rename_noreplace(os.fsencode(one), os.fsencode(two))
            assert (one.read_text(), two.read_text()) == ("1", "2")

    def test_mode_bits_that_give_rights_away_are_never_set(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.touch()
        fs.chmod(os.fsencode(path), 0o6755)
        assert path.stat().st_mode & 0o7777 == 0o755

    def test_free_bytes_are_what_the_disk_says(self, tmp_path: Path) -> None:
        assert fs.free_bytes(os.fsencode(tmp_path)) > 0

    def test_a_folder_that_is_none_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError):
            fs.stat_folder(os.fsencode(tmp_path / "file"))

    def test_a_disk_without_attributes_has_none(self, tmp_path: Path) -> None:
        fs.watcher = None
        assert fs.read_xattrs(os.fsencode(tmp_path)) == {}
