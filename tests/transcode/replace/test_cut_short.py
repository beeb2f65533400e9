"""A swap that died in the middle, and what people or the disk did before it goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import fs
from tests.faults.places import Before, Killed, Refusing, Together, at_point
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import Job, JobStatus, JournalState, Replacement
from transcode.queue import job_queue
from transcode.replacing.undo import finish_open_undos, undo_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.base.fs import FsCall, Watcher
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
NO_NAMES = ("link", "rename_exchange", "rename_noreplace")
THEIRS = b"somebody's own film"


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _die_at(world: World, point: str, watcher: Watcher | None = None) -> Replacement:
    fs.watcher = watcher
    with at_point(point), pytest.raises(Killed):
        world.swap()
    fs.watcher = None
    return world.journal()


def _queue_again(world: World) -> None:
    """What the reaper does about a runner that died, and a person who does not wait."""
    job_queue.take_over(world.job.pk, Job.objects.get().lease_token)
    job_queue.release(world.job.pk)


def _path(raw: bytes | memoryview | None) -> Path:
    return Path(os.fsdecode(bytes(raw or b"")))


def _put(path: Path, *, link_to: Path | None = None) -> None:
    """Another file, or a symbolic link to one, under a name that was ours."""
    path.unlink(missing_ok=True)
    if link_to:
        path.symlink_to(link_to)
    else:
        path.write_bytes(THEIRS)


def _held_and_untouched(world: World, words: str) -> None:
    """The restart asks a person and leaves every name as it is."""
    before = tree(world.root)
    assert world.restart() == JobStatus.HELD
    assert tree(world.root) == before
    assert world.journal().state == JournalState.STUCK
    assert words in Job.objects.get().reason
    assert digest(ORIGINAL_BYTES) in before.values()


def test_a_film_that_took_the_name_before_anything_of_ours_was_visible_stays(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    row = _die_at(world, "replace.sidecar")
    _put(world.root / "film.mkv")
    _queue_again(world)
    world.run_recovery()
    assert tree(world.root)[b"film.mkv"] == digest(THEIRS)
    assert world.journal().state == JournalState.ABANDONED
    assert not _path(row.part_raw).exists()


def test_a_film_that_took_the_name_while_the_original_had_the_parts_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    """Without hard links the exchange puts the only original under the part's name."""
    world = make_world(name=b"film.mkv")
    _die_at(world, "step.link_trash", Refusing("link"))
    _put(world.root / "film.mkv")
    _held_and_untouched(world, "the part the original")


@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize("name", ["part_raw", "trash_raw"])
def test_what_is_not_ours_under_one_of_our_names_is_left_and_a_person_is_asked(
    make_world: Callable[..., World], name: str, kind: str
) -> None:
    world = make_world(name=b"film.avi")
    row = _die_at(world, "replace.sidecar")
    path = _path(getattr(row, name))
    _put(path, link_to=world.root / "film.nfo" if kind == "link" else None)
    _queue_again(world)
    assert world.run_recovery() == JobStatus.HELD
    assert "another file" in Job.objects.get().reason
    assert path.is_symlink() if kind == "link" else path.read_bytes() == THEIRS
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    path.unlink()
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_another_file_in_the_trash_before_anything_was_proven_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    trash = _path(_die_at(world, "replace.trash_chosen").trash_raw)
    _put(trash)
    _queue_again(world)
    assert world.run_recovery() == JobStatus.HELD
    assert "the trash's name holds another file" in Job.objects.get().reason
    assert trash.read_bytes() == THEIRS
    trash.unlink()
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_claim_in_the_trash_that_a_crash_left_is_cleared_on_the_way_forward(
    make_world: Callable[..., World],
) -> None:
    """Neither links nor a rename that spares: the name in the trash is claimed with nothing."""
    world = make_world(name=b"film.avi")
    lacks = Refusing("link", "rename_noreplace")
    die = Before("rename_over", _die, b"/trash/", state=JournalState.SWAPPING)
    fs.watcher = Together(lacks, die)
    with pytest.raises(Killed):
        world.swap()
    row = world.journal()
    assert _path(row.trash_raw).stat().st_size == 0
    fs.watcher = lacks
    assert world.restart() == JobStatus.COMPLETED
    fs.watcher = None
    assert broken_invariants(world) == []


def _die(_call: FsCall) -> None:
    raise Killed


def test_a_claim_of_the_films_own_name_that_a_crash_left_is_filled(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    lacks = Refusing(*NO_NAMES)
    die = Before("rename_over", _die, b".part\0" + world.film, state=JournalState.SWAPPING)
    fs.watcher = Together(lacks, die)
    with pytest.raises(Killed):
        world.swap()
    assert (world.root / "film.mkv").stat().st_size == 0
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    fs.watcher = lacks
    assert world.restart() == JobStatus.COMPLETED
    fs.watcher = None
    assert broken_invariants(world) == []


def test_a_claim_of_the_originals_name_that_a_dead_undo_left_is_filled(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    world.swap()
    lacks = Refusing(*NO_NAMES)
    fs.watcher = Together(lacks, Before("rename_over", _die, b"\0" + world.film))
    with pytest.raises(Killed):
        undo_job(world.job.pk, actor=None)
    assert (world.root / "film.avi").stat().st_size == 0
    fs.watcher = lacks
    assert finish_open_undos() == 1
    fs.watcher = None
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    assert broken_invariants(world) == []


def test_the_original_under_the_parts_name_returns_where_our_film_was_deleted(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    row = _die_at(world, "step.link_trash", Refusing("link"))
    assert row.link_method == "exchange"
    (world.root / "film.mkv").unlink()
    _queue_again(world)
    world.run_recovery()
    assert tree(world.root)[b"film.mkv"] == digest(ORIGINAL_BYTES)
    assert world.journal().state == JournalState.ABANDONED
    assert not _path(row.part_raw).exists()


def test_a_film_that_comes_while_the_original_is_moved_aside_gets_its_name_back(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    newer = world.folder / "fresh.mkv"
    newer.write_bytes(THEIRS)
    comes = Before(
        "rename_noreplace", lambda _call: newer.rename(os.fsdecode(world.film)), b"/film.mkv\0"
    )
    fs.watcher = Together(Refusing("link", "rename_exchange"), comes)
    assert world.run() == JobStatus.HELD
    fs.watcher = None
    assert tree(world.root)[b"film.mkv"] == digest(THEIRS)
    assert "it was put back" in Job.objects.get().reason


@pytest.mark.parametrize("is_copy", [False, True], ids=["one file", "a copy"])
def test_the_old_name_of_an_original_in_the_trash_goes_only_if_it_is_the_same_file(
    make_world: Callable[..., World], is_copy: bool
) -> None:
    """Killed between the two halves of a move; somebody may have made two films of it since."""
    world = make_world(name=b"film.avi")
    fs.watcher = Refusing("rename_noreplace")
    with at_point("fs.linked"), pytest.raises(Killed):
        world.swap()
    fs.watcher = None
    assert list(tree(world.root).values()).count(digest(ORIGINAL_BYTES)) == 2
    if is_copy:
        _copy_in_place(world.root / "film.avi")
        _held_and_untouched(world, "two files")
        (world.root / "film.avi").unlink()
        job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def _copy_in_place(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def test_the_trash_keeps_its_original_where_the_films_name_holds_only_a_copy(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    _die_at(world, "step.link_trash")
    _copy_in_place(world.root / "film.mkv")
    assert world.restart() == JobStatus.HELD
    assert "two files" in Job.objects.get().reason
    assert list(tree(world.root).values()).count(digest(ORIGINAL_BYTES)) == 2


def test_a_disk_that_says_removed_and_removes_nothing_asks_a_person(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(name=b"film.avi")
    real = fs.unlink_own

    def lies(path: bytes, inode: int) -> bool:
        is_swap = Replacement.objects.filter(state=JournalState.SWAPPING).exists()
        return True if is_swap else real(path, inode)

    monkeypatch.setattr(fs, "unlink_own", lies)
    assert world.run() == JobStatus.HELD
    assert "keep changing" in Job.objects.get().reason
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    monkeypatch.undo()
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_way_back_on_a_disk_that_removes_nothing_asks_a_person(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(name=b"film.avi")
    _die_at(world, "replace.sidecar")
    monkeypatch.setattr(fs, "unlink_own", lambda _path, _inode: True)
    _held_and_untouched(world, "keep changing")
    monkeypatch.undo()
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_part_that_cannot_be_removed_after_a_crash_is_waited_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    row = _die_at(world, "replace.part_written")
    _queue_again(world)
    status = world.run(Refusing("unlink", code=errno.EIO))
    job = Job.objects.get()
    assert (status, job.reason_code) == (JobStatus.RETRY_WAIT, "part_left")
    assert _path(row.part_raw).exists()
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])
def test_a_way_back_from_a_spoiled_film_that_was_cut_short_is_gone_to_its_end(
    make_world: Callable[..., World], name: bytes
) -> None:
    world = make_world(name=name)

    def spoil(call: FsCall) -> None:
        found = os.lstat(call.path)
        with open(call.path, "r+b") as film:
            film.write(b"spoiled")
        os.utime(call.path, ns=(found.st_atime_ns, found.st_mtime_ns))  # rot has no time

    spoiled = Before("sha256", spoil, b"film.mkv", state=JournalState.SWAPPING)
    _die_at(world, "back.unverified", spoiled)
    assert world.journal().state == JournalState.UNDOING
    assert not finish_open_undos(), "the job has not ended: its runner goes on"
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_film_folder_renamed_while_both_names_exist_is_to_get_its_name_back(
    make_world: Callable[..., World],
) -> None:
    """An empty folder would not do: the original is in the one that was renamed."""
    world = make_world(name=b"Film (2001)/film.avi")
    _die_at(world, "replace.published")
    folder = world.root / "Film (2001)"
    renamed = folder.rename(world.root / "Film (2002)")
    _held_and_untouched(world, f"was {folder}")
    assert "empty folder" not in Job.objects.get().reason
    renamed.rename(folder)
    job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_library_that_is_away_when_the_swap_goes_on_is_waited_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    _die_at(world, "step.swap_names")
    marker = world.root / ".mediaflow" / "id"
    marker.rename(world.folder / "id")
    before = tree(world.root)
    _queue_again(world)
    assert world.run_recovery() == JobStatus.RETRY_WAIT
    assert "id file" in Job.objects.get().reason
    assert tree(world.root) == before
    (world.folder / "id").rename(marker)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []
