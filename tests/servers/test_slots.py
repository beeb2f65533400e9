"""Slots of this machine."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, transaction

from mediaflow.base import hooks
from mediaflow.base.settings_store import set_setting
from servers import slots
from servers.models import Server, SlotLease
from transcode.queue.slots import acquire_slot, parallel_limit

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


def test_a_machine_that_is_switched_off_gives_no_slot() -> None:
    slots.ensure_local_server()
    Server.objects.update(is_enabled=False)
    assert slots.take_slot("encode", 1) is None


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
