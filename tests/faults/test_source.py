"""Faults 7, 8, 18, 19, 23 to 26, 40, 43 to 45, 54, 55: the film or people change their minds."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.models import MediaFile
from mediaflow.base.fs import fs
from tests.faults.places import Before
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import Job, JobStatus, JournalState, Replacement
from transcode.outcomes import (
    JobCancelled,
    JobFailed,
    JobHandedBack,
    JobHeld,
    JobSkipped,
    JobWaits,
    LeaseLost,
)
from transcode.queue import job_queue
from transcode.replacing.snapshot import SourceSnapshot
from transcode.running.attempt_log import AttemptLog
from transcode.running.control import RunControl
from transcode.running.phases import Prepared
from transcode.running.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.base.fs import FsCall
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
_SNAPSHOT = SourceSnapshot(1, 1, 1, 1, 1, 0o100644, 0, 0)


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _during(name: str, function: Callable[[FsCall], object], suffix: bytes = b"") -> None:
    fs.watcher = Before(name, function, suffix)


def _hand_back() -> None:
    raise JobHandedBack("handed_back", "Shutting down.")


def test_fault_07_a_shutdown_before_the_commit_point_hands_the_job_back(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")
    context.checkpoint = _hand_back
    with pytest.raises(JobHandedBack):
        world.swap(context=context)
    assert world.journal().state == JournalState.ABANDONED
    assert not [path for path in tree(world.root) if path.endswith(b".part")]


def test_fault_07_a_shutdown_after_the_commit_point_is_not_asked_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")

    row_states = []

    def note_state(_call: FsCall) -> None:
        row_states.append(world.journal().state)
        context.checkpoint = _hand_back

    _during("rename_exchange", note_state)
    assert world.swap(context=context).state == JournalState.DONE
    assert row_states == [JournalState.SWAPPING]


def test_fault_08_an_output_cut_short_by_a_full_work_disk_replaces_nothing(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    os.truncate(world.output, 100)
    with pytest.raises(JobFailed, match="copy_differs"):
        world.swap()
    job_queue.take_over(world.job.pk, Job.objects.get().lease_token)
    assert broken_invariants(world) == []


@pytest.mark.parametrize("how", ["edited", "replaced", "edited with its old time"])
def test_fault_18_a_film_that_changed_meanwhile_is_left_alone_and_the_job_tries_again(
    make_world: Callable[..., World], how: str
) -> None:
    world = make_world()
    context = world.context("")
    other = b"X" + ORIGINAL_BYTES[1:]
    before = os.lstat(world.film)
    if how == "replaced":
        os.rename(world.film, world.film + b".old")
    with open(world.film, "wb" if how == "replaced" else "r+b") as film:
        film.write(other)
    if how == "edited with its old time":
        os.utime(world.film, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(JobFailed, match="source_changed") as failure:
        world.swap(context=context)
    assert failure.value.is_retryable
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(other)
    assert world.journal().state == JournalState.ABANDONED


def test_fault_18_a_change_of_mode_only_is_kept_and_does_not_stop_the_swap(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")
    os.chmod(world.film, 0o640)
    world.swap(context=context)
    assert broken_invariants(world) == []
    assert os.lstat(world.film).st_mode & 0o777 == 0o640


@pytest.mark.parametrize("when", ["encoding", "copying", "hashing"])
def test_fault_19_a_deleted_film_stays_deleted_and_the_output_is_kept_aside(
    make_world: Callable[..., World], when: str
) -> None:
    world = make_world()
    context = world.context("")
    if when == "encoding":
        os.unlink(world.film)
    else:
        call = {"copying": "write", "hashing": "utime"}[when]
        _during(call, lambda _call: os.unlink(world.film), b".part")
    with pytest.raises(JobFailed, match="source_deleted") as failure:
        world.swap(context=context)
    kept = bytes(Job.objects.get().kept_output_raw or b"")
    assert os.fsdecode(kept) in failure.value.reason
    with open(kept, "rb") as output:
        assert digest(output.read()) == world.output_sha256
    left = {path for path in tree(world.root) if b".mediaflow" not in path}
    assert left == {path for path in world.sidecars if b".mediaflow" not in path}


def test_fault_19_a_film_that_rung_11_misses_leaves_the_output_aside(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    claim = job_queue.claim_job(world.job.pk, "test/boot/ns/1/1")
    assert claim is not None
    token = claim.token
    verify = partial(_verify_without_film, world, token, monkeypatch)
    away = world.root.rename(world.folder / "away")
    world.root.mkdir()  # a bare mount point: nothing was deleted
    with pytest.raises(JobWaits, match="library_unreachable"):
        verify()
    assert world.output.exists()
    world.root.rmdir()
    away.rename(world.root)
    os.unlink(world.film)
    with pytest.raises(JobFailed, match="source_deleted"):
        verify()
    kept = bytes(Job.objects.get().kept_output_raw or b"")
    with open(kept, "rb") as output:
        assert digest(output.read()) == world.output_sha256


def _verify_without_film(world: World, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner's verify phase, on a ladder that missed the film at rung 11."""
    proof = SimpleNamespace(
        failed_code="verify_source_changed",
        failure=JobFailed("verify_source_changed", "Gone.", is_retryable=True),
        output_bytes=1,
        vmaf_mean=None,
        vmaf_p5=None,
        vmaf_method="",
        frames=1,
        compared=None,
    )
    monkeypatch.setattr("transcode.verify.run_ladder", lambda *_: proof)
    monkeypatch.setattr("transcode.verify.save_proof", lambda *_: None)
    log = AttemptLog("x.log")
    runner = Runner(world.job.pk, token, RunControl(world.job.pk, token), log)
    prepared = Prepared(world.plan(), None, None, None)  # type: ignore[arg-type]
    try:
        runner._verify(world.job, world.context(token, _SNAPSHOT), prepared, world.output)
    finally:
        log.close()


@pytest.mark.parametrize("fault", ["23 truncated", "24 corrupt", "25 shorter", "26 bigger"])
def test_fault_23_24_25_26_an_output_that_failed_the_ladder_replaces_nothing(
    make_world: Callable[..., World], fault: str
) -> None:
    world = make_world()
    world.proof.is_passed = False
    world.proof.save()
    with pytest.raises(JobFailed, match="not_proven"):
        world.swap()
    assert not Replacement.objects.exists()
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)


def test_a_proof_of_another_job_replaces_nothing(make_world: Callable[..., World]) -> None:
    world, other = make_world(), make_world()
    world.proof = other.proof
    with pytest.raises(JobFailed, match="not_proven"):
        world.swap()


def test_fault_40_a_second_delivery_finds_the_claim_taken_and_an_old_token_stops(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    claim = job_queue.claim_job(world.job.pk, "test/boot/ns/1/1")
    assert claim is not None
    assert job_queue.claim_job(world.job.pk, "test/boot/ns/2/1") is None
    job_queue.take_over(world.job.pk, claim.token)
    later = job_queue.claim_job(world.job.pk, "test/boot/ns/2/1")
    assert later is not None
    with pytest.raises(LeaseLost):
        world.publish(world.context(claim.token))
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)


def test_fault_32_a_runner_that_lost_its_lease_in_mid_swap_touches_nothing_more(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    def lose(_call: FsCall) -> None:
        job_queue.take_over(world.job.pk, Job.objects.get().lease_token)

    _during("link", lose, b"film.mkv\0" + os.fsencode(world.root / ".mediaflow"))
    with pytest.raises(LeaseLost):
        world.swap()
    fs.watcher = None
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)
    assert world.restart() == JobStatus.COMPLETED
    assert broken_invariants(world) == []


def test_fault_43_a_hard_linked_film_is_skipped_by_default(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    os.link(world.film, world.folder / "seeding.mkv")
    with pytest.raises(JobSkipped, match="hard_linked"):
        world.swap()
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)


@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])
def test_fault_43_with_the_policy_replace_only_our_name_changes(
    make_world: Callable[..., World], name: bytes
) -> None:
    world = make_world(name=name, hard_link_policy="replace")
    other = world.folder / "seeding.mkv"
    os.link(world.film, other)
    world.swap()
    assert broken_invariants(world) == []
    assert other.read_bytes() == ORIGINAL_BYTES


def test_fault_44_a_symbolic_link_is_left_as_it_is(make_world: Callable[..., World]) -> None:
    world = make_world()
    target = world.folder / "elsewhere.mkv"
    os.rename(world.film, target)
    os.symlink(target, world.film)
    with pytest.raises(JobSkipped, match="symlink"):
        world.swap()
    assert os.path.islink(world.film)
    assert target.read_bytes() == ORIGINAL_BYTES


def test_fault_45_a_link_put_in_the_films_place_meanwhile_is_not_followed(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")
    target = world.folder / "elsewhere.mkv"
    os.rename(world.film, target)
    os.symlink(target, world.film)
    with pytest.raises(JobFailed, match="source_changed"):
        world.swap(context=context)
    assert target.read_bytes() == ORIGINAL_BYTES


def test_fault_45_a_folder_that_became_a_link_out_of_the_library_is_refused(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    context = world.context("")
    outside = world.folder / "outside"
    (world.root / "Film (2001)").rename(outside)
    (world.root / "Film (2001)").symlink_to(outside)
    with pytest.raises(JobHeld, match="outside_library"):
        world.swap(context=context)
    assert (outside / "film.mkv").read_bytes() == ORIGINAL_BYTES


def test_fault_45_a_trash_folder_that_is_a_link_is_not_used(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    outside = world.folder / "outside"
    outside.mkdir()
    (world.root / ".mediaflow" / "trash").symlink_to(outside)
    row = world.swap()
    assert list(outside.iterdir()) == []
    assert os.fsencode(world.root / "Film (2001)" / ".mediaflow") in bytes(row.trash_raw or b"")


@pytest.mark.parametrize("name", ["link", "rename_exchange"])
def test_a_film_that_somebody_replaces_in_the_instant_of_the_swap_is_not_lost(
    make_world: Callable[..., World], name: str
) -> None:
    """Between our last look and the rename; the exchange finds it and gives the name back."""
    world = make_world()
    newer = b"a better copy that Sonarr has just moved in"

    def move_in(_call: FsCall) -> None:
        fresh = world.folder / "fresh.mkv"
        fresh.write_bytes(newer)
        fresh.rename(os.fsdecode(world.film))

    _during(name, move_in, b"Film (2001)/film.mkv")
    if name == "link":
        fs.watcher = Before("link", move_in, b"film.mkv\0" + os.fsencode(world.root / ".med"))
    with pytest.raises(JobHeld, match="swap_stuck"):
        world.swap()
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(newer)
    if name == "rename_exchange":
        assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_fault_54_a_cancel_in_mid_swap_comes_too_late(make_world: Callable[..., World]) -> None:
    world = make_world()
    _during("rename_exchange", lambda _call: job_queue.ask_to_cancel(world.job.pk))
    assert world.swap().state == JournalState.DONE
    assert broken_invariants(world) == []


def test_fault_54_a_cancel_before_the_point_of_no_return_rolls_back(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    _during("chmod", lambda _call: job_queue.ask_to_cancel(world.job.pk))
    with pytest.raises(JobCancelled):
        world.swap()
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)
    assert world.journal().state == JournalState.ABANDONED


def test_fault_54_a_film_taken_out_of_the_database_in_mid_swap_is_swapped_to_the_end(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    _during("rename_exchange", lambda _call: MediaFile.objects.all().delete())
    assert world.swap().state == JournalState.DONE
    assert tree(world.root)[b"Film (2001)/film.mkv"] == world.output_sha256
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_fault_55_a_film_taken_off_the_list_while_it_was_encoded_is_not_replaced(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    MediaFile.objects.update(removed_from_list_at=timezone.now())
    with pytest.raises(JobSkipped, match="file_gone"):
        world.swap()
    assert tree(world.root)[b"Film (2001)/film.mkv"] == digest(ORIGINAL_BYTES)


def test_replacing_that_was_forbidden_meanwhile_does_not_happen(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    def forbid(_call: FsCall) -> None:
        world.library.is_replace_allowed = False
        world.library.save()

    _during("chmod", forbid)
    with pytest.raises(JobSkipped, match="replace_not_allowed"):
        world.swap()


def test_a_source_without_a_hash_is_hashed_before_the_swap(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.proof.source_sha256 = ""
    world.proof.save()
    context = world.context("")
    context.snapshot = replace(context.snapshot, sha256="")
    row = world.swap(context=context)
    assert row.source_snapshot["sha256"] == digest(ORIGINAL_BYTES)


def test_a_swap_that_cannot_get_its_lock_waits(make_world: Callable[..., World]) -> None:
    from transcode.replacing.journal import hold_journal

    world = make_world()
    with hold_journal(world.job.pk), pytest.raises(JobWaits, match="journal_busy"):
        world.swap()
