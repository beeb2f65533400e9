"""Removing a server: what only it knew goes with it. An operation, for there may be much of that.

The server is switched off first, so nothing reads it meanwhile; each step may be repeated.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from library.models import FileState, MediaFile, PlexItem, PlexPart, PlexSection, PlexServer
from library.plex.linking import unlink_section
from library.plex.sync_operation import active_sync
from library.services import LibraryProblem
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import OperationProblem, request_cancel, start_operation

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

REMOVE_KIND: Final = "plex_server_remove"
SYNC_ENDS_S: Final = 60.0  # a sync looks every second whether it shall stop
_POLL_S: Final = 0.5
_CHUNK: Final = 1_000


def start_removal(server: PlexServer, *, actor: User | None = None) -> Operation:
    """Forget a server, its libraries and the films that only it knew. Nothing at Plex changes.

    Raises LibraryProblem while a job owns one of them.
    """
    if refusal := _why_not(server):
        raise LibraryProblem("", refusal)
    PlexServer.objects.filter(pk=server.pk).update(is_enabled=False)
    record_audit("plex.server_remove", actor=actor, subject=server.name, detail=server.url)
    return start_operation(
        kind=REMOVE_KIND,
        title=f"Remove {server.name}",
        args={"server": server.pk},
        lock_key=f"{REMOVE_KIND}:{server.pk}",
        unit="items",
        actor=actor,
    )


def _why_not(server: PlexServer) -> str:
    libraries = PlexSection.objects.filter(server=server).exclude(library=None).values("library")
    busy = MediaFile.objects.filter(
        library__in=libraries, state__in=(FileState.PROCESSING, FileState.QUEUED)
    )
    return (
        f"A film of {server.name} is in the queue; cancel its job first." if busy.exists() else ""
    )


def run_removal(context: OperationContext) -> None:
    """Handler of REMOVE_KIND."""
    server = PlexServer.objects.filter(pk=context.args["server"]).first()
    if server is None:
        return  # it was started again after its last step
    if refusal := _why_not(server):
        raise OperationProblem(refusal)
    sections = list(PlexSection.objects.filter(server=server).select_related("library"))
    for section in sections:
        _end_sync(context, section)
    total = PlexItem.objects.filter(section__server=server).count()
    done = 0
    for section in sections:
        context.checkpoint()
        unlink_section(section)  # plays and links of our files, and the films that only it knew
        done = _delete_items(context, section, done, total)
    server.delete()
    context.set_result({"items": done})
    context.report(total, total, message=f"{server.name} is removed; at Plex nothing changed.")


def _end_sync(context: OperationContext, section: PlexSection) -> None:
    until = time.monotonic() + SYNC_ENDS_S
    while (sync := active_sync(section)) is not None:
        request_cancel(sync.pk, None)
        if time.monotonic() >= until:
            raise OperationProblem(f"The sync of {section.title} does not stop; try again later.")
        context.checkpoint()
        time.sleep(_POLL_S)


def _delete_items(context: OperationContext, section: PlexSection, done: int, total: int) -> int:
    """In slices: one statement for a hundred thousand items would keep the database for minutes."""
    items = PlexItem.objects.filter(section=section)
    while ids := _first_ids(items):
        context.checkpoint()
        PlexPart.objects.filter(plex_item__in=ids).delete()
        PlexItem.objects.filter(pk__in=ids).delete()
        done += len(ids)
        context.report(done, total, current=section.title)
    return done


def _first_ids(items: QuerySet[PlexItem]) -> list[int]:
    return list(items.order_by("pk").values_list("pk", flat=True)[:_CHUNK])
