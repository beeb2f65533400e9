"""A swap that does not come to its end at once: what the job says, what lies on the disk."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError

from library.models import MediaFile
from mediaflow.base import hooks
from mediaflow.base.fs import fs
from tests.faults.places import Before, Killed, Refusing, Together, at_point
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import Job, JobStatus, JournalState, OutputMode, Replacement
from transcode.outcomes import JobOutcome, JobWaits, LeaseLost
from transcode.queue import job_queue
from transcode.replacing.finish import finish_swap
from transcode.replacing.names import fit_name
from transcode.replacing.picture import Holds, Picture, Seen, Step, Unfit
from transcode.replacing.stage import refuse_deleted
from transcode.replacing.steps import take_step
from transcode.replacing.swap import replace_original

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
THEIRS = b"somebody's own film"


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(hooks._registered, "before_original_leaves", [])
    yield
    fs.watcher = None


def _ends_with(world: World, status: str, code: str) -> str:
    """The attempt ends so, with the film as it was. Returns the sentence for people."""
    world.run()
    job = Job.objects.get(pk=world.job.pk)
    assert (job.status, job.reason_code) == (status, code), job.reason
    assert Path(os.fsdecode(world.film)).read_bytes() == ORIGINAL_BYTES
    fs.watcher = None
    return job.reason


def _completes(world: World) -> None:
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_film_that_no_library_lists_any_more_is_skipped(make_world: Callable[..., World]) -> None:
    world = make_world()
    MediaFile.objects.all().delete()
    assert "no longer in any library" in _ends_with(world, JobStatus.SKIPPED, "file_gone")
    assert not Replacement.objects.exists()


def test_nothing_is_begun_where_nothing_may_be_replaced(make_world: Callable[..., World]) -> None:
    world = make_world(is_replace_allowed=False)
    assert world.library.name in _ends_with(world, JobStatus.SKIPPED, "replace_not_allowed")
    assert not Replacement.objects.exists()


def test_another_disk_under_the_films_folder_is_not_written(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")
    context.snapshot = replace(context.snapshot, device=context.snapshot.device + 1)
    before = tree(world.root)
    with pytest.raises(JobWaits, match="library_unreachable") as waits:
        world.swap(context=context)
    assert "another disk than before" in waits.value.reason
    assert tree(world.root) == before
    assert not Replacement.objects.exists()


def test_an_output_folder_that_is_away_is_waited_for(make_world: Callable[..., World]) -> None:
    world = make_world(mode=OutputMode.FOLDER)
    world.output_folder = os.fsencode(world.folder / "out")
    assert "out cannot be reached" in _ends_with(world, JobStatus.RETRY_WAIT, "folder_unreachable")
    (world.folder / "out").mkdir()
    _completes(world)


def test_a_part_that_somebody_removes_is_made_again(make_world: Callable[..., World]) -> None:
    world = make_world()
    fs.watcher = Before("chmod", lambda call: os.unlink(call.path), b".part")
    _ends_with(world, JobStatus.RETRY_WAIT, "library_unreachable")
    assert world.journal().state == JournalState.ABANDONED
    _completes(world)


def test_a_film_that_is_there_is_not_said_to_be_deleted(make_world: Callable[..., World]) -> None:
    world = make_world()
    refuse_deleted(world.context(""), world.library, world.output)
    assert world.output.exists()
    assert Job.objects.get().kept_output_raw is None


def test_a_file_of_others_in_the_trial_of_the_trash_stays_and_a_person_is_asked(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    def put_theirs(call: object) -> None:
        trash = _path(world.journal().trash_raw)
        trash.unlink()
        trash.write_bytes(THEIRS)

    fs.watcher = Before("lstat", put_theirs, b"/trash/")
    said = _ends_with(world, JobStatus.HELD, "swap_stuck")
    assert "not ours" in said
    assert "the swap had not begun. Nothing more is touched" in said
    trash = _path(world.journal().trash_raw)
    assert trash.read_bytes() == THEIRS
    trash.unlink()
    assert job_queue.release(world.job.pk)
    _completes(world)


def _path(raw: bytes | memoryview | None) -> Path:
    return Path(os.fsdecode(bytes(raw or b"")))


@pytest.mark.parametrize(
    ("lacks", "spoils", "code"),
    [
        # Names change, but the disk does not say that they last: nothing is taken for granted.
        ((), ("fsync_folder",), "swap_interrupted"),
        (("link",), ("rename_exchange",), "library_unreachable"),
    ],
)
def test_a_disk_that_fails_in_mid_swap_is_waited_for(
    make_world: Callable[..., World], lacks: tuple[str, ...], spoils: tuple[str, ...], code: str
) -> None:
    world = make_world(name=b"film.mkv")
    fails = Refusing(*spoils, code=errno.EIO, state=JournalState.SWAPPING)
    fs.watcher = Together(Refusing(*lacks), fails)
    assert "Input/output error" in _ends_with(world, JobStatus.RETRY_WAIT, code)
    _completes(world)


def test_a_database_that_is_away_after_the_names_changed_is_waited_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    claim = job_queue.claim_job(world.job.pk, "test/boot/ns/1/1")
    assert claim is not None
    ctx = world.context(claim.token)

    def full(*_args: object, **_values: object) -> bool:
        raise OperationalError("database or disk is full")

    with pytest.raises(JobWaits, match="database_busy"):
        replace_original(ctx, world.plan(), world.output, world.proof, finish=full)
    assert world.journal().state == JournalState.SWAPPING
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    _completes(world)


def test_a_job_taken_over_at_the_last_moment_is_completed_by_the_other(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")

    def lose() -> None:
        job_queue.take_over(world.job.pk, Job.objects.get().lease_token)

    with at_point("replace.reprobed", lose), pytest.raises(LeaseLost):
        world.swap()
    assert world.journal().state == JournalState.SWAPPING
    world.file.refresh_from_db()
    assert world.file.size_bytes == len(ORIGINAL_BYTES), "nothing of it was written"
    _completes(world)


def test_a_journal_that_another_process_moved_is_left_to_it(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(name=b"film.avi")

    def go_on(replacement_id: int, _deadline_s: float, _is_stopping: object) -> bool:
        Replacement.objects.filter(pk=replacement_id).update(state=JournalState.SWAPPING)
        return True

    monkeypatch.setitem(hooks._registered, "before_original_leaves", [go_on])
    with pytest.raises(LeaseLost):
        world.swap()
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    _completes(world)


def test_a_swap_that_is_stopped_while_both_names_exist_goes_on_at_the_next_start(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(name=b"film.avi")
    context = world.context("")
    context.is_stopping = lambda: True
    monkeypatch.setitem(hooks._registered, "before_original_leaves", [lambda *_: False])
    with pytest.raises(JobOutcome, match="handed_back"):
        world.swap(context=context)
    assert world.journal().state == JournalState.PUBLISHED
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    _completes(world)


@pytest.mark.parametrize("hook", ["before_swap", "before_original_leaves"])
def test_one_who_takes_all_the_time_leaves_none_to_the_next_and_the_swap_goes_on(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    world = make_world(name=b"film.avi")
    asked = []

    def slow(*_args: object) -> bool:
        asked.append("slow")
        time.sleep(0.03)
        return False

    def late(*_args: object) -> bool:
        asked.append("late")
        return True

    monkeypatch.setitem(hooks._registered, hook, [slow, late])
    monkeypatch.setattr("transcode.replacing.announce.NOTE_S", 0.02)
    monkeypatch.setattr("transcode.replacing.swap.PUBLISHED_WAIT_S", 0.02)
    assert world.swap().state == JournalState.DONE
    assert asked == ["slow"]
    assert broken_invariants(world) == []


def test_a_name_that_is_taken_in_the_last_instant_on_a_disk_without_links_gets_a_number(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    late = world.root / "film.mkv"
    comes = Before("link", lambda _call: late.write_bytes(THEIRS), b"/film.mkv")
    fs.watcher = Together(comes, Refusing("link"))
    row = world.swap()
    assert bytes(row.final_raw).endswith(b"/film.mf1.mkv")
    assert late.read_bytes() == THEIRS


@pytest.mark.service("root")
@pytest.mark.parametrize(
    ("call", "loss"),
    [
        ("chown", "Group 5678 could not be kept; it is "),
        ("utime", "The time of the last change could not be kept."),
    ],
)
def test_what_the_disk_does_not_let_us_keep_is_a_listed_loss(
    make_world: Callable[..., World], call: str, loss: str
) -> None:
    world = make_world()
    os.chown(world.film, -1, 5678)
    fs.watcher = Refusing(call, code=errno.EPERM)
    [listed] = world.swap().listed_losses
    assert listed.startswith(loss)


@pytest.mark.service("root")
def test_a_security_label_is_not_copied_and_is_no_loss(make_world: Callable[..., World]) -> None:
    world = make_world()
    os.setxattr(world.film, "trusted.label", b"of the old file")
    row = world.swap()
    assert row.listed_losses == []
    assert "trusted.label" not in os.listxattr(bytes(row.final_raw))


def test_without_a_proof_nothing_is_written_down_as_done(make_world: Callable[..., World]) -> None:
    world = make_world(name=b"film.mkv")
    with at_point("step.drop_part"), pytest.raises(Killed):
        world.swap()
    row = world.journal()
    row.proof = None
    with pytest.raises(Unfit, match="no proof"):
        finish_swap(world.context(Job.objects.get().lease_token), row)
    assert world.journal().state == JournalState.SWAPPING
    _completes(world)


def test_an_original_without_a_place_in_the_trash_does_not_leave(tmp_path: Path) -> None:
    film, part = tmp_path / "film.avi", tmp_path / "part"
    film.write_bytes(ORIGINAL_BYTES)
    row = Replacement(original_raw=os.fsencode(film), final_raw=b"/new", part_raw=os.fsencode(part))
    there, nothing = Seen(Holds.ORIGINAL, film.stat()), Seen(Holds.ABSENT)
    picture = Picture(there, nothing, nothing, nothing)
    for step in (Step.LINK_TRASH, Step.LEAVE):
        with pytest.raises(Unfit, match="no place in the trash"):
            take_step(row, picture, step)
    assert film.read_bytes() == ORIGINAL_BYTES


@pytest.mark.parametrize(
    ("stem", "fitted"),
    [
        (b"\xff" * 300, b"\xff" * 251),
        ("é".encode() * 150, "é".encode() * 125),
    ],
    ids=["no UTF-8", "UTF-8"],
)
def test_a_long_name_is_cut_to_what_a_disk_takes(stem: bytes, fitted: bytes) -> None:
    assert fit_name(stem, b".mkv") == fitted + b".mkv"
