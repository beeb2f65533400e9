"""Slots of this machine: one row for each ffmpeg that runs, so that no two runners share one."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F

from mediaflow.base.leases import LeasedRows, new_token, own_identity
from servers.models import Server, ServerKind, SlotLease
from transcode.encoders.machine import usable_cores
from transcode.outcomes import JobWaits
from transcode.queue.slots import parallel_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCAL_NAME: Final = "This machine"
WAIT_S: Final = 0.5
DATABASE_PATIENCE_S: Final = 60.0
SWITCHED_OFF_WAIT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class LocalSlot:
    server_name: str
    index: int
    token: str

    def beat(self) -> None:
        """Move the heartbeat of this slot."""
        SlotLease.objects.filter(token=self.token).update(heartbeat=F("heartbeat") + 1)


def ensure_local_server(**_kwargs: object) -> Server:
    """The row of this machine; made when it is not there. Called after each migration."""
    server, _made = Server.objects.get_or_create(
        kind=ServerKind.LOCAL, defaults={"name": LOCAL_NAME, "slot_count": 1}
    )
    return server


class LocalSlotProvider:
    """Grants slots of this machine: as many as the server's row says, at least one for each job."""

    @contextmanager
    def acquire(
        self, kind: str, job_id: int, *, checkpoint: Callable[[], None]
    ) -> Iterator[LocalSlot]:
        """Wait for a free slot; `checkpoint` may raise meanwhile. Free again at the end."""
        lease = _wait_for_slot(kind, job_id, checkpoint)
        try:
            yield LocalSlot(lease.server.name, lease.index, lease.token)
        finally:
            _free(lease.token)

    def refuse_switched_off(self) -> None:
        _refuse_switched_off(ensure_local_server())

    def is_switched_off(self) -> bool:
        return not ensure_local_server().is_enabled


def _wait_for_slot(kind: str, job_id: int, checkpoint: Callable[[], None]) -> SlotLease:
    """Raises JobWaits for a machine that is switched off or a database that stays away."""
    answered_at = time.monotonic()
    while True:
        try:
            lease = take_slot(kind, job_id)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if time.monotonic() - answered_at >= DATABASE_PATIENCE_S:
                reason = f"The database did not answer for {DATABASE_PATIENCE_S:.0f} s: {error}."
                raise JobWaits("database_busy", reason) from error
        else:
            if lease is not None:
                return lease
            answered_at = time.monotonic()
        checkpoint()
        time.sleep(WAIT_S)


def take_slot(kind: str, job_id: int) -> SlotLease | None:
    """The first free slot, or None. The unique (server, index) decides between two that ask.

    Raises JobWaits where the machine is switched off.
    """
    server = ensure_local_server()
    _refuse_switched_off(server)
    taken = set(server.leases.values_list("index", flat=True))
    for index in range(slot_limit(server)):
        if index in taken:
            continue
        try:
            with transaction.atomic():
                return SlotLease.objects.create(
                    server=server,
                    index=index,
                    kind=kind,
                    holder=f"job:{job_id}",
                    token=new_token(),
                    owner=own_identity(),
                )
        except IntegrityError:
            continue
    return None


def _refuse_switched_off(server: Server) -> None:
    """What runs there comes to its end; nothing new begins."""
    if not server.is_enabled:
        raise JobWaits(
            "server_disabled",
            f"{server.name} is switched off in the list of servers; the job goes on when it is"
            " switched on again.",
            delay_s=SWITCHED_OFF_WAIT_S,
        )


def slot_limit(server: Server) -> int:
    """ffmpegs at once: a film's chunks may use every core, and each further film needs one more."""
    return max(server.slot_count, usable_cores() + parallel_limit() - 1)


def _free(token: str) -> None:
    try:
        SlotLease.objects.filter(token=token).delete()
    except DatabaseError:
        return  # the reaper frees it when this process has ended


def slot_leases() -> LeasedRows:
    """Slots in use, for the sweeper: one whose holder is gone becomes free."""
    return LeasedRows(
        "slot",
        lambda: SlotLease.objects.values_list("pk", "owner", "token", "heartbeat"),
        lambda pk, token: bool(SlotLease.objects.filter(pk=pk, token=token).delete()[0]),
    )


def local_slots() -> LocalSlotProvider:
    return LocalSlotProvider()
