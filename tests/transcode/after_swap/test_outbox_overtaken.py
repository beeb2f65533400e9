"""Entries of the outbox that another process has meanwhile; heartbeats; a stop before a start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection

from library.models import ArrServer
from mediaflow.base.models import AuditEvent
from tests.transcode.after_swap.test_outbox import disk_is_there, entry, make_swap, radarr, work
from tests.transcode.web.rows import make_job
from transcode.after_swap import fan_out, outbox
from transcode.after_swap.outbox import Claim, Done
from transcode.after_swap.worker import OutboxWorker
from transcode.models import JobStatus, OutboxEntry

if TYPE_CHECKING:
    from tests.arr_stand_in import ArrStandIn
    from transcode.after_swap.outbox import Outcome

pytestmark = pytest.mark.django_db
__all__ = ["disk_is_there", "radarr"]


def _taken_by_another() -> None:
    OutboxEntry.objects.update(lease_token="other")


def test_an_entry_that_another_consumer_claims_first_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = entry()
    real = outbox._claim

    def late(*args: Any) -> Claim | None:
        _taken_by_another()
        return real(*args)

    monkeypatch.setattr(outbox, "_claim", late)
    told: list[Claim] = []

    def handler(claim: Claim) -> Outcome:
        told.append(claim)
        return Done("twice")

    work(handler)
    row.refresh_from_db()
    assert (told, row.lease_token, row.attempts, row.done_at) == ([], "other", 0, None)


@pytest.mark.parametrize("when", ["before", "at the end"])
def test_entries_for_servers_are_not_made_by_one_who_lost_the_swap(
    radarr: ArrStandIn,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    make_swap(make_job(JobStatus.COMPLETED))
    if when == "at the end":
        monkeypatch.setattr(fan_out, "end", lambda _claim, _outcome: False)

    def handler(claim: Claim) -> Outcome:
        if when == "before":
            _taken_by_another()
        return fan_out.fan_out(claim)

    work(handler, "file_swapped")
    assert not OutboxEntry.objects.filter(kind="arr").exists()
    assert not OutboxEntry.objects.filter(done_at__isnull=False).exists()


@pytest.mark.parametrize("how", ["switched off", "removed"])
def test_a_radarr_that_went_is_told_nothing(radarr: ArrStandIn, how: str) -> None:
    make_swap(make_job(JobStatus.COMPLETED))
    outbox.work_on_due(known={"file_swapped": fan_out.fan_out, "arr": lambda _claim: Done("x")})
    OutboxEntry.objects.filter(kind="arr").update(done_at=None)
    if how == "removed":
        ArrServer.objects.all().delete()
    else:
        ArrServer.objects.update(is_enabled=False)
    outbox.work_on_due()
    row = OutboxEntry.objects.get(kind="arr")
    assert row.outcome == "The server was removed or switched off."
    assert (row.done_at is not None, radarr.paths) == (True, [])


class _Beats(threading.Event):
    """Lets a heartbeat go on for so many beats."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, _timeout: float | None = None) -> bool:
        self._left -= 1
        return self._left < 0


def test_the_heartbeat_moves_while_a_server_takes_its_time_and_only_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)  # this thread's is the test's
    row = entry()
    OutboxEntry.objects.update(lease_token="mine")
    claim = Claim(row.pk, row.kind, {}, "mine", 1)
    outbox._beat_until(claim, _Beats(3))
    row.refresh_from_db()
    assert row.heartbeat == 3
    _taken_by_another()
    outbox._beat_until(claim, _Beats(3))
    row.refresh_from_db()
    assert row.heartbeat == 3


def test_a_heartbeat_outlives_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)
    row = entry()
    OutboxEntry.objects.update(lease_token="mine")
    real, tries = outbox.mine, []

    def away_once(claim: Claim) -> Any:
        tries.append(claim)
        if len(tries) == 1:
            raise OperationalError("gone")
        return real(claim)

    monkeypatch.setattr(outbox, "mine", away_once)
    outbox._beat_until(Claim(row.pk, row.kind, {}, "mine", 1), _Beats(2))
    row.refresh_from_db()
    assert row.heartbeat == 1
    assert "could not beat" in caplog.text


def test_where_nothing_was_given_up_nothing_is_tried_again_or_audited() -> None:
    entry()
    assert outbox.try_all_again(actor=None) == 0
    assert not AuditEvent.objects.exists()


def test_a_worker_that_was_never_started_can_be_stopped() -> None:
    made = OutboxWorker()
    made.stop()
    assert made._thread is None
