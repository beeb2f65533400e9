"""Others change the films between our crash and our restart; journals that ask a person."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import fs
from tests.faults.places import Before, Killed
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import Job, JobStatus, JournalState, Replacement
from transcode.outcomes import JobHeld
from transcode.queue import job_queue
from transcode.replacing.journal import ALLOWED, IllegalStep, JournalLost, advance
from transcode.replacing.picture import Identity, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.base.fs import FsCall
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
FILM = b"Film (2001)/film.mkv"


class DieAfter:
    def __init__(self, name: str, state: str = "") -> None:
        self._name = name
        self._state = state

    def before(self, call: FsCall) -> None:
        pass

    def after(self, call: FsCall) -> None:
        is_there = not self._state or Replacement.objects.filter(state=self._state).exists()
        if call.name == self._name and is_there:
            raise Killed


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _die_after(world: World, name: str, state: str = "") -> Replacement:
    fs.watcher = DieAfter(name, state)
    with pytest.raises(Killed):
        world.swap()
    fs.watcher = None
    return world.journal()


def test_a_film_that_came_between_the_exchange_and_the_crash_gets_its_name_back(
    make_world: Callable[..., World],
) -> None:
    """The exchange put what had just come under the part's name; the crash left it there."""
    world = make_world()
    row = _die_after(world, "rename_exchange")
    part = os.fsdecode(bytes(row.part_raw))
    os.unlink(part)
    with open(part, "wb") as newer:
        newer.write(b"a better copy")
    assert world.restart() == JobStatus.HELD
    assert tree(world.root)[FILM] == digest(b"a better copy")
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    assert world.journal().state == JournalState.STUCK


@pytest.mark.parametrize("call", ["link", "rename_exchange"])
def test_a_film_folder_renamed_after_a_crash_in_mid_swap_asks_a_person(
    make_world: Callable[..., World], call: str
) -> None:
    """The library is there, so waiting for a mount would never end."""
    world = make_world()
    row = _die_after(world, call, JournalState.SWAPPING)
    folder = world.root / "Film (2001)"
    renamed = folder.rename(world.root / "Film (2002)")
    before = tree(world.root)
    assert world.restart() == JobStatus.HELD
    assert tree(world.root) == before
    assert world.journal().state == JournalState.STUCK
    reason = Job.objects.get().reason
    for path in (os.fsencode(folder), bytes(row.trash_raw or b""), bytes(row.final_raw)):
        assert os.fsdecode(path) in reason
    assert len(reason) < 1000
    renamed.rename(folder)
    job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_film_folder_that_is_gone_for_good_can_be_made_anew_for_the_original(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    _die_after(world, "rename_exchange")
    shutil.rmtree(world.root / "Film (2001)")
    assert world.restart() == JobStatus.HELD
    assert "an empty folder" in Job.objects.get().reason
    (world.root / "Film (2001)").mkdir()
    job_queue.release(world.job.pk)
    world.run_recovery()
    assert tree(world.root)[FILM] == digest(ORIGINAL_BYTES)
    assert world.journal().state == JournalState.ABANDONED


@pytest.mark.parametrize("state", [JournalState.COPYING, JournalState.STAGED])
def test_a_film_folder_renamed_before_the_swap_began_gives_the_attempt_up(
    make_world: Callable[..., World], state: str
) -> None:
    world = make_world()
    _die_after(world, "lstat", state)
    (world.root / "Film (2001)").rename(world.root / "Film (2002)")
    world.restart()
    assert world.journal().state == JournalState.ABANDONED
    assert tree(world.root)[b"Film (2002)/film.mkv"] == digest(ORIGINAL_BYTES)


def test_a_film_folder_that_is_renamed_in_mid_swap_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    folder = world.root / "Film (2001)"
    fs.watcher = Before(
        "rename_exchange", lambda _call: folder.rename(world.root / "Film (2002)"), b""
    )
    with pytest.raises(JobHeld, match="is not there"):
        world.swap()
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_a_stuck_swap_goes_on_once_a_person_has_put_things_right(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    _die_after(world, "link")  # the trial of the trash: nothing was touched yet
    _finish_first_try(world)
    world = make_world()
    row = _stuck(world)
    os.unlink(world.film)
    os.rename(bytes(row.trash_raw or b""), world.film)
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def _finish_first_try(world: World) -> None:
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def _stuck(world: World) -> Replacement:
    """Killed in the swap, the film replaced by somebody: two films, one name."""
    fs.watcher = _LinkedIntoTrash()
    with pytest.raises(Killed):
        world.swap()
    fs.watcher = None
    os.unlink(world.film)
    with open(world.film, "wb") as other:
        other.write(b"somebody's")
    assert world.restart() == JobStatus.HELD
    row = world.journal()
    assert row.state == JournalState.STUCK
    assert row.stuck_from == JournalState.SWAPPING
    return row


class _LinkedIntoTrash(DieAfter):
    def __init__(self) -> None:
        super().__init__("link")

    def after(self, call: FsCall) -> None:
        if call.name == "link" and not call.path.endswith(b".part"):
            raise Killed


def test_a_stuck_swap_that_is_retried_too_early_stays_stuck_and_touches_nothing(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    _stuck(world)
    before = tree(world.root)
    assert job_queue.release(world.job.pk)
    assert world.restart() == JobStatus.HELD
    assert tree(world.root) == before


def test_inodes_that_a_remount_has_changed_are_told_by_their_bytes(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    row = _die_after(world, "rename_exchange")
    for path in (row.original_raw, row.part_raw, row.trash_raw):
        _other_inode(os.fsdecode(bytes(path or b"")))
    # Two names of one file have become two files: what the trash holds is the original's.
    os.unlink(bytes(row.part_raw))
    os.link(bytes(row.trash_raw or b""), bytes(row.part_raw))
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def _other_inode(path: str) -> None:
    found = os.lstat(path)
    with open(path, "rb") as old, open(path + ".copy", "wb") as new:
        new.write(old.read())
    os.utime(path + ".copy", ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    os.rename(path + ".copy", path)


def test_two_files_where_the_journal_knows_one_are_never_removed(
    make_world: Callable[..., World],
) -> None:
    """The part's name holds the only copy that we can prove: it is not dropped."""
    world = make_world()
    row = _die_after(world, "rename_exchange")
    _other_inode(os.fsdecode(bytes(row.part_raw)))
    assert world.restart() == JobStatus.HELD
    assert list(tree(world.root).values()).count(digest(ORIGINAL_BYTES)) == 2


@pytest.mark.parametrize("state", JournalState.values)
def test_the_journal_allows_only_the_steps_of_its_table(
    make_world: Callable[..., World], state: str
) -> None:
    world = make_world()
    world.swap()
    for wanted in JournalState.values:
        stuck_from = wanted if state == JournalState.STUCK else ""
        Replacement.objects.update(state=state, stuck_from=stuck_from)
        row = world.journal()
        if wanted in ALLOWED[state]:
            advance(row, wanted)
            assert world.journal().state == wanted
        else:
            with pytest.raises(IllegalStep):
                advance(row, wanted)
            assert world.journal().state == state


def test_a_journal_that_somebody_else_moved_is_lost(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.swap()
    row = world.journal()
    Replacement.objects.update(state=JournalState.UNDOING)
    with pytest.raises(JournalLost):
        advance(row, JournalState.UNDOING)


def test_a_stuck_journal_becomes_only_what_it_was(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.swap()
    Replacement.objects.update(state=JournalState.STUCK, stuck_from=JournalState.UNDOING)
    with pytest.raises(IllegalStep):
        advance(world.journal(), JournalState.SWAPPING)


def test_a_look_that_cannot_tell_reads_the_bytes(make_world: Callable[..., World]) -> None:
    world = make_world()
    row = world.swap()
    _other_inode(os.fsdecode(bytes(row.final_raw)))
    names = names_of(row)
    assert Identity(row, trust_inodes=False).look(names.final).holds == "our file"
    assert Identity(row, trust_inodes=True).look(names.final).holds == "another file"
    assert Job.objects.get().status == JobStatus.COMPLETED
