"""What is encoded, what is used again, what is tried again, and what ends all of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from servers import slots as server_slots
from servers.models import SlotLease
from tests.transcode.chunks.fakes import OK, FakeWorld, fake_world
from transcode.chunks.encoding import FfmpegFailed, OtherPictures
from transcode.chunks.engine import MAX_TRIES, CannotCut
from transcode.chunks.store import ChunkRecord, ChunkStore
from transcode.encoders.gpu import GpuGuard
from transcode.models import Chunk, ChunkAttempt, ChunkStatus, Job, JobStatus
from transcode.outcomes import JobCancelled, JobFailed, JobHandedBack, JobWaits, LeaseLost

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.chunks.encoding import Calls, ChunkTask

pytestmark = pytest.mark.django_db
WAIT_S = 60


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    monkeypatch.setattr(server_slots, "usable_cores", lambda: 4)
    return fake_world(tmp_path, monkeypatch)


def job_of(world: FakeWorld) -> Job:
    return Job.objects.get(pk=world.world.job.pk)


def boom(**fields: Any) -> JobFailed:
    return JobFailed("encode_failed", "ffmpeg ended with exit code 1.", is_retryable=True)


def test_every_chunk_is_encoded_once_proven_and_counted(world: FakeWorld) -> None:
    records = world.encode()
    assert sorted(world.stub.encoded) == [0, 1, 2, 3]
    assert [record.frames for record in records] == [25] * 4
    rows = list(Chunk.objects.all())
    assert [row.status for row in rows] == [ChunkStatus.DONE] * 4
    assert [row.sha256 for row in rows] == [record.sha256 for record in records]
    assert set(ChunkAttempt.objects.values_list("status", flat=True)) == {"proven"}
    job = job_of(world)
    assert (job.chunks_total, job.chunks_done, job.resumed_chunks) == (4, 4, 0)
    assert not SlotLease.objects.exists()


def test_a_second_attempt_encodes_nothing(world: FakeWorld) -> None:
    first = world.encode()
    world.stub.encoded.clear()
    assert world.encode() == first
    assert world.stub.encoded == []
    job = job_of(world)
    assert (job.chunks_done, job.resumed_chunks) == (4, 4)


@pytest.mark.parametrize("damage", ["bytes", "length", "record", "no record", "file"])
def test_a_chunk_that_is_not_what_it_was_is_encoded_again_alone(
    world: FakeWorld, damage: str
) -> None:
    record = world.encode()[2]
    path = world.folder / f"{record.key}.mkv"
    if damage == "bytes":
        path.write_bytes(b"chunk X")
    elif damage == "length":
        path.write_bytes(b"chunk 2 and more")
    elif damage == "file":
        path.unlink()
    elif damage == "record":
        path.with_suffix(".json").write_text("{half a rec")
    else:
        path.with_suffix(".json").unlink()
    world.stub.encoded.clear()
    world.encode()
    assert world.stub.encoded == [2]
    assert job_of(world).resumed_chunks == 3


def forget_the_proof(world: FakeWorld, *records: ChunkRecord) -> None:
    """As a kill leaves it between the encode of a chunk and its proof."""
    for record in records:
        ChunkStore.of(world.world.work_dir, world.plan).keep(replace(record, extradata_sha256=""))


def test_a_chunk_that_was_encoded_but_not_proven_is_only_proven(world: FakeWorld) -> None:
    records = world.encode()
    forget_the_proof(world, records[1], records[2])
    world.stub.encoded.clear()
    assert world.encode() == records
    assert world.stub.encoded == []
    assert job_of(world).resumed_chunks == 4


@pytest.mark.parametrize("fault", ["packets", "extradata", "bytes"])
def test_a_chunk_that_was_encoded_but_does_not_pass_its_proof_is_encoded_again(
    world: FakeWorld, fault: str
) -> None:
    record = world.encode()[2]
    forget_the_proof(world, record)
    world.stub.encoded.clear()
    if fault == "packets":
        world.stub.packets = lambda number: 24 if number not in world.stub.encoded else 25
    elif fault == "extradata":
        world.stub.extradata = lambda n: "other" if n not in world.stub.encoded else "same"
    else:  # what a power cut may leave
        (world.folder / f"{record.key}.mkv").write_bytes(bytes(record.size_bytes))
    world.encode()
    assert world.stub.encoded == [2]


def test_the_next_chunk_of_a_slot_begins_only_when_the_one_before_is_kept(
    world: FakeWorld,
) -> None:
    world.processes = 1
    kept: list[int] = []
    world.stub.at_each_try = lambda _task, _calls: kept.append(
        len(list(world.folder.glob("*.json")))
    )
    world.encode()
    assert kept == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"source_sha256": "6" * 64},
        {"ffmpeg_version": "n10"},
        {"input_options": ("-fflags", "+genpts")},
    ],
)
def test_fault_56_chunks_of_another_film_or_ffmpeg_are_not_mixed_in(
    world: FakeWorld, changes: dict[str, Any]
) -> None:
    world.encode()
    old = {path.name for path in world.folder.iterdir()}
    world.stub.encoded.clear()
    world.with_plan(**changes)
    world.encode()
    assert sorted(world.stub.encoded) == [0, 1, 2, 3]
    assert not old & {path.name for path in world.folder.iterdir()}


def test_fault_56_chunks_with_other_options_are_not_mixed_in(world: FakeWorld) -> None:
    world.encode()
    world.stub.encoded.clear()
    options = tuple("31" if part == "30" else part for part in world.plan.output_options)
    assert options != world.plan.output_options
    world.with_plan(output_options=options)
    world.encode()
    assert sorted(world.stub.encoded) == [0, 1, 2, 3]


def test_other_sound_keeps_the_chunks(world: FakeWorld) -> None:
    world.encode()
    world.stub.encoded.clear()
    world.with_plan(
        output_options=(*world.plan.output_options[:-2], "-b:a:0", "1k", "-f", "matroska")
    )
    world.encode()
    assert world.stub.encoded == []


def test_a_plan_without_the_films_hash_uses_nothing_again(world: FakeWorld) -> None:
    world.with_plan(source_sha256="")
    world.encode()
    world.stub.encoded.clear()
    world.encode()
    assert sorted(world.stub.encoded) == [0, 1, 2, 3]


def test_a_new_job_of_the_film_takes_over_what_a_cancelled_one_left(
    world: FakeWorld, settings: Any, tmp_path: Path
) -> None:
    settings.WORK_DIR = tmp_path / "all"
    old = world.world.job
    theirs = settings.WORK_DIR / "jobs" / str(old.uuid)
    theirs.mkdir(parents=True)
    world.world.work_dir = theirs
    record = world.encode()[1]
    (theirs / "chunks" / f"{record.key}.json").unlink()
    Job.objects.update(status=JobStatus.CANCELLED, lease_token="")
    fresh = Job.objects.create(
        file=old.file, file_path="film", preset_slug="test", preset_spec=old.preset_spec,
        status=JobStatus.RUNNING, lease_token="token",
    )  # fmt: skip
    world.world.job, world.world.work_dir = fresh, tmp_path / "work"
    world.stub.encoded.clear()
    world.encode()
    assert world.stub.encoded == [1]
    assert job_of(world).resumed_chunks == 3


def test_a_failed_chunk_is_tried_again_after_the_others(world: FakeWorld) -> None:
    def fail_once(task: ChunkTask, _calls: Calls) -> None:
        if task.number == 0 and world.stub.encoded.count(0) == 1:
            raise boom()

    world.stub.at_each_try = fail_once
    world.threads_each = 1
    world.encode()
    assert world.stub.encoded.count(0) == 2
    assert world.stub.encoded[-1] == 0
    assert world.stub.options[-1][-1] == "2", "alone, it has all threads"
    assert ChunkAttempt.objects.filter(status="lost").count() == 1


def test_where_memory_ran_out_fewer_run_at_once(world: FakeWorld) -> None:
    short = replace(OK, return_code=1, stderr_lines=("x264 [error]: malloc of size 9 failed",))

    def fail_once(task: ChunkTask, _calls: Calls) -> None:
        if task.number == 1 and world.stub.encoded.count(1) == 1:
            raise FfmpegFailed(boom(), short)

    world.stub.at_each_try = fail_once
    world.processes, world.threads_each = 4, 1
    context = world.encode()
    assert [record.frames for record in context] == [25] * 4
    assert world.stub.encoded.count(1) == 2
    assert [options[-1] for options in world.stub.options] == ["2"] * 4 + ["1"]
    assert any("Fewer encodes run at once" in line for line in world.world.log)


def test_a_chunk_that_keeps_failing_fails_the_job_with_the_reason(world: FakeWorld) -> None:
    def fail(task: ChunkTask, _calls: Calls) -> None:
        if task.number == 2:
            raise boom()

    world.stub.at_each_try = fail
    with pytest.raises(JobFailed, match="exit code 1"):
        world.encode()
    assert world.stub.encoded.count(2) == MAX_TRIES
    assert Chunk.objects.filter(status=ChunkStatus.DONE).count() == 3


def test_a_full_disk_waits_at_once_and_keeps_what_is_done(world: FakeWorld) -> None:
    world.processes = 1

    def full(task: ChunkTask, calls: Calls) -> None:
        if task.number == 1:
            while not list(world.folder.glob("*.json")):  # the first one counts by then
                calls.checkpoint()
            raise JobWaits("disk_full", "The disk is full.")

    world.stub.at_each_try = full
    with pytest.raises(JobWaits):
        world.encode()
    assert world.stub.encoded == [0, 1]
    world.stub.at_each_try = lambda _task, _calls: None
    world.encode()
    assert world.stub.encoded.count(0) == 1
    assert job_of(world).resumed_chunks == 1


def test_other_pictures_than_planned_are_sought_from_further_back(world: FakeWorld) -> None:
    world.processes = 1

    def wrong(task: ChunkTask, _calls: Calls) -> None:
        if task.number == 1 and world.stub.leads[-1] != 0:
            raise OtherPictures("picture 0 of 25 is that of tick 7")

    world.stub.at_each_try = wrong
    world.encode()
    assert world.stub.encoded == [0, 1, 1, 1, 2, 3]
    assert world.stub.leads == [2, 2, 10, 0, 2, 2]


def test_a_film_whose_chunks_never_hold_the_planned_pictures_cannot_be_cut(
    world: FakeWorld,
) -> None:
    def wrong(task: ChunkTask, _calls: Calls) -> None:
        if task.number == 1:
            raise OtherPictures("picture 0 of 25 is that of tick 7")

    world.stub.at_each_try = wrong
    with pytest.raises(CannotCut, match="tick 7"):
        world.encode()


def test_a_chunk_with_other_parameter_sets_never_counts(world: FakeWorld) -> None:
    world.stub.extradata = lambda number: "other" if number == 3 else "same"
    world.processes = 1
    with pytest.raises(CannotCut, match="parameter sets"):
        world.encode()
    assert [row.status for row in Chunk.objects.all()] == ["done", "done", "done", "pending"]


def test_a_chunk_with_a_picture_less_never_counts(world: FakeWorld) -> None:
    world.stub.packets = lambda number: 24 if number == 3 else 25
    with pytest.raises(JobFailed, match="24 pictures, not 25"):
        world.encode()
    assert Chunk.objects.get(index=3).status == ChunkStatus.PENDING


@pytest.mark.parametrize("end", [JobCancelled("c", "Cancelled."), JobHandedBack("p", "Paused.")])
def test_an_order_to_stop_ends_every_running_chunk(world: FakeWorld, end: Exception) -> None:
    begun: list[int] = []
    stopped: list[int] = []

    def hang(task: ChunkTask, calls: Calls) -> None:
        if task.number == 0:
            return
        begun.append(task.number)
        try:
            while True:
                calls.checkpoint()
        except BaseException:
            stopped.append(task.number)
            raise

    def checkpoint() -> None:
        if len(begun) == 2:
            raise end

    world.stub.at_each_try = hang
    with pytest.raises(type(end)):
        world.encode(checkpoint)
    assert sorted(stopped) == sorted(begun)
    assert not ChunkAttempt.objects.filter(status="leased").exists()
    assert not SlotLease.objects.exists()


def test_who_lost_the_job_writes_nothing_more(world: FakeWorld) -> None:
    def checkpoint() -> None:
        if world.stub.encoded:
            raise LeaseLost("lease_lost", "Lost.")

    world.stub.at_each_try = lambda _task, calls: hang(calls)
    with pytest.raises(LeaseLost):
        world.encode(checkpoint)
    assert set(ChunkAttempt.objects.values_list("status", flat=True)) == {"leased"}


def hang(calls: Calls) -> None:
    while True:
        calls.checkpoint()


def test_a_film_replaced_meanwhile_leaves_no_chunk_of_use(world: FakeWorld) -> None:
    def exchange(_task: ChunkTask, calls: Calls) -> None:
        copy = world.world.source.with_name("copy")
        copy.write_bytes(b"another film")
        copy.replace(world.world.source)
        calls.check_source()

    world.stub.at_each_try = exchange
    world.processes = 1
    with pytest.raises(JobFailed, match="source_changed"):
        world.encode()
    assert not list(world.folder.glob("*.json"))
    assert world.stub.encoded == [0]  # no hours are spent on the others


@pytest.mark.parametrize(("processes", "expected"), [(4, ["2"] * 4), (2, ["1", "1"])])
def test_chunks_that_all_start_together_get_twice_their_threads(
    world: FakeWorld, processes: int, expected: list[str]
) -> None:
    """Four chunks, of which the first wave is looked at."""
    world.processes, world.threads_each = processes, 1
    world.encode()
    assert [options[-1] for options in world.stub.options[:processes]] == expected


def test_a_chunk_says_which_options_of_the_plan_its_command_lacked(world: FakeWorld) -> None:
    assert "-temporal-aq:v:0" not in OK.argv
    planned = (*world.plan.output_options[:-2], "-temporal-aq:v:0", "1")
    world.with_plan(output_options=(*planned, *world.plan.output_options[-2:]))
    world.encode()
    assert set(Chunk.objects.values_list("encoder_note", flat=True)) == {"without temporal-aq"}
    world.encode()  # another attempt, which only finds them
    assert set(Chunk.objects.values_list("encoder_note", flat=True)) == {"without temporal-aq"}


def test_a_record_that_cannot_be_made_is_no_chunk_to_be_waited_for(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_store: ChunkStore, _record: ChunkRecord) -> None:
        raise ValueError("no JSON")

    monkeypatch.setattr(ChunkStore, "finish", refuse)
    looks = iter(range(400))  # some minutes

    def checkpoint() -> None:
        if next(looks, None) is None:
            raise LeaseLost("waits", "It waits for ever.")

    with pytest.raises(ValueError, match="no JSON"):
        world.encode(checkpoint)


def test_no_more_chunks_run_at_once_than_slots_are_free(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two slots: one is the job's own, the other somebody else's.
    monkeypatch.setattr(server_slots, "usable_cores", lambda: 2)
    for number in range(2):
        assert server_slots.take_slot("encode", number) is not None
    running: set[int] = set()
    most: list[int] = []

    def count(task: ChunkTask, _calls: Calls) -> None:
        running.add(task.number)
        most.append(len(running))
        running.discard(task.number)

    world.stub.at_each_try = count
    world.processes = 4
    world.encode()
    assert max(most) == 1
    assert set(ChunkAttempt.objects.values_list("slot", flat=True)) == {"this machine"}


def test_halves_and_strangers_in_the_chunks_folder_are_removed(world: FakeWorld) -> None:
    world.folder.mkdir()
    for name in ("old.part.mkv", "old.pts", "0123.mkv", "0123.json"):
        (world.folder / name).write_text("x")
    world.encode()
    names = sorted(path.suffix for path in world.folder.iterdir())
    assert names == [".json"] * 4 + [".mkv"] * 4
    assert all(os.access(path, os.R_OK) for path in world.folder.iterdir())


def test_no_chunk_starts_while_the_gpu_may_not_take_one(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["The GPU is at 95 °C; it waits below 87.", "The GPU is at 90 °C."])
    started: list[int] = []

    def why_wait(_guard: object) -> str:
        started.append(len(world.stub.encoded))
        return next(answers, "")

    monkeypatch.setattr(GpuGuard, "why_wait", why_wait)
    assert len(world.encode()) == 4
    assert started[:3] == [0, 0, 0]  # asked again, with nothing begun between
