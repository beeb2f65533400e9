"""Undo: the original comes back, or a sentence says why not."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from library.models import FileState, MediaFile
from mediaflow.base import hooks
from mediaflow.base.fs import fs
from mediaflow.base.models import AuditEvent
from mediaflow.base.operations import run_operation_here
from tests.faults.places import Before, Killed, Refusing, Together, at_point
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import (
    Job,
    JobStatus,
    JournalState,
    OutboxEntry,
    OutputMode,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.outcomes import JobSkipped
from transcode.replacing.undo import finish_open_undos, undo_job
from transcode.services import undo_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.accounts.models import User
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
NAMES = pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(hooks._registered, "before_original_leaves", [])
    yield
    fs.watcher = None


def _refused(world: World, words: str) -> None:
    before = tree(world.root)
    result = undo_job(world.job.pk, actor=None)
    assert not result.ok
    assert words in result.reason
    assert tree(world.root) == before, "a refused undo touches nothing"


@NAMES
def test_the_original_is_back_and_the_film_is_left_alone_from_then_on(
    make_world: Callable[..., World], operator: User, name: bytes
) -> None:
    world = make_world(name=name)
    before = tree(world.root)
    world.swap()
    result = undo_job(world.job.pk, actor=operator)
    assert result.ok, result.reason
    kept = {path: sha for path, sha in tree(world.root).items() if b"/trash/" not in path}
    assert kept == before
    world.file.refresh_from_db()
    assert world.file.state == FileState.IGNORED
    assert bytes(world.file.path_raw) == name
    assert world.file.size_bytes == len(ORIGINAL_BYTES)
    job = Job.objects.get()
    assert (job.status, job.undone_by) == (JobStatus.COMPLETED, operator)
    assert job.undone_at is not None
    assert TrashEntry.objects.get().state == TrashState.RESTORED
    assert AuditEvent.objects.filter(action="film.undo", actor=operator).exists()
    assert OutboxEntry.objects.filter(kind="file_restored").exists()


def test_an_undone_job_is_not_undone_again(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.swap()
    undo_job(world.job.pk, actor=None)
    _refused(world, "undone already")


@NAMES
@pytest.mark.parametrize("change", ["edited", "replaced", "deleted"])
def test_it_refuses_when_the_film_in_place_is_no_longer_ours(
    make_world: Callable[..., World], name: bytes, change: str
) -> None:
    world = make_world(name=name)
    final = os.fsdecode(bytes(world.swap().final_raw))
    if change == "edited":
        before = os.stat(final)
        with open(final, "r+b") as film:
            film.seek(200)
            film.write(b"new title")
        os.utime(final, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.unlink(final)
    if change == "replaced":
        with open(final, "wb") as film:
            film.write(b"somebody's better copy")
    _refused(world, "any more" if change == "deleted" else "no longer the one")
    assert world.journal().state == JournalState.DONE


@NAMES
@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_it_refuses_when_the_original_is_not_what_was_trashed(
    make_world: Callable[..., World], name: bytes, change: str
) -> None:
    world = make_world(name=name)
    trash = os.fsdecode(bytes(world.swap().trash_raw or b""))
    if change == "edited":
        with open(trash, "r+b") as film:
            film.write(b"X")
    else:
        os.unlink(trash)
    _refused(world, "not the original" if change == "edited" else "is gone")


def test_it_refuses_when_something_new_has_the_originals_name(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    world.swap()
    (world.root / "film.avi").write_text("a new one")
    _refused(world, "Something else is at")


def test_it_refuses_when_something_new_comes_in_the_last_instant(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    world.swap()
    new = world.root / "film.avi"
    fs.watcher = Before("rename_noreplace", lambda _call: new.write_text("new"))
    result = undo_job(world.job.pk, actor=None)
    assert not result.ok
    assert new.read_text() == "new"
    assert world.journal().state == JournalState.DONE
    assert world.output_sha256 in tree(world.root).values()
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_a_film_that_comes_into_our_place_in_the_last_instant_is_not_lost(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    world.swap()

    def move_in(_call: object) -> None:
        fresh = world.folder / "fresh.mkv"
        fresh.write_bytes(b"newer")
        fresh.rename(world.root / "film.mkv")

    fs.watcher = Before("rename_exchange", move_in)
    result = undo_job(world.job.pk, actor=None)
    assert not result.ok
    assert (world.root / "film.mkv").read_bytes() == b"newer"
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_it_refuses_while_another_job_of_the_film_is_active(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.swap()
    Job.objects.create(
        file=world.file, file_path="x", preset_slug="small", preset_spec={}, output_mode="replace"
    )
    _refused(world, "Another job")


def test_it_refuses_where_nothing_was_replaced(make_world: Callable[..., World]) -> None:
    world = make_world(mode=OutputMode.BESIDE)
    assert "replaced nothing" in undo_job(world.job.pk, actor=None).reason
    world.swap()
    _refused(world, "never replaced")


def test_it_refuses_while_the_library_is_away(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.swap()
    (world.root / ".mediaflow" / "id").unlink()
    _refused(world, "mounted")


def test_it_refuses_what_was_purged(make_world: Callable[..., World]) -> None:
    from transcode.trash.purge import purge_entry

    world = make_world()
    world.swap()
    assert purge_entry(TrashEntry.objects.get().pk).ok
    _refused(world, "gone")


def test_an_undo_that_was_interrupted_is_finished_by_the_sweep(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.swap()
    fs.watcher = Refusing("rename_exchange", "link", "unlink", code=5)
    assert "goes on by itself" in undo_job(world.job.pk, actor=None).reason
    fs.watcher = None
    assert world.journal().state == JournalState.UNDOING
    assert finish_open_undos() == 1
    assert broken_invariants(world) == []
    assert Job.objects.get().undone_at is not None


def test_an_undo_that_got_stuck_goes_on_when_it_is_asked_for_again(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    world.swap()
    aside = world.folder / "aside.mkv"

    def take_away(_call: object) -> None:
        (world.root / "film.mkv").rename(aside)
        (world.root / "film.mkv").write_bytes(b"in the way")

    fs.watcher = Before("rename_exchange", take_away)
    assert not undo_job(world.job.pk, actor=None).ok
    assert world.journal().state == JournalState.STUCK
    (world.root / "film.mkv").unlink()
    aside.rename(world.root / "film.mkv")
    assert undo_job(world.job.pk, actor=None).ok
    assert broken_invariants(world) == []


def test_while_both_names_exist_an_undo_takes_the_new_one_away(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(name=b"film.avi")
    seen = []

    def listener(replacement_id: int, deadline_s: float, is_stopping: object) -> bool:
        seen.append((sorted(p for p in tree(world.root) if p.startswith(b"film.")), deadline_s))
        assert undo_job(Replacement.objects.get(pk=replacement_id).job_id, actor=None).ok
        return True

    monkeypatch.setitem(hooks._registered, "before_original_leaves", [listener])
    with pytest.raises(JobSkipped, match="undone"):
        world.swap()
    [(names, deadline_s)] = seen
    assert {b"film.avi", b"film.mkv"} <= set(names)
    assert 590 < deadline_s <= 600
    assert world.journal().state == JournalState.UNDONE
    assert tree(world.root)[b"film.avi"] == digest(ORIGINAL_BYTES)
    assert b"film.mkv" not in tree(world.root)


def test_a_listener_that_fails_does_not_fail_the_swap(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def listener(replacement_id: int, deadline_s: float, is_stopping: object) -> bool:
        raise RuntimeError("Plex is dead")

    monkeypatch.setitem(hooks._registered, "before_original_leaves", [listener])
    world = make_world(name=b"film.avi")
    assert world.swap().state == JournalState.DONE


def test_it_refuses_what_was_given_up_before_anything_was_replaced(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    fs.watcher = Refusing("write", code=errno.ENOSPC, suffix=b".part")
    world.run()
    fs.watcher = None
    assert world.journal().state == JournalState.ABANDONED
    _refused(world, "replaced nothing")


def test_it_refuses_while_the_swap_has_no_end(make_world: Callable[..., World]) -> None:
    world = make_world()
    with at_point("replace.sidecar"), pytest.raises(Killed):
        world.swap()
    _refused(world, "no end yet (swapping)")
    assert world.restart() == JobStatus.COMPLETED


@pytest.mark.parametrize("is_known", [True, False])
def test_it_refuses_while_the_original_cannot_be_found(
    make_world: Callable[..., World], is_known: bool
) -> None:
    world = make_world()
    world.swap()
    if is_known:
        fs.watcher = Refusing("sha256", code=errno.EIO)
        _refused(world, "The films cannot be read: Input/output error")
    else:
        TrashEntry.objects.all().delete()
        _refused(world, "not in the trash")
    assert world.journal().state == JournalState.DONE


def test_it_refuses_when_the_swap_went_on_while_the_films_were_read(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.avi")
    with at_point("replace.published"), pytest.raises(Killed):
        world.swap()

    def go_on() -> None:  # the runner's recovery, in another process
        Replacement.objects.update(state=JournalState.SWAPPING)

    before = tree(world.root)
    result = undo_job(world.job.pk, actor=None, tick=go_on)
    assert "went on meanwhile" in result.reason
    assert tree(world.root) == before
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_a_library_that_goes_away_in_mid_undo_is_waited_for(
    make_world: Callable[..., World],
) -> None:
    """On a bare mount point every name is missing, which asks nobody to look."""
    world = make_world()
    world.swap()
    away = world.folder / "away"

    def unmount() -> None:
        world.root.rename(away)
        world.root.mkdir()

    with at_point("undo.announced", unmount):
        result = undo_job(world.job.pk, actor=None)
    assert "goes on by itself" in result.reason
    assert "mounted" in result.reason
    assert world.journal().state == JournalState.UNDOING
    assert finish_open_undos() == 0
    world.root.rmdir()
    away.rename(world.root)
    assert finish_open_undos() == 1
    assert broken_invariants(world) == []


def test_what_comes_under_the_name_while_ours_is_moved_aside_stays_and_is_said(
    make_world: Callable[..., World],
) -> None:
    """A disk with neither links nor the exchange: for an instant nothing has the film's name."""
    world = make_world(name=b"film.mkv")
    world.swap()
    new = world.root / "film.mkv"
    comes = Before("rename_noreplace", lambda _call: new.write_text("new"), b"/trash/")
    fs.watcher = Together(Refusing("link", "rename_exchange"), comes)
    result = undo_job(world.job.pk, actor=None)
    fs.watcher = None
    assert f"Something new came to {new}" in result.reason
    assert "undo again" in result.reason
    assert new.read_text() == "new"
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    assert world.journal().state == JournalState.STUCK
    new.unlink()
    assert undo_job(world.job.pk, actor=None).ok
    assert broken_invariants(world) == []


def test_an_error_on_a_disk_without_the_exchange_is_gone_over_later(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"film.mkv")
    world.swap()
    before = tree(world.root)
    fs.watcher = Together(Refusing("rename_exchange"), Refusing("link", code=errno.EIO))
    assert "goes on by itself" in undo_job(world.job.pk, actor=None).reason
    fs.watcher = None
    assert tree(world.root) == before
    assert finish_open_undos() == 1
    assert broken_invariants(world) == []


def test_a_film_that_is_no_longer_listed_is_put_back_all_the_same(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.swap()
    MediaFile.objects.all().delete()
    assert undo_job(world.job.pk, actor=None).ok
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)
    assert world.journal().state == JournalState.UNDONE


def test_many_jobs_are_undone_by_one_operation_that_can_be_repeated(
    make_world: Callable[..., World], operator: User
) -> None:
    worlds = [make_world(), make_world(name=b"film.avi"), make_world()]
    for world in worlds:
        world.swap()
    os.unlink(bytes(worlds[2].journal().final_raw))
    operation = undo_jobs([world.job.pk for world in worlds], actor=operator)
    # The first of them was put back by this operation before its process died.
    assert undo_job(worlds[0].job.pk, actor=operator).ok
    done = run_operation_here(operation)
    assert [entry["id"] for entry in done.result["undone"]] == [w.job.pk for w in worlds[:2]]
    [refused] = done.result["refused"]
    assert refused["id"] == worlds[2].job.pk
    assert "any more" in refused["reason"]
