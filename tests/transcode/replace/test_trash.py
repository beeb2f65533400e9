"""How long originals stay, and what it takes to remove one. Faults 36 and 55 among them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import fs
from mediaflow.base.settings_store import get_setting, set_setting
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import Job, ProofRecord, TrashEntry, TrashState
from transcode.outcomes import JobHeld, JobWaits
from transcode.replacing.journal import hold_journal
from transcode.replacing.undo import undo_job
from transcode.trash.place import sidecar_path
from transcode.trash.purge import purge_entry, resume_purges
from transcode.trash.sweep import sweep_trash, trash_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _trashed(make_world: Callable[..., World], days: int = 3, **values: object) -> World:
    set_setting("trash_retention_days", days, None)
    world = make_world(**values)
    world.swap()
    return world


def _now() -> datetime:
    return datetime.now(UTC)


def _sweep_days(count: int, start: datetime | None = None) -> int:
    first = start or _now()
    return sum(sweep_trash(first + number * DAY).purged for number in range(count))


def test_an_original_goes_after_its_days_and_a_sweep_on_each(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=3)
    assert _sweep_days(3) == 0
    assert sweep_trash(_now() + 3 * DAY).freed_bytes == len(ORIGINAL_BYTES)
    assert TrashEntry.objects.get().state == TrashState.PURGED
    assert broken_invariants(world) == []
    assert not [p for p in tree(world.root) if p.endswith(b".json")]


def test_many_sweeps_on_one_day_count_once(make_world: Callable[..., World]) -> None:
    _trashed(make_world, days=3)
    for _ in range(10):
        sweep_trash(_now())
    assert TrashEntry.objects.get().sweeps_seen == 1


@pytest.mark.parametrize("jump", [1, 100, 10_000])
def test_fault_36_a_clock_that_jumps_forward_purges_nothing(
    make_world: Callable[..., World], jump: int
) -> None:
    _trashed(make_world, days=3)
    assert sweep_trash(_now() + jump * DAY).purged == 0
    assert sweep_trash(_now() + jump * DAY).purged == 0


def test_fault_36_a_clock_that_jumps_back_purges_nothing_and_counting_goes_on(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world, days=3)
    sweep_trash(_now() + 10_000 * DAY)
    for _ in range(5):
        sweep_trash(_now() - DAY)
        assert TrashEntry.objects.get().sweeps_seen == 1
    assert _sweep_days(3) == 0
    assert sweep_trash(_now() + 3 * DAY).purged == 1


def test_days_on_which_the_library_was_away_do_not_count(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=2)
    marker = world.root / ".mediaflow" / "id"
    marker.rename(world.folder / "id")
    _sweep_days(5)
    assert TrashEntry.objects.get().sweeps_seen == 0
    assert TrashEntry.objects.get().state == TrashState.KEPT, "away is not lost"


@pytest.mark.parametrize("change", ["gone", "changed", "broken"])
def test_an_original_whose_replacement_does_not_pass_again_stays(
    make_world: Callable[..., World], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from library.probing.probe import ProbeProblem

    world = _trashed(make_world, days=0)
    final = os.fsdecode(bytes(world.journal().final_raw))
    if change == "gone":
        os.unlink(final)
    elif change == "changed":
        with open(final, "ab") as film:
            film.write(b"x")
    else:

        def broken(_path: bytes) -> None:
            raise ProbeProblem("unreadable", "moov atom not found")

        monkeypatch.setattr("library.probing.pool.probe_in_worker", broken)
    result = sweep_trash()
    assert (result.purged, result.kept_due) == (0, 1)
    entry = TrashEntry.objects.get()
    assert entry.state == TrashState.KEPT
    assert entry.kept_reason
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()
    assert trash_summary().due_count == 1
    assert purge_entry(entry.pk, is_forced=True).ok, "an admin may"


def test_a_film_that_was_renamed_since_is_found_where_the_scan_saw_it(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0, name=b"film.mkv")
    (world.root / "film.mkv").rename(world.root / "Film (2001).mkv")
    world.file.refresh_from_db()
    world.file.path_raw = b"Film (2001).mkv"
    world.file.save()
    assert sweep_trash().purged == 1


def test_a_film_that_was_optimised_again_still_proves_the_first_swap(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0, name=b"film.mkv")
    first = TrashEntry.objects.get()
    again = _optimised_again(world)
    again.swap()
    assert purge_entry(first.pk).ok
    assert tree(world.root)[b"film.mkv"] == again.output_sha256


def _optimised_again(world: World) -> World:
    from dataclasses import replace

    job = Job.objects.create(
        file=world.file, file_path="x", preset_slug="small", preset_spec={}, output_mode="replace"
    )
    again = replace(world, job=job)
    again.work.mkdir(parents=True)
    content = world.output.read_bytes() + b"\0" * 9  # another file that opens as well
    again.output.write_bytes(content)
    again.proof = ProofRecord.objects.create(
        job=job,
        is_passed=True,
        source_sha256=world.output_sha256,
        output_sha256=digest(content),
        output_bytes=len(content),
        streams_after=world.proof.streams_after,
    )
    return again


def test_what_lies_in_the_trash_and_is_not_the_original_is_never_removed(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world)
    entry = TrashEntry.objects.get()
    path = os.fsdecode(bytes(entry.path_raw))
    with open(path, "wb") as film:
        film.write(b"something else")
    assert not purge_entry(entry.pk, is_forced=True).ok
    assert os.path.exists(path)
    assert world.root


def test_an_original_that_vanished_from_the_trash_is_said_to_be_lost(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    entry = TrashEntry.objects.get()
    os.unlink(bytes(entry.path_raw))
    assert sweep_trash().lost == 1
    assert trash_summary().lost_count == 1


def test_fault_55_undo_and_purge_exclude_each_other_and_the_first_wins(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0)
    entry = TrashEntry.objects.get()
    with hold_journal(world.job.pk):
        assert "Another process" in purge_entry(entry.pk).reason
        assert "Another process" in undo_job(world.job.pk, actor=None).reason
    assert undo_job(world.job.pk, actor=None).ok
    assert not purge_entry(entry.pk, is_forced=True).ok
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)


def test_a_purge_that_was_cut_short_is_finished(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world)
    TrashEntry.objects.update(state=TrashState.PURGING)
    assert [result.freed_bytes for result in resume_purges()] == [len(ORIGINAL_BYTES)]
    assert TrashEntry.objects.get().state == TrashState.PURGED
    assert broken_invariants(world) == []


def test_the_totals_tell_what_is_freed_from_what_will_be(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    _trashed(make_world)
    purge_entry(TrashEntry.objects.order_by("pk")[0].pk)
    found = trash_summary()
    assert (found.kept_count, found.kept_bytes) == (1, len(ORIGINAL_BYTES))
    assert found.freed_bytes == len(ORIGINAL_BYTES)
    assert found.next_purge_on == (_now() + 3 * DAY).date()


def test_a_full_trash_pauses_the_queue_and_says_why(make_world: Callable[..., World]) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", len(ORIGINAL_BYTES) + 10, None)
    world = make_world()
    with pytest.raises(JobWaits, match="trash_full"):
        world.swap()
    assert get_setting("queue_paused")
    assert "trash is full" in get_setting("queue_paused_reason")
    assert TrashEntry.objects.get().state == TrashState.KEPT, "nothing is purged early"
    purge_entry(TrashEntry.objects.get().pk)
    sweep_trash()
    assert not get_setting("queue_paused")
    assert world.restart() == "completed"


def test_a_full_trash_gives_up_its_oldest_where_the_admin_chose_so(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world)
    set_setting("trash_cap_bytes", len(ORIGINAL_BYTES) + 10, None)
    set_setting("trash_cap_policy", "oldest_first", None)
    make_world().swap()
    states = list(TrashEntry.objects.order_by("pk").values_list("state", flat=True))
    assert states == [TrashState.PURGED, TrashState.KEPT]


def test_a_film_larger_than_the_whole_trash_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    set_setting("trash_cap_bytes", 1000, None)
    with pytest.raises(JobHeld, match="trash_too_small"):
        make_world().swap()


def test_the_sidecar_says_how_to_put_the_original_back_by_hand(
    make_world: Callable[..., World],
) -> None:
    world = make_world(name=b"caf\xe9.avi")
    row = world.swap()
    found = json.loads(Path(os.fsdecode(sidecar_path(bytes(row.trash_raw or b"")))).read_bytes())
    assert bytes.fromhex(found["original_hex"]) == b"caf\xe9.avi"
    assert found["original"] == "caf\\xe9.avi"
    assert found["sha256"] == digest(ORIGINAL_BYTES)
    assert found["job"] == str(world.job.uuid)


def test_a_library_with_an_open_swap_cannot_be_removed(make_world: Callable[..., World]) -> None:
    from library.services import removal_blockers
    from transcode.models import Replacement
    from transcode.queue import job_queue

    world = make_world()
    assert removal_blockers(world.library) == []
    claim = job_queue.claim_job(world.job.pk, "test/boot/ns/1/1")
    assert claim is not None
    assert any("being encoded" in text for text in removal_blockers(world.library))
    world.publish(world.context(claim.token))
    assert removal_blockers(world.library) == []
    Replacement.objects.update(state="undoing")
    assert any("put back" in text for text in removal_blockers(world.library))
    Replacement.objects.update(state="stuck")
    (blocker,) = removal_blockers(world.library)
    assert "held" in blocker
    assert "wait for the end" not in blocker


def test_a_purge_waits_for_the_end_of_an_undo(make_world: Callable[..., World]) -> None:
    from transcode.models import Replacement

    _trashed(make_world, days=0)
    Replacement.objects.update(state="undoing")
    assert "no end yet" in purge_entry(TrashEntry.objects.get().pk).reason


def test_nothing_is_purged_while_its_library_is_away_even_by_force(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0)
    (world.root / ".mediaflow" / "id").unlink()
    assert "not there" in purge_entry(TrashEntry.objects.get().pk, is_forced=True).reason
    TrashEntry.objects.update(state=TrashState.PURGING)
    assert resume_purges() == []


def test_an_original_that_cannot_be_removed_stays_with_the_reason(
    make_world: Callable[..., World],
) -> None:
    from tests.faults.places import Refusing

    _trashed(make_world, days=0)
    fs.watcher = Refusing("unlink", code=13)
    assert "could not be removed" in purge_entry(TrashEntry.objects.get().pk).reason
    entry = TrashEntry.objects.get()
    assert entry.state == TrashState.KEPT
    assert entry.kept_reason


def test_an_original_on_a_remounted_disk_is_known_by_its_bytes(
    make_world: Callable[..., World],
) -> None:
    _trashed(make_world, days=0)
    TrashEntry.objects.update(inode=1)
    assert sweep_trash().purged == 1


def test_a_purge_in_use_is_left_to_the_one_who_does_it(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    TrashEntry.objects.update(state=TrashState.PURGING)
    with hold_journal(world.job.pk):
        assert resume_purges() == []
    assert "not in the trash" in purge_entry(TrashEntry.objects.get().pk).reason


def test_a_purge_that_was_cut_short_looks_at_the_replacement_again(
    make_world: Callable[..., World],
) -> None:
    world = _trashed(make_world, days=0)
    TrashEntry.objects.update(state=TrashState.PURGING)
    os.unlink(bytes(world.journal().final_raw))
    assert resume_purges() == []
    entry = TrashEntry.objects.get()
    assert (entry.state, bool(entry.kept_reason)) == (TrashState.KEPT, True)
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_a_forced_purge_that_was_cut_short_stays_forced(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    os.unlink(bytes(world.journal().final_raw))
    TrashEntry.objects.update(state=TrashState.PURGING, is_forced=True)
    assert len(resume_purges()) == 1
    assert TrashEntry.objects.get().state == TrashState.PURGED


def test_what_a_resumed_purge_frees_is_counted(make_world: Callable[..., World]) -> None:
    _trashed(make_world, days=0)
    TrashEntry.objects.update(state=TrashState.PURGING)
    result = sweep_trash()
    assert (result.purged, result.freed_bytes) == (1, len(ORIGINAL_BYTES))


def test_an_undo_wins_over_a_purge_that_was_cut_short(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    TrashEntry.objects.update(state=TrashState.PURGING)
    assert undo_job(world.job.pk, actor=None).ok
    assert resume_purges() == []
    assert TrashEntry.objects.get().state == TrashState.RESTORED
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def _unmount_trash(world: World) -> tuple[Path, Path]:
    folder = Path(os.fsdecode(bytes(TrashEntry.objects.get().path_raw))).parent
    away = world.folder / "away"
    folder.rename(away)
    return folder, away


@pytest.mark.parametrize("is_bare_folder", [True, False])
def test_a_trash_on_a_disk_that_is_away_is_not_lost(
    make_world: Callable[..., World], is_bare_folder: bool
) -> None:
    world = _trashed(make_world, days=0)
    folder, away = _unmount_trash(world)
    if is_bare_folder:
        folder.mkdir()
    result = sweep_trash()
    entry = TrashEntry.objects.get()
    assert (result.lost, result.purged, entry.state) == (0, 0, TrashState.KEPT)
    assert "cannot be reached" in entry.kept_reason
    assert entry.sweeps_seen == 0
    if is_bare_folder:
        folder.rmdir()
    away.rename(folder)
    assert sweep_trash().purged == 1


def test_a_purge_is_not_done_because_its_disk_is_away(make_world: Callable[..., World]) -> None:
    world = _trashed(make_world, days=0)
    TrashEntry.objects.update(state=TrashState.PURGING)
    _unmount_trash(world)
    assert resume_purges() == []
    assert TrashEntry.objects.get().state == TrashState.PURGING


@pytest.mark.parametrize("is_same", [True, False])
def test_a_lost_original_that_is_found_again_is_kept(
    make_world: Callable[..., World], is_same: bool
) -> None:
    world = _trashed(make_world)
    path = Path(os.fsdecode(bytes(TrashEntry.objects.get().path_raw)))
    path.rename(world.folder / "away")
    assert sweep_trash().lost == 1
    if is_same:
        (world.folder / "away").rename(path)
    else:
        path.write_bytes(b"another film")
    sweep_trash()
    entry = TrashEntry.objects.get()
    assert entry.state == (TrashState.KEPT if is_same else TrashState.LOST)
    assert (entry.ended_at is None) is is_same
