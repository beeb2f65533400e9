"""Long operations: one row, one handler, ends in a named state whatever happens."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from mediaflow.base import operations as ops
from mediaflow.base.leases import BEAT_INTERVAL_S
from mediaflow.base.models import Operation, OperationEvent, OperationStatus
from mediaflow.base.transitions import IllegalTransition, change_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.accounts.models import User

    Handler = Callable[[ops.OperationContext], None]

pytestmark = pytest.mark.django_db


@pytest.fixture
def register() -> Iterator[Callable[[Handler], None]]:
    """Registers the handler of kind "test"."""

    def put(handler: Handler) -> None:
        ops.register_operation("test", handler)

    put(lambda _context: None)
    yield put
    del ops._handlers["test"]


@pytest.fixture
def operation(register: object) -> Operation:
    return ops.start_operation(kind="test", title="A test")


def run(operation: Operation) -> Operation:
    return ops.run_operation_here(operation)


ALLOWED = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "queued"),
}


@pytest.mark.parametrize(
    ("before", "after"), list(product(OperationStatus.values, OperationStatus.values)), ids="-".join
)
def test_each_step_is_either_in_the_table_or_impossible(before: str, after: str) -> None:
    token = "mine" if before == "running" else ""
    row = Operation.objects.create(kind="x", title="x", status=before, lease_token=token)
    updates = {"lease_token": "fresh"} if after == "running" else {}

    def step() -> bool:
        return change_status(
            ops.OPERATION_TABLE,
            row.pk,
            from_status=before,
            to_status=after,
            token=token,
            updates=updates,
        )

    if (before, after) in ALLOWED:
        assert step()
        assert OperationEvent.objects.get(subject=row).to_status == after
    else:
        with pytest.raises(IllegalTransition):
            step()


@pytest.mark.parametrize(("to_status", "token"), [("running", ""), ("cancelled", "a token")])
def test_a_status_and_its_lease_go_together(to_status: str, token: str) -> None:
    row = Operation.objects.create(kind="x", title="x")
    with pytest.raises(IllegalTransition, match="lease"):
        change_status(
            ops.OPERATION_TABLE, row.pk, from_status="queued", to_status=to_status,
            updates={"lease_token": token},
        )  # fmt: skip
    row.refresh_from_db()
    assert (row.status, row.lease_token) == ("queued", "")


def test_an_operation_runs_and_keeps_its_result(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(context: ops.OperationContext) -> None:
        context.report(3, 10, current="a.mkv", rate_per_s=2.5, message="reading")
        context.checkpoint()
        context.set_result({"files": 10})

    register(handler)
    done = run(operation)
    assert (done.status, done.result, done.lease_token) == ("completed", {"files": 10}, "")
    assert (done.done_count, done.total_count, done.current, done.message) == (
        3,
        10,
        "a.mkv",
        "reading",
    )
    steps = [(e.from_status, e.to_status) for e in OperationEvent.objects.all()]
    assert steps == [("queued", "running"), ("running", "completed")]


def test_the_same_lock_key_gives_the_operation_that_is_active(register: object) -> None:
    first = ops.start_operation(kind="test", title="A", lock_key="scan:1")
    assert ops.start_operation(kind="test", title="B", lock_key="scan:1") == first
    assert ops.start_operation(kind="test", title="C", lock_key="scan:2") != first
    run(first)
    assert ops.start_operation(kind="test", title="D", lock_key="scan:1") != first


def test_a_race_for_a_lock_key_gives_both_the_same_operation(register: object) -> None:
    winner = Operation.objects.create(kind="test", title="won", lock_key="k")
    looks = iter([None, winner])
    with patch.object(ops, "active_operation", lambda _key: next(looks)):
        assert ops.start_operation(kind="test", title="lost", lock_key="k") == winner


def test_a_lock_key_that_is_taken_again_and_again_is_given_up(register: object) -> None:
    """Each time another one stands in the way, and is over before it is looked for."""
    Operation.objects.create(kind="test", title="theirs", lock_key="k")
    with (
        patch.object(ops, "active_operation", lambda _key: None),
        pytest.raises(IntegrityError, match="'k' could not be queued"),
    ):
        ops.start_operation(kind="test", title="lost", lock_key="k")
    assert Operation.objects.get().title == "theirs"


def test_the_database_allows_one_active_operation_for_a_lock_key() -> None:
    Operation.objects.create(kind="test", title="1", lock_key="k")
    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.create(kind="test", title="2", lock_key="k")
    Operation.objects.create(kind="test", title="3", lock_key="k", status="completed")


def test_a_kind_without_handler_cannot_be_started() -> None:
    with pytest.raises(KeyError):
        ops.start_operation(kind="no such kind", title="?")


def test_progress_is_written_at_most_once_a_second(operation: Operation) -> None:
    now = [0.0]
    written: list[int] = []
    claimed = ops.claim_operation("me")
    assert claimed
    context = ops.OperationContext(
        claimed,
        on_progress=lambda row: written.append(row.done_count),
        monotonic=lambda: now[0],
    )
    for count in range(50):
        context.report(count)
        now[0] += 0.125
    assert written == [0, 8, 16, 24, 32, 40, 48]


def test_a_waiting_operation_is_cancelled_at_once(operation: Operation, operator: User) -> None:
    assert ops.request_cancel(operation.pk, operator)
    operation.refresh_from_db()
    assert operation.status == "cancelled"
    assert not ops.request_cancel(operation.pk, operator)
    assert OperationEvent.objects.get().reason == "Cancelled by olga."


def test_a_running_operation_stops_at_its_next_checkpoint(
    operation: Operation, register: Callable[[Handler], None], operator: User
) -> None:
    reached: list[str] = []

    def handler(context: ops.OperationContext) -> None:
        ops.request_cancel(operation.pk, operator)
        context.checkpoint()
        reached.append("never")

    register(handler)
    assert run(operation).status == "cancelled"
    assert not reached


def test_an_operation_that_somebody_took_over_writes_nothing_more(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(context: ops.OperationContext) -> None:
        Operation.objects.filter(pk=operation.pk).update(lease_token="theirs")
        context.report(99)
        context.checkpoint()

    register(handler)
    row = run(operation)
    assert (row.status, row.lease_token, row.done_count) == ("running", "theirs", 0)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_beat_moves_the_counter_and_notices_another_holder(
    operation: Operation, is_ours: bool
) -> None:
    claimed = ops.claim_operation("me")
    assert claimed
    now = [0.0]
    context = ops.OperationContext(claimed, monotonic=lambda: now[0])
    if not is_ours:
        Operation.objects.update(lease_token="theirs")
    now[0] = BEAT_INTERVAL_S
    if is_ours:
        context.checkpoint()
    else:
        with pytest.raises(ops.OperationLost):
            context.checkpoint()
    operation.refresh_from_db()
    assert operation.heartbeat == claimed.heartbeat + is_ours


def test_a_handed_back_operation_is_queued_again_and_counts_no_attempt(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(context: ops.OperationContext) -> None:
        context.should_hand_back = True
        context.checkpoint()

    register(handler)
    row = run(operation)
    assert (row.status, row.attempt, row.lease_token) == ("queued", 0, "")


def test_a_handler_may_fail_with_a_sentence(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(_context: ops.OperationContext) -> None:
        raise ops.OperationProblem("The disk is full; make room.")

    register(handler)
    row = run(operation)
    assert (row.status, row.message) == ("failed", "The disk is full; make room.")


def test_a_bug_in_a_handler_is_logged_and_recorded(
    operation: Operation,
    register: Callable[[Handler], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(_context: ops.OperationContext) -> None:
        raise ZeroDivisionError("by zero")

    register(handler)
    row = run(operation)
    assert row.status == "failed"
    assert "ZeroDivisionError: by zero" in row.message
    assert "Traceback" in caplog.text


def test_a_busy_database_costs_progress_not_the_work(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(context: ops.OperationContext) -> None:
        with patch.object(ops.OperationContext, "_mine", side_effect=DatabaseError("locked")):
            context.report(5)
            context.checkpoint()

    register(handler)
    assert run(operation).status == "completed"


def test_ctrl_c_on_the_command_line_ends_the_operation(
    operation: Operation, register: Callable[[Handler], None]
) -> None:
    def handler(_context: ops.OperationContext) -> None:
        raise KeyboardInterrupt

    register(handler)
    with pytest.raises(KeyboardInterrupt):
        run(operation)
    operation.refresh_from_db()
    assert operation.status == "cancelled"


def test_operations_are_claimed_in_order_and_once(register: object) -> None:
    first = ops.start_operation(kind="test", title="1")
    second = ops.start_operation(kind="test", title="2")
    claimed = [ops.claim_operation("me") for _ in range(3)]
    assert [c.pk if c else None for c in claimed] == [first.pk, second.pk, None]
    assert ops.claim_operation("me", first.pk) is None


def test_an_operation_that_somebody_was_faster_to_claim_leads_to_the_next(
    register: object,
) -> None:
    first = ops.start_operation(kind="test", title="1")
    second = ops.start_operation(kind="test", title="2")

    def somebody_is_faster() -> str:
        rows = Operation.objects.filter(pk=first.pk, status="queued")
        rows.update(status="running", lease_token="theirs")
        return "mine"

    with patch.object(ops, "new_token", somebody_is_faster):
        claimed = ops.claim_operation("me")
    assert claimed == second
    first.refresh_from_db()
    assert first.lease_token == "theirs"


def test_only_the_holder_of_the_token_adopts(operation: Operation) -> None:
    claimed = ops.claim_operation("consumer")
    assert claimed
    assert ops.adopt_operation(operation.pk, "stale", "child") is None
    adopted = ops.adopt_operation(operation.pk, claimed.lease_token, "child")
    assert adopted is not None
    assert adopted.lease_owner == "child"


def test_an_operation_whose_process_died_starts_again_but_not_for_ever(
    operation: Operation,
) -> None:
    for attempt in range(1, ops.MAX_ATTEMPTS + 1):
        claimed = ops.claim_operation("me")
        assert claimed
        assert claimed.attempt == attempt
        assert not ops.requeue_lost(claimed.pk, "stale")
        assert ops.requeue_lost(claimed.pk, claimed.lease_token)
    operation.refresh_from_db()
    assert operation.status == "failed"
    assert "5 times" in operation.message


def test_a_cancelled_operation_whose_process_died_is_cancelled(operation: Operation) -> None:
    claimed = ops.claim_operation("me")
    assert claimed
    Operation.objects.update(cancel_requested_at=timezone.now())
    assert ops.requeue_lost(claimed.pk, claimed.lease_token)
    operation.refresh_from_db()
    assert operation.status == "cancelled"


def test_the_command_line_waits_for_an_operation_that_runs_elsewhere(operation: Operation) -> None:
    claimed = ops.claim_operation("elsewhere")
    assert claimed
    shown: list[str] = []

    def finish_elsewhere(_seconds: float) -> None:
        ops._end(claimed, OperationStatus.COMPLETED, "", "")

    with patch("time.sleep", finish_elsewhere):
        row = ops.run_operation_here(operation, on_progress=lambda r: shown.append(r.status))
    assert row.status == "completed"
    assert shown == ["running"]
    assert ops._wait_for(operation, None).status == "completed"
