"""The journal of replacements: the only writer of `Replacement.state`.

Each change is a conditional UPDATE by the state that the caller saw, checked against one table, and
lasts through a power cut before the effect that it announces begins. One process at a time works on
a replacement: `hold_journal` is a lock that a killed process loses and a hanging one keeps.

    copying ──▶ staged ──▶ swapping ◀──▶ published      (new extension: both names exist)
       │           │        │  │            │
       └───────────┴────────┤  └──▶ done    │           abandoned ──▶ copying (another attempt)
                            ▼       │  ▲    │
                       abandoned    ▼  │    ▼
                            ▲────  undoing ◀┘  ──▶ undone
    Every open state may become stuck, and stuck only what it was before.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from mediaflow.base.db_retry import retry_on_busy
from transcode.models import Job, JobStatus, JournalState, Replacement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from library.models import Library

_S = JournalState
ALLOWED: Final[dict[str, frozenset[str]]] = {
    _S.COPYING: frozenset({_S.STAGED, _S.ABANDONED, _S.STUCK}),
    _S.STAGED: frozenset({_S.SWAPPING, _S.ABANDONED, _S.STUCK}),
    _S.SWAPPING: frozenset({_S.PUBLISHED, _S.DONE, _S.ABANDONED, _S.UNDOING, _S.STUCK}),
    _S.PUBLISHED: frozenset({_S.SWAPPING, _S.UNDOING, _S.STUCK}),
    _S.DONE: frozenset({_S.UNDOING}),
    # Back to done or published: an undo that found something in its way and touched nothing.
    _S.UNDOING: frozenset({_S.UNDONE, _S.ABANDONED, _S.DONE, _S.PUBLISHED, _S.STUCK}),
    _S.ABANDONED: frozenset({_S.COPYING}),
    _S.UNDONE: frozenset(),
    _S.STUCK: frozenset({_S.COPYING, _S.STAGED, _S.SWAPPING, _S.PUBLISHED, _S.UNDOING}),
}
# Somebody must bring these to an end (STUCK: with a person's help).
OPEN: Final = frozenset({_S.COPYING, _S.STAGED, _S.SWAPPING, _S.PUBLISHED, _S.UNDOING, _S.STUCK})

ADVISORY_LOCK_CLASS: Final = 0x4D46  # "MF": the class of our locks in PostgreSQL
_FLOCK: Final = "hhqqi4x"  # struct flock on 64-bit Linux


class JournalLost(Exception):
    """The row is no longer in the state that this process saw: somebody else went on with it."""


class JournalBusy(Exception):
    """Another process is at work on this replacement."""


class IllegalStep(Exception):
    """The table has no such step: a programming error."""


def advance(row: Replacement, to_state: str, **values: Any) -> None:
    """Move a journal from the state in `row` to another, durably, and refresh `row`.

    Raises JournalLost when the row changed meanwhile, IllegalStep when the table does not allow it.
    """
    is_back_from_stuck = row.state == JournalState.STUCK and to_state != row.stuck_from
    if to_state not in ALLOWED[row.state] or is_back_from_stuck:
        raise IllegalStep(f"replacement {row.pk}: {row.state} -> {to_state}")
    if to_state == JournalState.STUCK:
        values["stuck_from"] = row.state
    _write(row, {**values, "state": to_state})


def note(row: Replacement, **values: Any) -> None:
    """Write columns without a step, under the same condition as `advance`."""
    _write(row, values)


def _write(row: Replacement, values: dict[str, Any]) -> None:
    mine = Replacement.objects.filter(pk=row.pk, state=row.state)

    def write() -> int:
        with durable():
            return mine.update(**values, changed_at=timezone.now())

    if not retry_on_busy(write):
        raise JournalLost(f"replacement {row.pk} is no longer {row.state}")
    for name, value in values.items():
        setattr(row, name, value)


@contextmanager
def durable() -> Iterator[None]:
    """Commits inside reach the disk before they return.

    SQLite in WAL mode with synchronous=NORMAL may lose the last commits in a power cut, and the
    journal must never be behind the files. Inside a transaction this does nothing.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=NORMAL")


def start_journal(job_id: int, values: dict[str, Any]) -> Replacement:
    """A row in state `copying` for this attempt: new, or the abandoned one of an earlier attempt.

    Raises JournalLost when the job has a journal in any other state.
    """
    fresh = {
        "state": JournalState.COPYING,
        "stuck_from": "",
        "detail": "",
        "is_undo_announced": False,
        **values,
    }
    with durable(), transaction.atomic():
        row = Replacement.objects.filter(job_id=job_id).first()
        if row is None:
            return Replacement.objects.create(job_id=job_id, **fresh)
        again = Replacement.objects.filter(pk=row.pk, state=JournalState.ABANDONED)
        if not again.update(**fresh, changed_at=timezone.now()):
            raise JournalLost(f"replacement {row.pk} is {row.state}, not abandoned")
    return Replacement.objects.get(pk=row.pk)


def removal_blockers(library: Library) -> list[str]:
    """Why a library cannot go now: jobs that run, swaps without an end (fault 54)."""
    running = Job.objects.filter(file__library=library, status=JobStatus.RUNNING).count()
    journals = Replacement.objects.filter(library=library, state__in=OPEN)
    stuck = journals.filter(state=JournalState.STUCK).count()
    moving = journals.count() - stuck
    texts = []
    if running:
        texts.append(f"{running} of its films are being encoded; cancel these jobs first.")
    if moving:
        texts.append(f"{moving} of its films are being replaced or put back; wait for the end.")
    if stuck:
        texts.append(f"{stuck} of its swaps are stuck: their held jobs say what to do; then retry.")
    return texts


@contextmanager
def hold_journal(job_id: int) -> Iterator[None]:
    """The right to work on a job's replacement. Raises JournalBusy at once when it is taken.

    SQLite: a lock on one byte of a file in the data directory (one instance per data directory).
    PostgreSQL: an advisory lock of this connection. Both end with the process, however it ends.
    """
    hold = _hold_advisory if connection.vendor == "postgresql" else _hold_byte
    with hold(job_id):
        yield


@contextmanager
def _hold_byte(job_id: int) -> Iterator[None]:
    folder: Path = settings.DATA_DIR
    descriptor = os.open(folder / "replacements.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Open file description locks: unlike lockf() ones they hold between threads as well.
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, job_id, 1, 0)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
        except (BlockingIOError, PermissionError):
            raise JournalBusy(f"job {job_id}") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _hold_advisory(job_id: int) -> Iterator[None]:
    # A connection of its own: the shared one may be closed and opened again meanwhile.
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            key = (ADVISORY_LOCK_CLASS, job_id % 2**31)
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
            if not cursor.fetchone()[0]:
                raise JournalBusy(f"job {job_id}")
        try:
            yield
        finally:
            # Said before the connection closes: the server notices a close only a little later.
            with suppress(DatabaseError, InterfaceError), own.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
    finally:
        own.close()
