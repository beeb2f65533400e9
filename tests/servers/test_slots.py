"""Slots of this machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch
from uuid import UUID

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, transaction

from mediaflow.base import hooks
from mediaflow.base.settings_store import set_setting
from servers import slots
from servers.models import Server, SlotLease
from tests.transcode.makers import make_jobs
from transcode.chunks.slots import ChunkSlots
from transcode.models import JournalState, ProofRecord, Replacement
from transcode.outcomes import JobWaits
from transcode.presets.spec import PresetSpec
from transcode.queue import job_queue
from transcode.queue.slots import acquire_slot, parallel_limit, refuse_switched_off
from transcode.running.context import RunContext
from transcode.running.held_slot import held_slot

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: 1)


def test_this_machine_is_there_after_migrating_and_only_once() -> None:
    assert slots.ensure_local_server() == slots.ensure_local_server()
    assert Server.objects.get().name == "This machine"


def test_a_slot_is_held_and_freed_again() -> None:
    with acquire_slot("encode", 17, checkpoint=lambda: None) as slot:
        lease = SlotLease.objects.get()
        assert (lease.holder, lease.kind, lease.index) == ("job:17", "encode", 0)
        assert slot.server_name == "This machine"
        slot.beat()
        lease.refresh_from_db()
        assert lease.heartbeat == 1
    assert not SlotLease.objects.exists()


def test_a_slot_is_freed_when_the_work_fails() -> None:
    with pytest.raises(RuntimeError), acquire_slot("encode", 1, checkpoint=lambda: None):
        raise RuntimeError
    assert not SlotLease.objects.exists()


def test_where_nobody_owns_machines_this_process_is_the_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(hooks._registered, "slot_provider", [])
    with acquire_slot("encode", 1, checkpoint=lambda: None) as slot:
        slot.beat()
        assert (slot.server_name, slot.index) == ("this machine", 0)
    assert not SlotLease.objects.exists()


def test_there_are_as_many_slots_as_cores_and_one_for_each_further_film() -> None:
    assert parallel_limit() == 1
    set_setting("jobs_parallel", 2, None)
    taken = [slots.take_slot("encode", number) for number in range(3)]
    assert [lease.index if lease else None for lease in taken] == [0, 1, None]
    set_setting("jobs_parallel", None, None)
    Server.objects.update(slot_count=3)
    third = slots.take_slot("encode", 9)
    assert third is not None
    assert third.index == 2


@pytest.fixture
def switched_off() -> None:
    slots.ensure_local_server()
    Server.objects.update(is_enabled=False)


@pytest.mark.usefixtures("switched_off")
def test_a_job_that_finds_the_machine_switched_off_waits_and_says_so() -> None:
    with (
        pytest.raises(JobWaits, match="This machine is switched off") as raised,
        acquire_slot("encode", 1, checkpoint=lambda: None),
    ):
        pass
    assert raised.value.reason_code == "server_disabled"
    with pytest.raises(JobWaits, match="server_disabled"):
        refuse_switched_off()  # asked before a film is read
    Server.objects.update(is_enabled=True)
    refuse_switched_off()


@pytest.mark.usefixtures("switched_off")
def test_no_job_is_claimed_for_a_machine_that_is_switched_off() -> None:
    """Each of thousands would be begun and put back again and again; one that is named is not."""
    queued, swapping = make_jobs(2)
    assert job_queue.claim_next("me") is None
    assert job_queue.claim_next("me", among=[queued.pk]) is not None
    proof = ProofRecord.objects.create(job=swapping, is_passed=True)
    Replacement.objects.create(
        job=swapping, state=JournalState.SWAPPING, proof=proof, is_proof_passed=True
    )
    claim = job_queue.claim_next("me")
    assert claim is not None
    assert claim.job_id == swapping.pk, "a swap is brought to its end"


def test_the_queue_page_says_that_the_machine_is_switched_off(
    as_operator: Client, switched_off: None
) -> None:
    assert "switched off" in as_operator.get("/queue/").text


def test_a_machine_that_is_switched_off_while_a_job_waits_ends_the_wait() -> None:
    set_slots_in_use()

    def checkpoint() -> None:
        Server.objects.update(is_enabled=False)

    with (
        patch("time.sleep"),
        pytest.raises(JobWaits, match="server_disabled"),
        acquire_slot("encode", 2, checkpoint=checkpoint),
    ):
        pass


def test_the_chunks_of_a_film_go_on_where_the_machine_is_switched_off_meanwhile(
    tmp_path: Path,
) -> None:
    with ChunkSlots(context_of(tmp_path)) as chunk_slots:
        assert chunk_slots.take(0, limit=2) == "this machine"
        slots.ensure_local_server()
        Server.objects.update(is_enabled=False)
        assert chunk_slots.take(1, limit=2) is None


def test_a_job_without_a_slot_says_that_it_waits_for_one(tmp_path: Path) -> None:
    set_slots_in_use()
    said: list[str] = []
    context = context_of(tmp_path)
    context.report = lambda progress: said.append(progress.note)
    context.checkpoint = lambda: SlotLease.objects.all().delete() and None
    with patch("time.sleep"), held_slot(context, "encode") as slot:
        context.held_slots.beat()
        assert slot.server_name == "This machine"
    with held_slot(context, "encode"):
        pass  # free at once: nothing to say
    assert said == ["Waits for a free slot"]


def test_a_database_that_is_away_for_a_moment_is_waited_for() -> None:
    real, failures = slots.take_slot, [OperationalError("locked"), InterfaceError("closed")]

    def take(kind: str, job_id: int) -> SlotLease | None:
        if failures:
            raise failures.pop()
        return real(kind, job_id)

    asked: list[int] = []
    with (
        patch("time.sleep"),
        patch.object(slots, "take_slot", take),
        patch.object(slots, "connection") as connection,
        acquire_slot("encode", 1, checkpoint=lambda: asked.append(1)),
    ):
        assert SlotLease.objects.count() == 1
    assert len(asked) == 2
    assert connection.close.call_count == 2  # a broken one does not come back by itself


def test_a_database_that_stays_away_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 25.0, 50.0, 75.0])
    stand_in = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _seconds: None)
    monkeypatch.setattr(slots, "time", stand_in)
    with (
        patch.object(slots, "take_slot", side_effect=OperationalError("gone")) as take,
        patch.object(slots, "connection"),
        pytest.raises(JobWaits, match="did not answer for 60 s: gone"),
        acquire_slot("encode", 1, checkpoint=lambda: None),
    ):
        pass
    assert take.call_count == 3


def set_slots_in_use() -> None:
    assert slots.take_slot("encode", 1) is not None


def context_of(work_dir: Path) -> RunContext:
    return RunContext(
        job_id=2,
        job_uuid=UUID(int=2),
        token="",
        preset_slug="",
        spec=PresetSpec(),
        source=b"/films/a.mkv",
        library_root=b"/films",
        work_dir=work_dir,
        snapshot=Mock(),
    )


def test_who_waits_for_a_slot_is_asked_whether_to_go_on() -> None:
    held = slots.take_slot("encode", 1)
    assert held is not None
    asked: list[int] = []

    def checkpoint() -> None:
        asked.append(1)
        if len(asked) == 2:
            SlotLease.objects.all().delete()

    with (
        patch("time.sleep"),
        acquire_slot("encode", 2, checkpoint=checkpoint),
    ):
        assert len(asked) == 2


def test_a_race_for_a_slot_is_decided_by_the_database() -> None:
    held = slots.take_slot("encode", 1)
    assert held is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        SlotLease.objects.create(server=held.server, index=0, holder="job:2", token="t", owner="o")
    with patch.object(slots, "parallel_limit", return_value=1):
        assert slots.take_slot("encode", 2) is None


def test_the_slot_of_a_dead_process_is_taken_back(monkeypatch: Any) -> None:
    held = slots.take_slot("encode", 1)
    assert held is not None
    leased = slots.slot_leases()
    assert list(leased.rows()) == [(held.pk, held.owner, held.token, 0)]
    assert not leased.take_over(held.pk, "stale")
    assert leased.take_over(held.pk, held.token)
    assert not SlotLease.objects.exists()
