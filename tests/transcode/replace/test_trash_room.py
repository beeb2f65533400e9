"""A full trash: nothing is copied in vain, and the queue goes on when the film that waits fits."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mediaflow.base.fs import fs
from mediaflow.base.operations import run_operation_here
from mediaflow.base.periodic import registered_tasks, run_due_tasks
from mediaflow.base.settings_store import get_setting, set_setting
from tests.faults.places import Refusing
from tests.transcode.replace.world import ORIGINAL_BYTES
from transcode import services
from transcode.models import JobStatus, Replacement, TrashEntry, TrashState
from transcode.outcomes import JobWaits
from transcode.pages.queue_work import start_purge
from transcode.queue import job_queue
from transcode.queue.pause import PausedBy, read_pause
from transcode.trash.purge import purge_entry
from transcode.trash.room import make_room
from transcode.trash.sweep import sweep_trash

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.accounts.models import User
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
SIZE = len(ORIGINAL_BYTES)


def _trashed(make_world: Callable[..., World]) -> World:
    world = make_world()
    world.swap()
    return world


def _refused(make_world: Callable[..., World]) -> World:
    """A film for which the trash has no room."""
    world = make_world()
    with pytest.raises(JobWaits, match="trash_full"):
        world.swap()
    return world


def test_a_film_without_room_is_not_copied(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    monkeypatch.setattr(fs, "copy", lambda *_a, **_n: pytest.fail("it was copied in vain"))
    _refused(make_world)


def test_a_trash_that_fills_up_while_the_film_is_copied_is_not_overfilled(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", 2 * SIZE, None)
    real = fs.copy

    def copy(*arguments: object, **named: object) -> object:
        TrashEntry.objects.update(size_bytes=SIZE + 1)  # another job's original came meanwhile
        return real(*arguments, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(fs, "copy", copy)
    _refused(make_world)


def test_the_pause_lasts_until_the_film_that_waits_fits(make_world: Callable[..., World]) -> None:
    """Below the limit is not enough: 95 of 100 have no room for 10."""
    world = _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    assert read_pause().job_id == waiting.job.pk
    sweep_trash()
    assert read_pause().is_paused, "nothing was freed"
    purge_entry(TrashEntry.objects.get(replacement__job=world.job).pk)
    sweep_trash()
    assert not read_pause().is_paused
    assert waiting.restart() == JobStatus.COMPLETED


def test_a_higher_limit_lets_the_queue_go_on_within_a_minute(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    _refused(make_world)
    soon = [task for task in registered_tasks() if task.interval_s <= 60]
    run_due_tasks(soon, timezone.now())
    assert read_pause().is_paused, "nothing was freed"
    set_setting("trash_cap_bytes", 2 * SIZE, None)
    run_due_tasks(soon, timezone.now() + timedelta(seconds=61))
    assert not read_pause().is_paused


def test_what_lies_on_other_disks_does_not_prolong_the_pause(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three disks with 60 each under a limit of 100 are not full."""
    full, *others = (_trashed(make_world) for _ in range(3))
    set_setting("trash_cap_bytes", SIZE + 10, None)
    real = fs.stat_folder
    devices = {os.fsencode(world.root): number for number, world in enumerate(others, start=1)}

    def stat_folder(path: bytes) -> os.stat_result:
        found = real(path)
        add = next((n for root, n in devices.items() if path.startswith(root)), 0)
        return os.stat_result((*found[:2], found.st_dev + add, *found[3:]))

    monkeypatch.setattr(fs, "stat_folder", stat_folder)
    waiting = _refused(make_world)
    purge_entry(TrashEntry.objects.get(replacement__job=full.job).pk)
    sweep_trash()
    assert not read_pause().is_paused
    assert waiting.restart() == JobStatus.COMPLETED


def test_the_pause_ends_when_the_film_waits_no_longer(make_world: Callable[..., World]) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    job_queue.take_over(waiting.job.pk, _token(waiting))
    assert job_queue.cancel_waiting(waiting.job.pk, reason="Cancelled.")
    sweep_trash()
    assert not read_pause().is_paused


def _token(world: World) -> str:
    world.job.refresh_from_db()
    return world.job.lease_token


def test_the_pause_stays_while_the_disk_of_the_film_is_away(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    TrashEntry.objects.update(state=TrashState.PURGED)
    waiting.root.rename(waiting.folder / "unmounted")
    sweep_trash()
    assert read_pause().is_paused
    (waiting.folder / "unmounted").rename(waiting.root)
    sweep_trash()
    assert not read_pause().is_paused


def test_a_limit_below_the_film_ends_the_pause_and_its_job_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    set_setting("trash_cap_bytes", SIZE - 1, None)
    sweep_trash()
    assert not read_pause().is_paused
    assert waiting.restart() == JobStatus.HELD


def test_the_oldest_may_go_where_the_admin_chooses_so_while_the_queue_is_paused(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    set_setting("trash_cap_policy", "oldest_first", None)
    sweep_trash()
    assert TrashEntry.objects.get().state == TrashState.KEPT, "a sweep purges nothing early"
    assert not read_pause().is_paused
    assert waiting.restart() == JobStatus.COMPLETED


def test_an_original_goes_early_only_when_the_new_film_lies_ready(
    make_world: Callable[..., World],
) -> None:
    """A copy that fails costs no other film its undo."""
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    set_setting("trash_cap_policy", "oldest_first", None)
    world = make_world()
    fs.watcher = Refusing("write", code=errno.EIO, suffix=b".part")
    with pytest.raises(JobWaits):
        world.swap()
    fs.watcher = None
    assert TrashEntry.objects.get().state == TrashState.KEPT
    assert world.restart() == JobStatus.COMPLETED


@pytest.mark.parametrize("what", ["library", "film"])
def test_the_pause_ends_when_what_the_job_was_for_is_removed(
    make_world: Callable[..., World], what: str
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    if what == "library":
        waiting.library.delete()
    else:
        waiting.file.delete()
    sweep_trash()
    assert not read_pause().is_paused


def test_a_trash_that_was_emptied_by_hand_with_its_folder_ends_the_pause(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    shutil.rmtree(waiting.root / ".mediaflow" / "trash")
    sweep_trash()
    assert not read_pause().is_paused


def test_a_full_trash_leaves_a_persons_pause_alone(
    make_world: Callable[..., World], admin_user: User
) -> None:
    _trashed(make_world)
    services.pause_queue("Holidays", actor=admin_user)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    _refused(make_world)
    assert get_setting("queue_paused_reason") == "Holidays"
    set_setting("trash_cap_bytes", 0, None)
    sweep_trash()
    assert read_pause().is_paused

    services.resume_queue(actor=admin_user)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    with pytest.raises(JobWaits):
        make_room(Replacement.objects.order_by("pk").last() or pytest.fail("no journal"))
    assert read_pause().by is PausedBy.TRASH


def test_emptying_the_trash_lets_the_queue_go_on_at_once(
    make_world: Callable[..., World], admin_user: User
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    run_operation_here(start_purge(actor=admin_user))
    assert not read_pause().is_paused
    assert waiting.restart() == JobStatus.COMPLETED


def test_an_original_whose_purge_was_cut_short_takes_its_room_until_it_is_gone(
    make_world: Callable[..., World], admin_user: User
) -> None:
    _trashed(make_world)
    TrashEntry.objects.update(state=TrashState.PURGING)
    set_setting("trash_cap_bytes", SIZE + 10, None)
    waiting = _refused(make_world)
    done = run_operation_here(start_purge(actor=admin_user))
    assert done.result == {"freed_bytes": SIZE, "kept": 0}
    assert TrashEntry.objects.get().state == TrashState.PURGED
    assert waiting.restart() == JobStatus.COMPLETED
