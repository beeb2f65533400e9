"""What follows from a call: a sync of the section, or a look at the folders (`changed_folders`).

Neither happens here: both are operations that run elsewhere, and one that waits already is enough.
Safe to run twice, also at the same time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.models import PlexSection, PlexServer, WebhookEvent
from library.plex.sync_operation import active_sync, start_sync
from library.webhooks.changed_folders import after_file_events
from library.webhooks.payloads import FILE_EVENTS
from library.webhooks.services import prune_events
from mediaflow.base.models import OperationStatus
from mediaflow.base.periodic import PeriodicTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mediaflow.base.models import Operation

log = logging.getLogger(__name__)
BATCH: Final = 500
CHECK_INTERVAL_S: Final = 30
PRUNE_INTERVAL_S: Final = 3600


def work_on_events() -> int:
    """Work on all calls that wait. Returns how many are done with that."""
    waiting = WebhookEvent.objects.filter(done_at=None).select_related("webhook").order_by("id")
    events = list(waiting[:BATCH])
    files = [event for event in events if _is_of_files(event)]
    outcomes: dict[int, str | None] = after_file_events(files)
    outcomes |= {event.pk: _work_on(event) for event in events if not _is_of_files(event)}
    done = 0
    for pk, outcome in outcomes.items():
        if outcome is not None:
            mine = WebhookEvent.objects.filter(pk=pk, done_at=None)
            done += mine.update(outcome=outcome[:300], done_at=timezone.now())
    return done


def _is_of_files(event: WebhookEvent) -> bool:
    return event.webhook.kind != "plex" and event.event in FILE_EVENTS


def _work_on(event: WebhookEvent) -> str | None:
    """What became of it in words; None: not yet, look again."""
    if event.webhook.kind == "plex":
        return _after_plex(event)
    if event.event == "Test":
        return "A test: the address works."
    return "Noted; nothing follows from it."


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


def _began_before(operation: Operation | None, event: WebhookEvent) -> bool:
    """One that runs may have passed the place already: it is waited for. One that waits will do."""
    return (
        operation is not None
        and operation.status == OperationStatus.RUNNING
        and (operation.started_at is None or operation.started_at < event.at)
    )


def periodic_tasks() -> Iterable[PeriodicTask]:
    """For the hook `periodic_tasks`."""
    return [
        PeriodicTask("library.webhooks.work", CHECK_INTERVAL_S, work_on_events),
        PeriodicTask("library.webhooks.prune", PRUNE_INTERVAL_S, prune_events),
    ]
