"""An undo that meets a fault ends in a sentence, and keeps none of the others from their end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from library.models import FileState
from mediaflow.base.fs import fs
from mediaflow.base.operations import run_operation_here
from tests.faults.places import Before, Killed, Refusing, at_point
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import tree
from transcode.models import Job, JobStatus, JournalState, Replacement
from transcode.queue import job_queue
from transcode.replacing import undo
from transcode.replacing.journal import IllegalStep, JournalLost
from transcode.replacing.undo import finish_open_undos, undo_job
from transcode.services import undo_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.accounts.models import User
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _undoing(make_world: Callable[..., World]) -> World:
    """Its journal says undoing, and a restart must bring it to its end."""
    world = make_world()
    world.swap()
    with at_point("undo.marked"), pytest.raises(Killed):
        undo_job(world.job.pk, actor=None)
    return world


def test_an_undo_that_breaks_keeps_no_other_from_its_end(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = _undoing(make_world), _undoing(make_world)

    def announce(row: Replacement) -> None:
        if row.job_id == broken.job.pk:
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr("transcode.replacing.undo.announce_swap", announce)
    assert finish_open_undos() == 1
    assert whole.journal().state == JournalState.UNDONE
    assert broken.journal().state == JournalState.UNDOING, "tried again with the next sweep"


def test_a_disk_that_fails_after_something_came_in_the_way_is_said_in_a_sentence(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    world.swap()
    new = world.root / "film.avi"
    failing = Refusing("lstat", code=errno.EIO, suffix=b"/film.mkv")

    def come(_call: object) -> None:
        new.write_text("new")
        fs.watcher = failing

    fs.watcher = Before("rename_noreplace", come)
    result = undo_job(world.job.pk, actor=None)
    assert not result.ok
    assert result.reason == "It was interrupted (Input/output error) and goes on by itself."
    fs.watcher = None
    new.unlink()
    assert finish_open_undos() == 1
    assert broken_invariants(world) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (JournalLost("it is done"), "Another process went on with this film"),
        (IllegalStep("done -> undone"), "has no such step (done -> undone)"),
        (OSError(errno.ENOSPC, "No space left on device"), "goes on by itself"),
    ],
)
def test_the_undos_behind_one_that_cannot_be_done_are_done(
    make_world: Callable[..., World],
    operator: User,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    words: str,
) -> None:
    first, second = make_world(), make_world()
    for world in (first, second):
        world.swap()
    real = undo._write_undone

    def write_undone(row: Replacement, actor: User | None) -> None:
        if row.job_id == first.job.pk:
            raise fault
        real(row, actor)

    monkeypatch.setattr(undo, "_write_undone", write_undone)
    done = run_operation_here(undo_jobs([first.job.pk, second.job.pk], actor=operator))
    [refused] = done.result["refused"]
    assert refused["id"] == first.job.pk
    assert words in refused["reason"]
    assert [entry["id"] for entry in done.result["undone"]] == [second.job.pk]


def test_an_undo_that_finds_no_place_for_its_lock_has_touched_nothing(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.swap()

    def hold(_job_id: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(undo, "hold_journal", hold)
    before = tree(world.root)
    reason = undo_job(world.job.pk, actor=None).reason
    assert reason.startswith("It could not begin (No space left on device)")
    assert tree(world.root) == before


def test_a_job_that_waits_while_both_names_exist_is_over_once_it_is_undone(
    make_world: Callable[..., World],
) -> None:
    """Its runner died or was stopped there: nobody else would end it while the queue is paused."""
    world = make_world(name=b"film.avi")
    before = tree(world.root)
    with at_point("replace.published"), pytest.raises(Killed):
        world.swap()
    job_queue.take_over(world.job.pk, Job.objects.get().lease_token)
    assert undo_job(world.job.pk, actor=None).ok
    assert {p: sha for p, sha in tree(world.root).items() if b".mediaflow" not in p} == {
        p: sha for p, sha in before.items() if b".mediaflow" not in p
    }
    job = Job.objects.get()
    assert (job.status, job.reason) == (JobStatus.CANCELLED, "Undone before the original left.")
    assert job.undone_at is not None
    world.file.refresh_from_db()
    assert world.file.state == FileState.IGNORED
    assert broken_invariants(world) == []
