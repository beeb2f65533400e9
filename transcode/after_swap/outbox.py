"""The outbox: entries with their own retries, each claimed by one process at a time.

A handler tells one server one thing and returns what became of it. It may be killed anywhere and is
then called again, so everything it does is idempotent. An entry that fails waits longer each time,
and after MAX_ATTEMPTS it is given up: a person sees why and may have it tried again.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError, connection
from django.db.models import Case, F, IntegerField, Q, Value, When
from django.utils import timezone

from library.models import ArrServer, PlexServer
from mediaflow.base.audit import record_audit
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.leases import BEAT_INTERVAL_S, LeasedRows, new_token, own_identity
from transcode.models import OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from django.db.models import QuerySet

    from mediaflow.accounts.models import User

log = logging.getLogger(__name__)
SWAPPED: Final = "file_swapped"
RESTORED: Final = "file_restored"
PLEX: Final = "plex"
ARR: Final = "arr"
FAN_OUT: Final = (SWAPPED, RESTORED)
# 56 hours in all.
BACK_OFF_S: Final = (30, 60, 120, 300, 900, 1800, 3600, 7200, 14400, 28800, 57600, 86400)
MAX_ATTEMPTS: Final = len(BACK_OFF_S) + 1
KEPT_FOR: Final = timedelta(days=60)
CLAIMED: Final = declare("outbox.claimed", "an entry is claimed, nobody was told anything")
TOLD: Final = declare("outbox.told", "the handler is through, its end is not written")


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""

    text: str


@dataclass(frozen=True, slots=True)
class Later:
    """It goes well but needs time: again after `delay_s`; counts no attempt."""

    text: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Again later, while attempts are left. `is_away`: the other side did not answer at all."""

    text: str
    is_away: bool = False


Outcome = Done | Later | Failed


class OutboxStopped(Exception):
    """The consumer ends, or somebody else has the entry: stop, write nothing."""


@dataclass(slots=True)
class Claim:
    """An entry in the hands of this process."""

    entry_id: int
    kind: str
    payload: dict[str, Any]
    token: str
    attempts: int
    is_stopping: Callable[[], bool] = lambda: False

    def checkpoint(self) -> None:
        """Call between two calls to others. Raises OutboxStopped."""
        if self.is_stopping() or not mine(self).update(heartbeat=F("heartbeat") + 1):
            raise OutboxStopped


def handlers() -> Mapping[str, Callable[[Claim], Outcome]]:
    """Loaded only where they run: Plex's library takes a while to load."""
    from transcode.after_swap.arr_step import tell_arr
    from transcode.after_swap.fan_out import fan_out
    from transcode.after_swap.plex_step import tell_plex

    return {SWAPPED: fan_out, RESTORED: fan_out, PLEX: tell_plex, ARR: tell_arr}


def due_entries() -> QuerySet[OutboxEntry]:
    """What may be claimed now: first what only makes other entries."""
    open_rows = OutboxEntry.objects.filter(
        done_at=None, given_up_at=None, lease_token="", not_before__lte=timezone.now()
    )
    order = Case(
        When(kind__in=FAN_OUT, then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    return open_rows.order_by(order, "not_before", "id")


def has_listeners() -> bool:
    """Whether anybody is to be told of swaps."""
    servers = PlexServer.objects.filter(is_enabled=True)
    return servers.exists() or ArrServer.objects.filter(is_enabled=True).exists()


def is_soon_due(*, within_s: float) -> bool:
    """Whether an entry is being worked on or will be within so many seconds."""
    soon = timezone.now() + timedelta(seconds=within_s)
    open_rows = OutboxEntry.objects.filter(done_at=None, given_up_at=None)
    return open_rows.filter(Q(not_before__lte=soon) | ~Q(lease_token="")).exists()


def work_on_due(
    is_stopping: Callable[[], bool] = lambda: False,
    known: Mapping[str, Callable[[Claim], Outcome]] | None = None,
) -> int:
    """Work on everything that is due. Returns how many entries were worked on.

    A server that does not answer is asked once a round, however many entries wait for it.
    """
    away: set[tuple[str, Any]] = set()
    seen: set[int] = set()
    calls = known or handlers()
    while not is_stopping():
        entry = _next_due(seen, away)
        if entry is None:
            break
        seen.add(entry.pk)
        claim = _claim(entry, is_stopping)
        if claim is None:
            continue
        reach(CLAIMED)
        outcome = _handle(claim, calls)
        if isinstance(outcome, Failed) and outcome.is_away:
            away.add(_target(entry))
    return len(seen)


def _next_due(seen: set[int], away: set[tuple[str, Any]]) -> OutboxEntry | None:
    due = due_entries().exclude(pk__in=seen)
    for kind, server in away:
        # Entries of a dead server may be thousands: others are not to wait behind them.
        same = (
            due.filter(kind=kind)
            if server is None
            else due.filter(kind=kind, payload__server=server)
        )
        due = due.exclude(pk__in=same.order_by().values("pk"))
    return due.first()


def _target(entry: OutboxEntry) -> tuple[str, Any]:
    return entry.kind, entry.payload.get("server")


def _claim(entry: OutboxEntry, is_stopping: Callable[[], bool]) -> Claim | None:
    token = new_token()
    unclaimed = OutboxEntry.objects.filter(
        pk=entry.pk, done_at=None, given_up_at=None, lease_token="", attempts=entry.attempts
    )
    if not unclaimed.update(
        lease_token=token, lease_owner=own_identity(), heartbeat=0, attempts=F("attempts") + 1
    ):
        return None
    return Claim(entry.pk, entry.kind, entry.payload, token, entry.attempts + 1, is_stopping)


def _handle(claim: Claim, calls: Mapping[str, Callable[[Claim], Outcome]]) -> Outcome | None:
    try:
        with _beating(claim):
            handler = calls.get(claim.kind)
            outcome = handler(claim) if handler else Done("Nobody has to be told of this.")
    except OutboxStopped:
        release(claim.entry_id, claim.token, is_counted=False)
        return None
    except Exception as error:  # the edge: one entry must not stop the others
        log.exception("outbox entry %s (%s) failed", claim.entry_id, claim.kind)
        outcome = Failed(f"Internal error ({type(error).__name__}); see the log.")
    reach(TOLD)
    end(claim, outcome)
    return outcome


@contextmanager
def _beating(claim: Claim) -> Iterator[None]:
    """The heartbeat moves also while a slow server takes its time; every call is bounded."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(claim, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _beat_until(claim: Claim, ended: threading.Event) -> None:
    while not ended.wait(BEAT_INTERVAL_S):
        try:
            mine(claim).update(heartbeat=F("heartbeat") + 1)
        except DatabaseError:
            log.warning("outbox entry %s could not beat", claim.entry_id, exc_info=True)
        finally:
            connection.close()


def end(claim: Claim, outcome: Outcome) -> bool:
    """Write what became of a claimed entry. False: somebody else has it now."""
    now = timezone.now()
    values: dict[str, Any] = {"lease_token": "", "lease_owner": "", "outcome": outcome.text[:300]}
    match outcome:
        case Done():
            values |= {"done_at": now, "error": ""}
        case Later(delay_s=delay_s):
            values |= {
                "not_before": now + timedelta(seconds=delay_s),
                "attempts": F("attempts") - 1,
                "error": "",
            }
        case Failed():
            values |= {"error": outcome.text[:500], "outcome": ""}
            values |= _after_failure(claim.attempts)
    return bool(mine(claim).update(**values))


def _after_failure(attempts: int) -> dict[str, Any]:
    now = timezone.now()
    if attempts >= MAX_ATTEMPTS:
        return {"given_up_at": now}
    return {"not_before": now + timedelta(seconds=BACK_OFF_S[attempts - 1])}


def mine(claim: Claim) -> QuerySet[OutboxEntry]:
    return OutboxEntry.objects.filter(pk=claim.entry_id, lease_token=claim.token, done_at=None)


def release(entry_id: int, token: str, *, is_counted: bool = True) -> bool:
    """Give an entry back, or take it from a process that is gone; a poison one is given up."""
    rows = OutboxEntry.objects.filter(pk=entry_id, lease_token=token).exclude(lease_token="")
    values: dict[str, Any] = {"lease_token": "", "lease_owner": ""}
    if not is_counted:
        return bool(rows.update(**values, attempts=F("attempts") - 1))
    row = rows.first()
    if row is None:
        return False
    if row.attempts >= MAX_ATTEMPTS:
        values |= {"given_up_at": timezone.now(), "error": "Its process ended without a word."}
    return bool(rows.update(**values))


def outbox_leases() -> LeasedRows:
    """Claimed entries, for the sweeper (hook `leased_rows`)."""
    return LeasedRows(
        "outbox entry",
        lambda: OutboxEntry.objects.exclude(lease_token="").values_list(
            "pk", "lease_owner", "lease_token", "heartbeat"
        ),
        release,
    )


def try_again(entry_id: int, *, actor: User | None) -> bool:
    """Now, with all attempts. False: it is done, or being worked on."""
    rows = OutboxEntry.objects.filter(pk=entry_id, done_at=None, lease_token="")
    changed = rows.update(attempts=0, given_up_at=None, not_before=timezone.now())
    if changed:
        record_audit("outbox.retry", actor=actor, subject=f"entry {entry_id}")
    return bool(changed)


def try_all_again(*, actor: User | None) -> int:
    """All that were given up: now, with all attempts. Returns how many."""
    given_up = open_entries().filter(given_up_at__isnull=False, lease_token="")
    changed = given_up.update(attempts=0, given_up_at=None, not_before=timezone.now())
    if changed:
        subject = "1 entry" if changed == 1 else f"{changed:,} entries"
        record_audit("outbox.retry", actor=actor, subject=subject)
    return changed


def drop(entry_id: int, *, actor: User | None) -> bool:
    """Nobody is told any more. False: it is done, or being worked on."""
    rows = OutboxEntry.objects.filter(pk=entry_id, done_at=None, lease_token="")
    by = actor.get_username() if actor else "the system"
    changed = rows.update(done_at=timezone.now(), given_up_at=None, outcome=f"Dropped by {by}.")
    if changed:
        record_audit("outbox.drop", actor=actor, subject=f"entry {entry_id}")
    return bool(changed)


def open_entries() -> QuerySet[OutboxEntry]:
    """What waits, is being told or was given up."""
    return OutboxEntry.objects.filter(done_at=None)


def given_up_count() -> int:
    return OutboxEntry.objects.filter(done_at=None, given_up_at__isnull=False).count()


def prune() -> int:
    """Remove what was done long ago. Returns how many."""
    old = Q(done_at__lt=timezone.now() - KEPT_FOR)
    return OutboxEntry.objects.filter(old).delete()[0]
