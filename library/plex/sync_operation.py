"""Syncs as operations: by hand, by webhook, by the clock."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.utils import timezone

from library.analysis.services import start_analysis
from library.models import Library, PlexPart, PlexSection, PlexSectionTrouble
from library.plex.client import PlexProblem, client_for
from library.plex.linking import tidy_links
from library.plex.sections import note_contact
from library.plex.sync import SyncProblem, sync_section
from library.plex.sync_losses import LossesRefused
from mediaflow.base.audit import record_audit
from mediaflow.base.hooks import hooked
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import (
    OperationProblem,
    active_operation,
    active_operations,
    start_operation,
)
from mediaflow.base.periodic import PeriodicTask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mediaflow.accounts.models import User
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)
SYNC: Final = "plex_sync"
CHECK_INTERVAL_S: Final = 60
WAITS: Final = "waits"  # `mode` in the result of a sync that found Plex scanning
_WORDS: Final = {
    "added": "new", "changed": "changed", "followed": "made anew by Plex", "missing": "gone",
    "plays": "with other plays", "linked_later": "found in folder libraries",
}  # fmt: skip


class SyncBusy(Exception):
    """What was asked for has to wait for the sync that runs. The sentence is for people."""


def start_sync(
    *,
    section: PlexSection,
    actor: User | None = None,
    is_full: bool = False,
    accept_losses: bool = False,
) -> Operation:
    """Queue a sync of one section; the one that waits or runs already when there is one.

    `is_full` reads all details again. `accept_losses`: a person says that what is gone is right.
    One that waits takes them over, and so does the next after one that found Plex scanning. Raises
    SyncBusy when one without them runs already.
    """
    asked = {"is_full": is_full, "accept_losses": accept_losses}
    before = _last_sync(section)
    left = before.args if before is not None and _found_scanning(before) else {}
    operation = start_operation(
        kind=SYNC,
        title=f"Sync {section.title} of {section.server.name}",
        args={"section": section.pk, **{n: asked[n] or left.get(n, False) for n in asked}},
        lock_key=_lock_key(section),
        unit="items",
        actor=actor,
    )
    asked = {name: True for name in asked if asked[name]}
    if not all(operation.args.get(name) for name in asked):
        operation.args = {**operation.args, **asked}
        waiting = Operation.objects.filter(pk=operation.pk, status=OperationStatus.QUEUED)
        if not waiting.update(args=operation.args):
            raise SyncBusy(
                f"A sync of {section.title} runs already, without what you asked for."
                " Ask again once it has ended."
            )
    if accept_losses:
        record_audit("plex.accept_losses", actor=actor, subject=section.title)
    return operation


def active_sync(section: PlexSection) -> Operation | None:
    """The sync of this section that waits or runs."""
    return active_operation(_lock_key(section))


def _last_sync(section: PlexSection) -> Operation | None:
    return Operation.objects.filter(kind=SYNC, lock_key=_lock_key(section)).order_by("-id").first()


def _found_scanning(sync: Operation) -> bool:
    return bool(sync.result.get("mode") == WAITS)


def _lock_key(section: PlexSection) -> str:
    return f"{SYNC}:{section.pk}"


def run_sync(context: OperationContext) -> None:
    """Handler of operations of kind "plex_sync"."""
    rows = PlexSection.objects.select_related("server", "library")
    section = rows.filter(pk=context.args["section"]).first()
    if section is None:
        raise OperationProblem("The section was removed.")
    if not (section.is_enabled and section.server.is_enabled):
        raise OperationProblem(f"{section.title} of {section.server.name} is switched off.")
    summary = _synced(section, context)
    context.set_result(summary)
    if summary["mode"] == WAITS:
        return
    if section.server.analyses_after_sync and any(summary[key] for key in _WORDS):
        _analyse(section)
    total = section.item_count
    context.report(total, total, message=sync_in_words(summary, total))
    for callee in hooked("library_changed"):
        callee(section.library_id or 0)


def _synced(section: PlexSection, context: OperationContext) -> dict[str, Any]:
    try:
        with client_for(section.server) as client:
            summary = sync_section(
                section,
                client,
                report=context.report,
                checkpoint=context.checkpoint,
                is_full=context.args.get("is_full", False),
                accept_losses=context.args.get("accept_losses", False),
            )
    except PlexProblem as problem:
        note_contact(section.server, problem)
        _note(section, PlexSectionTrouble.FAILED, problem.text)
        raise OperationProblem(problem.text) from problem
    except LossesRefused as problem:
        _note(section, PlexSectionTrouble.LOSSES, str(problem))
        raise OperationProblem(str(problem)) from problem
    except SyncProblem as problem:
        _note(section, problem.trouble, str(problem))
        if problem.trouble != PlexSectionTrouble.SCANNING:
            raise OperationProblem(str(problem)) from problem
        context.report(0, None, message=str(problem))
        summary = {"mode": WAITS}
    note_contact(section.server)
    return summary


def _analyse(section: PlexSection) -> None:
    """The libraries that have films of this section: what is watched counts in all of them."""
    files = PlexPart.objects.filter(plex_item__section=section).values("file__library")
    for library in Library.objects.filter(pk__in=files, is_enabled=True):
        start_analysis(library, trigger="sync")


def _note(section: PlexSection, trouble: PlexSectionTrouble, words: str) -> None:
    PlexSection.objects.filter(pk=section.pk).update(trouble=trouble, error=words[:500])


def sync_in_words(summary: dict[str, Any], items: int) -> str:
    """A sync's outcome in one sentence."""
    parts = [f"{summary[key]:,} {word}" for key, word in _WORDS.items() if summary.get(key)]
    return f"{items:,} items: {', '.join(parts) or 'nothing changed'}."


# By the clock


def due_sections(now: datetime) -> list[PlexSection]:
    """Enabled sections whose next sync is due and that are not being synced.

    A dead token is not tried again; a person signs in first. What found Plex scanning is tried
    again each minute, also where syncs are by hand only.
    """
    rows = PlexSection.objects.filter(
        Q(server__sync_interval_s__gt=0) | Q(trouble=PlexSectionTrouble.SCANNING),
        is_enabled=True, server__is_enabled=True, server__is_token_dead=False,
    ).select_related("server")  # fmt: skip
    return [row for row in rows if _is_due(row, now) and active_sync(row) is None]


def _is_due(section: PlexSection, now: datetime) -> bool:
    last = _last_sync(section)
    interval_s = section.server.sync_interval_s
    if last is not None and _found_scanning(last):
        interval_s = CHECK_INTERVAL_S
    if not interval_s:
        return False
    moments = [moment for moment in (section.synced_at, last and last.finished_at) if moment]
    if not moments:
        return True
    since = now - max(moments)
    return since < timedelta(0) or since >= timedelta(seconds=interval_s)


def start_due_syncs() -> None:
    """Queue a sync for each due section. Safe to run twice."""
    for section in due_sections(timezone.now()):
        start_sync(section=section)


def tidy_calm_links() -> None:
    """Links of all sections but those that a sync is writing now."""
    active = active_operations().filter(kind=SYNC)
    tidy_links([args["section"] for args in active.values_list("args", flat=True)])


def periodic_tasks() -> Iterable[PeriodicTask]:
    """For the hook `periodic_tasks`."""
    return [
        PeriodicTask("library.plex.syncs", CHECK_INTERVAL_S, start_due_syncs),
        PeriodicTask("library.plex.links", CHECK_INTERVAL_S, tidy_calm_links),
    ]
