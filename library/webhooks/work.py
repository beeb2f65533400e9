"""What follows from a call: a sync of the section, a scan of the library that holds the files.

Neither happens here: both are operations that run elsewhere, and one that waits already is enough.
Safe to run twice, also at the same time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.models import ArrServer, Library, LibraryKind, PlexSection, PlexServer, WebhookEvent
from library.plex.mapping import MappingTable
from library.plex.sync_operation import active_sync, start_sync
from library.services import active_scan, start_scan
from library.webhooks.payloads import FILE_EVENTS
from library.webhooks.services import prune_events
from mediaflow.base.models import OperationStatus
from mediaflow.base.periodic import PeriodicTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mediaflow.base.models import Operation

log = logging.getLogger(__name__)
BATCH: Final = 500
CHECK_INTERVAL_S: Final = 30
PRUNE_INTERVAL_S: Final = 3600


def work_on_events() -> int:
    """Work on all calls that wait. Returns how many are done with that."""
    done = 0
    waiting = WebhookEvent.objects.filter(done_at=None).select_related("webhook").order_by("id")
    for event in waiting[:BATCH]:
        outcome = _work_on(event)
        if outcome is not None:
            mine = WebhookEvent.objects.filter(pk=event.pk, done_at=None)
            done += mine.update(outcome=outcome[:300], done_at=timezone.now())
    return done


def _work_on(event: WebhookEvent) -> str | None:
    """What became of it in words; None: not yet, look again."""
    if event.webhook.kind == "plex":
        return _after_plex(event)
    if event.event == "Test":
        return "A test: the address works."
    if event.event not in FILE_EVENTS:
        return "Noted; nothing follows from it."
    return _after_arr(event)


def _after_plex(event: WebhookEvent) -> str | None:
    facts = event.payload
    if event.event != "library.new":
        return "Noted; nothing follows from it."
    server = PlexServer.objects.filter(machine_id=facts.get("server_uuid") or "-").first()
    if server is None:
        return "It came from a Plex server that MediaFlow does not know."
    section = PlexSection.objects.filter(server=server, key=facts.get("section_key", "")).first()
    if section is None or not section.is_enabled or not server.is_enabled:
        return f"That library of {server.name} is not synced."
    running = active_sync(section)
    if _began_before(running, event):
        return None
    if running is None:
        start_sync(section=section)
    return f"{section.title} is synced."


def _after_arr(event: WebhookEvent) -> str | None:
    paths = [path for path in event.payload.get("paths", []) if isinstance(path, str)]
    libraries = list(_libraries_of(event.webhook.kind, paths))
    if not libraries:
        shown = paths[0] if paths else "it named no folder"
        return f"In no library of MediaFlow ({shown}); a path mapping may be missing."
    running = {library.pk: active_scan(library) for library in libraries}
    if any(_began_before(operation, event) for operation in running.values()):
        return None
    for library in libraries:
        if running[library.pk] is None:
            start_scan(library=library)
    return f"{', '.join(library.name for library in libraries)}: looked through again."


def _began_before(operation: Operation | None, event: WebhookEvent) -> bool:
    """One that runs may have passed the place already: it is waited for. One that waits will do."""
    return (
        operation is not None
        and operation.status == OperationStatus.RUNNING
        and (operation.started_at is None or operation.started_at < event.at)
    )


def _libraries_of(kind: str, paths: Iterable[str]) -> Iterator[Library]:
    """The enabled folder libraries that hold one of these paths, by any mapping of such servers."""
    libraries = list(Library.objects.filter(kind=LibraryKind.FOLDER, is_enabled=True))
    servers = [*ArrServer.objects.filter(kind=kind), None]
    tables = [MappingTable.load(server) for server in servers]
    local = {table.local_path(path) for path in paths for table in tables} - {None}
    for library in libraries:
        root = bytes(library.root_raw).rstrip(b"/")
        if any(path == root or path.startswith(root + b"/") for path in local if path):
            yield library


def periodic_tasks() -> Iterable[PeriodicTask]:
    """For the hook `periodic_tasks`."""
    return [
        PeriodicTask("library.webhooks.work", CHECK_INTERVAL_S, work_on_events),
        PeriodicTask("library.webhooks.prune", PRUNE_INTERVAL_S, prune_events),
    ]
