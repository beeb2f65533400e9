"""Leases: who holds a row, is that process alive, and when may somebody else take the row over.

No lease has an end time. Its holder moves a heartbeat counter; the reaper remembers, on its own
monotonic clock, when it saw the counter move last. A wall clock that jumps expires nothing
(trust.md, fault 36).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

LEASE_S = 60.0
BEAT_INTERVAL_S = 15.0
# A holder that cannot beat stops this long before the reaper would take its row.
SAFETY_S = 10.0


def new_token() -> str:
    """128 random bits, hex: the fencing token of one claim."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken for a later one with the same number."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_ticks: int  # field 22 of /proc/<pid>/stat; 0 where there is no /proc

    def __str__(self) -> str:
        return f"{self.host}/{self.boot_id}/{self.pid_namespace}/{self.pid}/{self.start_ticks}"

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        parts = text.rsplit("/", 4)
        if len(parts) != 5 or not (parts[3].isdigit() and parts[4].isdigit()):
            return None
        return cls(parts[0], parts[1], parts[2], int(parts[3]), int(parts[4]))


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "unknown"


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat after the command name (it may hold spaces); None: no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _start_ticks(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def own_identity() -> str:
    """`host/boot_id/pid-namespace/pid/starttime` of this process, as leases store it."""
    pid = os.getpid()
    return str(
        ProcessIdentity(
            socket.gethostname(), _boot_id(), _pid_namespace(), pid, _start_ticks(pid) or 0
        )
    )


def is_gone(owner: str) -> bool:
    """True only when the owner ran on this machine, in this pid namespace, and has certainly ended.

    A zombie has ended: it does nothing any more.
    """
    identity = _local_identity(owner)
    return identity is not None and not _is_running(identity)


def is_running_here(owner: str) -> bool:
    """True only when the owner runs on this machine, in this pid namespace, at this moment."""
    identity = _local_identity(owner)
    return identity is not None and _is_running(identity)


def _local_identity(owner: str) -> ProcessIdentity | None:
    """None when this process cannot know what became of the owner."""
    identity = ProcessIdentity.parse(owner)
    if identity is None or identity.start_ticks == 0 or identity.boot_id == "unknown":
        return None
    here = (socket.gethostname(), _boot_id(), _pid_namespace())
    is_local = (identity.host, identity.boot_id, identity.pid_namespace) == here
    return identity if is_local else None


def _is_running(identity: ProcessIdentity) -> bool:
    fields = _stat_fields(identity.pid)
    return fields is not None and fields[0] not in "ZX" and int(fields[19]) == identity.start_ticks


@dataclass(slots=True)
class _Sighting:
    counter: int
    token: str
    moved_at: float  # on the reaper's monotonic clock
    passes: int = 0


class Reaper:
    """Remembers the heartbeat counters of leased rows and tells which leases have ended.

    One per process and kind of row; `observe` is called every few seconds with all leased rows.
    """

    def __init__(
        self,
        *,
        lease_s: float = LEASE_S,
        monotonic: Callable[[], float] = time.monotonic,
        is_owner_gone: Callable[[str], bool] = is_gone,
    ) -> None:
        self._lease_s = lease_s
        self._monotonic = monotonic
        self._is_owner_gone = is_owner_gone
        self._seen: dict[Hashable, _Sighting] = {}

    def observe(self, rows: Iterable[tuple[Hashable, str, str, int]]) -> list[Hashable]:
        """Take `(key, owner, token, counter)` of every leased row; return the keys to take over.

        A lease has ended when its counter stood still for `lease_s` over at least two passes, or at
        once when its owner ran on this machine and is gone.
        """
        now = self._monotonic()
        current: dict[Hashable, _Sighting] = {}
        ended: list[Hashable] = []
        for key, owner, token, counter in rows:
            seen = self._seen.get(key)
            if seen is None or seen.token != token or seen.counter != counter:
                seen = _Sighting(counter, token, now)
            else:
                seen.passes += 1
            current[key] = seen
            stood_still = seen.passes >= 2 and now - seen.moved_at >= self._lease_s
            if stood_still or self._is_owner_gone(owner):
                ended.append(key)
        self._seen = current
        return ended


@dataclass(frozen=True, slots=True)
class LeasedRows:
    """One kind of leased row, for the sweeper: what runs now, and how to take a lost one over.

    Registered through the hook `leased_rows`; `take_over(key, token)` must be conditional on both.
    """

    name: str
    rows: Callable[[], Iterable[tuple[Any, str, str, int]]]
    take_over: Callable[[Any, str], bool]


class Sweeper:
    """Watches all kinds of leased rows with one Reaper each. Call `sweep` every few seconds."""

    def __init__(
        self, kinds: Iterable[LeasedRows], make_reaper: Callable[[], Reaper] = Reaper
    ) -> None:
        self._kinds = [(kind, make_reaper()) for kind in kinds]

    def sweep(self) -> list[str]:
        """Take over every ended lease. Returns what was taken over ("job 17")."""
        taken: list[str] = []
        for kind, reaper in self._kinds:
            rows = list(kind.rows())
            tokens = {row[0]: row[2] for row in rows}
            for key in reaper.observe(rows):
                if kind.take_over(key, tokens[key]):
                    taken.append(f"{kind.name} {key}")
        return taken


class BeatTimer:
    """Calls `beat` often enough, and says when the lease must be treated as lost.

    `beat` returns False when the row is no longer ours. A beat that raises (database away) is
    tolerated until SAFETY_S before the reaper could act; `is_lost` is True from then on.
    """

    def __init__(
        self,
        beat: Callable[[], bool],
        *,
        errors: tuple[type[Exception], ...],
        interval_s: float = BEAT_INTERVAL_S,
        lease_s: float = LEASE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._beat = beat
        self._errors = errors
        self._interval_s = interval_s
        self._deadline_s = lease_s - SAFETY_S
        self._monotonic = monotonic
        self._beaten_at = monotonic()
        self._tried_at = self._beaten_at
        self.is_lost = False

    def tick(self) -> None:
        """Beat when it is time. Call every second or so."""
        now = self._monotonic()
        if self.is_lost or now - self._tried_at < self._interval_s:
            return
        try:
            if self._beat():
                self._beaten_at = self._tried_at = self._monotonic()
            else:
                self.is_lost = True
        except self._errors:
            # Try again in a second; the row cannot be taken before the lease time is over.
            self._tried_at = now - self._interval_s + 1
            self.is_lost = now - self._beaten_at >= self._deadline_s


class ParentWatch:
    """Notices the end of the process that started this one: an inherited pipe closes.

    `on_end` runs once, in the watching thread. With `descriptor` None nothing is watched.
    """

    def __init__(self, descriptor: int | None, on_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_end = on_end

    def start(self) -> None:
        if self._descriptor is not None:
            threading.Thread(target=self._watch, name="parent-watch", daemon=True).start()

    def _watch(self) -> None:
        descriptor = self._descriptor
        assert descriptor is not None
        try:
            while os.read(descriptor, 64):
                pass
        except OSError:
            pass  # a broken pipe says the same as its end
        self._on_end()
