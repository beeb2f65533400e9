"""Long work that is not a job: scan, export, enqueue by filter, backup. One row each.

A room registers one handler per kind; the consumer runs it in `manage.py run_operation ID`. It may
be started again after a crash, so it must be idempotent. Only this module writes the status.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from mediaflow.base.leases import BeatTimer, LeasedRows, new_token, own_identity
from mediaflow.base.models import ACTIVE, Operation, OperationEvent, OperationStatus
from mediaflow.base.transitions import TransitionTable, change_status
from mediaflow.base.wake import ring

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
PROGRESS_INTERVAL_S: Final = 1.0

OPERATION_TABLE: Final = TransitionTable(
    model=Operation,
    event_model=OperationEvent,
    allowed={
        OperationStatus.QUEUED: frozenset({OperationStatus.RUNNING, OperationStatus.CANCELLED}),
        OperationStatus.RUNNING: frozenset(
            {
                OperationStatus.COMPLETED,
                OperationStatus.FAILED,
                OperationStatus.CANCELLED,
                OperationStatus.QUEUED,
            }
        ),
    },
    active=ACTIVE,
    terminal=frozenset(
        {OperationStatus.COMPLETED, OperationStatus.FAILED, OperationStatus.CANCELLED}
    ),
    leased=frozenset({OperationStatus.RUNNING}),
)


class OperationStop(Exception):
    """Base of what `checkpoint` raises; a handler lets it pass."""


class OperationCancelled(OperationStop):
    """A person asked for it."""


class OperationHandedBack(OperationStop):
    """Shutdown: the operation goes back to the queue and starts again later."""


class OperationLost(OperationStop):
    """Somebody else holds the operation now: stop, write nothing."""


class OperationProblem(Exception):
    """A handler's way to fail with a sentence for people."""


_handlers: dict[str, Callable[[OperationContext], None]] = {}


def register_operation(kind: str, handler: Callable[[OperationContext], None]) -> None:
    """Say who runs operations of a kind; called from `AppConfig.ready`. The last one wins."""
    _handlers[kind] = handler


class OperationContext:
    """What a handler gets: its arguments, progress, and the question whether to go on."""

    def __init__(
        self,
        operation: Operation,
        *,
        on_progress: Callable[[Operation], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.operation_id: int = operation.pk
        self.args: dict[str, Any] = operation.args
        self.token = operation.lease_token
        self.should_hand_back = False  # set by the process that runs the handler
        self._operation = operation
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._written_at = float("-inf")
        self._checked_at = float("-inf")
        self._result: dict[str, Any] = {}
        self._is_cancelled = False
        self._timer_lock = threading.Lock()
        self._timer = BeatTimer(self._beat, errors=(DatabaseError,), monotonic=monotonic)

    def report(
        self,
        done: int,
        total: int | None = None,
        current: str = "",
        rate_per_s: float | None = None,
        message: str = "",
    ) -> None:
        """Say how far it is. Cheap: written at most once a second."""
        row = self._operation
        row.done_count, row.total_count, row.rate_per_s = done, total, rate_per_s
        row.current, row.message = current[:500], (message or row.message)[:1000]
        now = self._monotonic()
        if now - self._written_at >= PROGRESS_INTERVAL_S:
            self._written_at = now
            self._write_progress()

    def checkpoint(self) -> None:
        """Call often. Raises OperationCancelled, OperationHandedBack or OperationLost."""
        self.beat_when_due()
        if self._timer.is_lost:
            raise OperationLost
        if self.should_hand_back:
            raise OperationHandedBack
        now = self._monotonic()
        if now - self._checked_at >= PROGRESS_INTERVAL_S:
            self._checked_at = now
            self._look_for_cancel()
        if self._is_cancelled:
            raise OperationCancelled

    def beat_when_due(self) -> None:
        """Move the heartbeat when it is time; the process also calls it from a thread."""
        with self._timer_lock:
            self._timer.tick()

    def set_result(self, result: dict[str, Any]) -> None:
        """What the operation found or did, stored as JSON when it ends well."""
        self._result = result

    @property
    def result(self) -> dict[str, Any]:
        return self._result

    def flush(self) -> None:
        """Write the progress now. An unavailable database costs the figure, not the work."""
        self._write_progress()

    def _write_progress(self) -> None:
        row = self._operation
        names = ("done_count", "total_count", "rate_per_s", "current", "message")
        try:
            self._mine().update(**{name: getattr(row, name) for name in names})
        except DatabaseError:
            log.warning("progress of operation %s could not be written", row.pk, exc_info=True)
        if self._on_progress:
            self._on_progress(row)

    def _look_for_cancel(self) -> None:
        try:
            found = self._mine().values_list("cancel_requested_at", flat=True)[:1]
            rows = list(found)
        except DatabaseError:
            return  # the beat timer decides when that lasts too long
        if not rows:
            raise OperationLost
        self._is_cancelled = rows[0] is not None

    def _mine(self) -> Any:
        return Operation.objects.filter(
            pk=self.operation_id, status=OperationStatus.RUNNING, lease_token=self.token
        )

    def _beat(self) -> bool:
        return bool(self._mine().update(heartbeat=F("heartbeat") + 1))


def start_operation(
    *,
    kind: str,
    title: str,
    args: dict[str, Any] | None = None,
    lock_key: str = "",
    unit: str = "files",
    actor: AbstractBaseUser | None = None,
) -> Operation:
    """Queue an operation; the one already active under `lock_key` when there is one.

    Raises KeyError for a kind without handler.
    """
    _handlers[kind]
    for _ in range(3):
        active = active_operation(lock_key)
        if active is not None:
            return active
        try:
            with transaction.atomic():
                operation = Operation.objects.create(
                    kind=kind,
                    title=title[:200],
                    args=args or {},
                    lock_key=lock_key,
                    unit=unit,
                    requested_by_id=actor.pk if actor else None,
                )
                transaction.on_commit(ring)
                return operation
        except IntegrityError:
            continue  # another process queued it between the look and the insert
    raise IntegrityError(f"operation {lock_key!r} could not be queued")


def active_operation(lock_key: str) -> Operation | None:
    """What waits or runs under a lock."""
    if not lock_key:
        return None
    return active_operations().filter(lock_key=lock_key).first()


def active_operations() -> QuerySet[Operation]:
    """All that wait or run."""
    return Operation.objects.filter(status__in=OPERATION_TABLE.active)


def request_cancel(operation_id: int, actor: AbstractBaseUser | None) -> bool:
    """End a waiting operation at once, ask a running one to stop. False when it is over already."""
    name = actor.get_username() if actor else "the system"
    if change_status(
        OPERATION_TABLE,
        operation_id,
        from_status=OperationStatus.QUEUED,
        to_status=OperationStatus.CANCELLED,
        reason_code="cancelled",
        reason=f"Cancelled by {name}.",
        updates={"finished_at": timezone.now()},
    ):
        return True
    rows = Operation.objects.filter(pk=operation_id, status=OperationStatus.RUNNING)
    return bool(rows.update(cancel_requested_at=timezone.now()))


def claim_operation(owner: str, operation_id: int | None = None) -> Operation | None:
    """Take the oldest waiting operation (or the named one). None: nothing to do."""
    waiting = Operation.objects.filter(status=OperationStatus.QUEUED).order_by("id")
    if operation_id is not None:
        waiting = waiting.filter(pk=operation_id)
    for pk in list(waiting.values_list("pk", flat=True)[:5]):
        token = new_token()
        if change_status(
            OPERATION_TABLE,
            pk,
            from_status=OperationStatus.QUEUED,
            to_status=OperationStatus.RUNNING,
            updates={
                "lease_token": token,
                "lease_owner": owner,
                "attempt": F("attempt") + 1,
                "heartbeat": 0,
                "started_at": timezone.now(),
            },
        ):
            return Operation.objects.get(pk=pk)
    return None


def adopt_operation(operation_id: int, token: str, owner: str) -> Operation | None:
    """The child that does the work becomes the owner. None when the lease is no longer ours."""
    mine = Operation.objects.filter(
        pk=operation_id, status=OperationStatus.RUNNING, lease_token=token
    )
    if not mine.update(lease_owner=owner, heartbeat=F("heartbeat") + 1):
        return None
    return mine.first()


def requeue_lost(operation_id: int, token: str) -> bool:
    """Take over from a dead process: again to the queue, or `failed` after MAX_ATTEMPTS."""
    row = Operation.objects.filter(pk=operation_id, lease_token=token).first()
    if row is None or row.status != OperationStatus.RUNNING:
        return False
    if row.cancel_requested_at is not None:
        return _end(row, OperationStatus.CANCELLED, "cancelled", "Cancelled.")
    if row.attempt >= MAX_ATTEMPTS:
        return _end(
            row,
            OperationStatus.FAILED,
            "crashed",
            f"Its process ended without a word {row.attempt} times; see the log.",
        )
    return _end(row, OperationStatus.QUEUED, "process_lost", "Its process ended; starts again.")


def _end(row: Operation, status: OperationStatus, code: str, reason: str, **updates: Any) -> bool:
    if status in OPERATION_TABLE.terminal:
        updates["finished_at"] = timezone.now()
    return change_status(
        OPERATION_TABLE,
        row.pk,
        from_status=OperationStatus.RUNNING,
        to_status=status,
        token=row.lease_token,
        reason_code=code,
        reason=reason[:1000],
        updates={"message": reason[:1000], **updates} if reason else updates,
    )


def operation_leases() -> LeasedRows:
    """Running operations, for the sweeper."""
    running = Operation.objects.filter(status=OperationStatus.RUNNING)
    return LeasedRows(
        "operation",
        lambda: running.all().values_list("pk", "lease_owner", "lease_token", "heartbeat"),
        requeue_lost,
    )


def run_claimed(operation: Operation, context: OperationContext) -> None:
    """Run the handler and write what became of it. Never raises for what the handler did."""
    attempt = operation.attempt
    try:
        handler = _handlers[operation.kind]
        handler(context)
    except OperationCancelled:
        context.flush()
        _end(operation, OperationStatus.CANCELLED, "cancelled", "Cancelled.")
    except OperationHandedBack:
        _end(operation, OperationStatus.QUEUED, "handed_back", "", attempt=max(0, attempt - 1))
        ring()
    except OperationLost:
        log.warning("operation %s was taken over by another process", operation.pk)
    except OperationProblem as problem:
        context.flush()
        _end(operation, OperationStatus.FAILED, "failed", str(problem))
    except Exception as error:  # the edge of the process: logged and recorded
        log.exception("operation %s (%s) failed", operation.pk, operation.kind)
        reason = f"Internal error ({type(error).__name__}: {error}); see the log."
        _end(operation, OperationStatus.FAILED, "internal_error", reason)
    else:
        context.flush()
        _end(operation, OperationStatus.COMPLETED, "", "", result=context.result)


def run_operation_here(
    operation: Operation, *, on_progress: Callable[[Operation], None] | None = None
) -> Operation:
    """Run a queued operation in this process (command line). Returns its fresh row.

    One that another process runs already is waited for. KeyboardInterrupt hands it back.
    """
    claimed = claim_operation(own_identity(), operation.pk)
    if claimed is None:
        return _wait_for(operation, on_progress)
    context = OperationContext(claimed, on_progress=on_progress)
    try:
        run_claimed(claimed, context)
    except KeyboardInterrupt:
        _end(claimed, OperationStatus.CANCELLED, "cancelled", "Stopped on the command line.")
        raise
    return Operation.objects.get(pk=operation.pk)


def _wait_for(operation: Operation, on_progress: Callable[[Operation], None] | None) -> Operation:
    while True:
        row = Operation.objects.get(pk=operation.pk)
        if not row.is_active:
            return row
        if on_progress:
            on_progress(row)
        time.sleep(0.3)
