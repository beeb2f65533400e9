"""Originals in the trash when something goes wrong: a disk, a row overtaken, a film changed."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from library.models import Library, MediaFile
from mediaflow.base.fs import fs
from mediaflow.base.models import AuditEvent
from mediaflow.base.settings_store import get_setting, set_setting
from tests.faults.places import Before, Refusing, at_point
from tests.transcode.replace.test_trash import _optimised_again, _trashed
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import JobStatus, TrashEntry, TrashState
from transcode.outcomes import JobWaits
from transcode.replacing.journal import hold_journal
from transcode.trash import purge
from transcode.trash.purge import change_trash, purge_entry, resume_purges
from transcode.trash.sweep import sweep_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
TRASH = b"/trash/"


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _path(entry: TrashEntry) -> Path:
    return Path(os.fsdecode(bytes(entry.path_raw)))


def _kept(world: World, words: str) -> TrashEntry:
    """A purge that is asked for removes nothing and says why."""
    result = purge_entry(TrashEntry.objects.get(replacement__job=world.job).pk)
    fs.watcher = None
    assert not result.ok
    assert words in result.reason
    entry = TrashEntry.objects.get(replacement__job=world.job)
    assert _path(entry).read_bytes() == ORIGINAL_BYTES
    return entry


@pytest.mark.parametrize("state", TrashState.values)
def test_only_the_steps_of_the_table_are_taken(
    make_world: Callable[..., World], state: str
) -> None:
    _trashed(make_world)
    for wanted in TrashState.values:
        TrashEntry.objects.update(state=state)
        entry = TrashEntry.objects.get()
        if wanted in purge._ALLOWED.get(TrashState(state), set()):
            assert change_trash(entry, wanted)
            assert TrashEntry.objects.get().state == wanted
        else:
            with pytest.raises(KeyError):
                change_trash(entry, wanted)
            assert TrashEntry.objects.get().state == state


def test_a_row_that_somebody_else_moved_is_not_moved_again(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    entry = TrashEntry.objects.get()
    TrashEntry.objects.update(state=TrashState.LOST)
    assert not change_trash(entry, TrashState.PURGING)
    assert TrashEntry.objects.get().state == TrashState.LOST


def test_a_purge_that_a_sweep_overtakes_removes_nothing(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    fs.watcher = Before("sha256", lambda _call: TrashEntry.objects.update(state=TrashState.LOST))
    assert _kept(world, "Somebody else was faster").state == TrashState.LOST


@pytest.mark.parametrize("call", ["lstat", "sha256"])
def test_films_that_cannot_be_read_are_kept_with_the_reason(
    make_world: Callable[..., World], call: str
) -> None:
    world = _trashed(make_world, days=0)
    fs.watcher = Refusing(call, code=errno.EIO)
    entry = _kept(world, "could not be looked at: Input/output error")
    assert "could not be looked at" in entry.kept_reason
    assert sweep_trash().purged == 1


def test_a_film_of_the_same_size_with_other_bytes_keeps_the_original(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0)
    with open(bytes(world.journal().final_raw), "r+b") as film:
        film.seek(200)
        film.write(b"new title")
    _kept(world, "changed by others")


def test_a_long_chain_of_replacements_is_not_followed_for_ever(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _trashed(make_world, days=0, name=b"film.mkv")
    _optimised_again(world).swap()
    monkeypatch.setattr(purge, "MAX_CHAIN", 1)
    _kept(world, "too many times")


def test_an_original_goes_also_when_its_film_is_no_longer_listed(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0)
    MediaFile.objects.all().delete()
    assert sweep_trash().purged == 1
    assert world.output_sha256 in tree(world.root).values()


def test_an_original_of_a_library_that_was_removed_stays(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    Library.objects.all().delete()
    _kept(world, "library is not there")
    assert sweep_trash().seen == 0


def test_a_library_that_cannot_be_asked_counts_as_away(make_world: Callable[..., World]) -> None:
    """Somebody made `.mediaflow` a link: it is not followed, and nothing is purged or lost."""
    world = _trashed(make_world, days=0)
    folder = world.root / ".mediaflow"
    folder.rename(world.folder / "moved")
    folder.symlink_to(world.folder / "moved")
    assert sweep_trash().seen == 0
    assert TrashEntry.objects.get().state == TrashState.KEPT
    _kept(world, "library is not there")


def test_what_takes_the_originals_place_in_the_last_instant_is_not_removed(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world, days=0)
    path = _path(TrashEntry.objects.get())

    def put_theirs() -> None:
        path.unlink()
        path.write_bytes(b"somebody's")

    with at_point("purge.marked", put_theirs):
        result = purge_entry(TrashEntry.objects.get().pk)
    assert "could not be removed" in result.reason
    assert path.read_bytes() == b"somebody's"
    entry = TrashEntry.objects.get()
    assert (entry.state, entry.kept_reason) == (TrashState.KEPT, result.reason)


def test_a_purge_that_died_after_its_effect_is_written_down(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world)
    TrashEntry.objects.update(state=TrashState.PURGING)
    _path(TrashEntry.objects.get()).unlink()
    assert [result.freed_bytes for result in resume_purges()] == [len(ORIGINAL_BYTES)]
    assert TrashEntry.objects.get().state == TrashState.PURGED
    assert not [path for path in tree(world.root) if path.endswith(b".json")]
    assert AuditEvent.objects.filter(action="film.purge").count() == 1


@pytest.mark.parametrize(
    "fails",
    [
        Refusing("unlink", code=errno.EIO, suffix=b".json"),
        Refusing("fsync_folder", code=errno.EIO, suffix=TRASH[:-1]),
    ],
    ids=["sidecar", "fsync"],
)
def test_an_original_that_has_gone_is_purged_and_not_lost_when_the_rest_fails(
    make_world: Callable[..., World], fails: Refusing
) -> None:
    _trashed(make_world, days=0)
    fs.watcher = fails
    assert "goes on by itself" in purge_entry(TrashEntry.objects.get().pk).reason
    fs.watcher = None
    assert TrashEntry.objects.get().state == TrashState.PURGING
    result = sweep_trash()
    assert (result.purged, result.lost, result.freed_bytes) == (1, 0, len(ORIGINAL_BYTES))
    assert TrashEntry.objects.get().state == TrashState.PURGED


def test_a_disk_that_goes_in_mid_purge_is_asked_again(make_world: Callable[..., World]) -> None:
    _trashed(make_world, days=0)

    def go() -> None:
        fs.watcher = Refusing("lstat", "unlink", code=errno.EIO)

    with at_point("purge.marked", go):
        assert "goes on by itself" in purge_entry(TrashEntry.objects.get().pk).reason
    assert resume_purges() == []
    fs.watcher = None
    assert _path(TrashEntry.objects.get()).read_bytes() == ORIGINAL_BYTES
    assert len(resume_purges()) == 1


def test_a_purge_that_another_process_resumed_is_left_to_it(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    _trashed(make_world)
    TrashEntry.objects.update(state=TrashState.PURGING)

    def hold(job_id: int) -> object:
        TrashEntry.objects.update(state=TrashState.KEPT)  # before the lock was ours
        return hold_journal(job_id)

    monkeypatch.setattr(purge, "hold_journal", hold)
    assert resume_purges() == []
    entry = TrashEntry.objects.get()
    assert entry.state == TrashState.KEPT
    assert _path(entry).exists()


@pytest.mark.parametrize("why", ["library away", "not readable", "swap without an end"])
def test_a_lost_original_is_not_found_again_on_less_than_a_look(
    make_world: Callable[..., World], why: str
) -> None:
    world = _trashed(make_world, days=3)
    TrashEntry.objects.update(state=TrashState.LOST)
    marker = world.root / ".mediaflow" / "id"
    row = world.journal()
    if why == "library away":
        marker.rename(world.folder / "id")
    elif why == "not readable":
        fs.watcher = Refusing("lstat", code=errno.EIO, suffix=TRASH)
    else:
        type(row).objects.update(state="undoing")
    sweep_trash()
    assert TrashEntry.objects.get().state == TrashState.LOST
    fs.watcher = None
    if why == "library away":
        (world.folder / "id").rename(marker)
    type(row).objects.update(state="done")
    sweep_trash()
    assert TrashEntry.objects.get().state == TrashState.KEPT


def test_two_sweeps_at_once_count_a_day_once(make_world: Callable[..., World]) -> None:
    _trashed(make_world, days=3)
    now = datetime.now(UTC)

    fs.watcher = Before("lstat", lambda _call: sweep_trash(now), TRASH)
    assert sweep_trash(now).seen == 0
    assert TrashEntry.objects.get().sweeps_seen == 1


def _full(
    make_world: Callable[..., World], count: int, policy: str = "oldest_first"
) -> list[World]:
    """So many originals in the trash, which has no room for another."""
    worlds = [_trashed(make_world) for _ in range(count)]
    set_setting("trash_cap_bytes", count * len(ORIGINAL_BYTES), None)
    set_setting("trash_cap_policy", policy, None)
    return worlds


def test_where_the_oldest_cannot_go_the_next_one_does(make_world: Callable[..., World]) -> None:
    oldest, _second = _full(make_world, 2)
    os.unlink(bytes(oldest.journal().final_raw))  # its original is all there is
    make_world().swap()
    states = list(TrashEntry.objects.order_by("pk").values_list("state", flat=True))
    assert states == [TrashState.KEPT, TrashState.PURGED, TrashState.KEPT]
    assert digest(ORIGINAL_BYTES) in tree(oldest.root).values()


def test_where_none_can_go_the_queue_pauses_until_there_is_room(
    make_world: Callable[..., World],
) -> None:
    for full in _full(make_world, 2):
        os.unlink(bytes(full.journal().final_raw))
    world = make_world()
    with pytest.raises(JobWaits, match="trash_full"):
        world.swap()
    assert TrashEntry.objects.filter(state=TrashState.KEPT).count() == 2
    sweep_trash()
    assert get_setting("queue_paused"), "there is no more room than before"
    set_setting("trash_cap_bytes", 0, None)
    sweep_trash(datetime.now(UTC) + timedelta(days=1))
    assert not get_setting("queue_paused")
    assert world.restart() == JobStatus.COMPLETED


def test_a_pause_by_a_person_is_not_ended_by_the_sweep(make_world: Callable[..., World]) -> None:
    _full(make_world, 1)
    set_setting("queue_paused", True, None)
    set_setting("queue_paused_reason", "Holidays", None)
    set_setting("trash_cap_bytes", 0, None)
    sweep_trash()
    assert get_setting("queue_paused")


def test_the_trash_of_another_disk_takes_no_room_of_this_one(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose folder cannot be asked: it is on a disk that is away."""
    other, _away = _full(make_world, 2)
    _away.root.rename(_away.folder / "unmounted")
    real = fs.stat_folder

    def stat_folder(path: bytes) -> os.stat_result:
        found = real(path)
        if not path.startswith(os.fsencode(other.root)):
            return found
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:]))

    monkeypatch.setattr(fs, "stat_folder", stat_folder)
    make_world().swap()
    assert TrashEntry.objects.filter(state=TrashState.KEPT).count() == 3
    assert not get_setting("queue_paused")


@pytest.mark.parametrize(
    ("code", "reason_code"), [(errno.ENOSPC, "disk_full"), (errno.EIO, "library_unreachable")]
)
def test_a_trash_that_fails_in_its_trial_is_waited_for(
    make_world: Callable[..., World], code: int, reason_code: str
) -> None:
    """No other folder is tried for it: a disk that is full or away is so there as well."""
    world = make_world()
    fs.watcher = Refusing("link", code=code, suffix=TRASH)
    with pytest.raises(JobWaits, match=reason_code):
        world.swap()
    fs.watcher = None
    assert not [path for path in tree(world.root) if b"/.mediaflow/trash/" in b"/" + path]
    assert world.restart() == JobStatus.COMPLETED
