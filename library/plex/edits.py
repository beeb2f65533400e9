"""Batches of edits: journalled before anything is sent, verified by reading back, undone by item.

A batch is one section's. Its rows say before and after of each item; the operation that sends them
may be started again at any time and goes on with what is not verified.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from django.db import transaction
from django.utils import timezone

from library.listing.selection import FileSelection
from library.models import PlexEdit, PlexEditBatch, PlexItem, PlexSection
from library.plex.client import BATCH_IDS, PlexProblem, client_for
from library.plex.facts import EPISODE, MOVIE
from library.plex.item_values import (
    ItemChange,
    ItemValues,
    changed,
    differences,
    edit_params,
    undone,
    values_of,
)
from library.plex.sections import note_contact
from library.plex.writing import CHUNK_IDS, PlexWriter
from mediaflow.base.audit import record_audit
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import OperationProblem, start_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from django.db.models import QuerySet

    from library.plex.client import PlexClient
    from library.plex.facts import ItemFacts
    from mediaflow.accounts.models import User
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)
EDIT_KIND: Final = "plex_edit"
UNDO_KIND: Final = "plex_edit_undo"
GONE: Final = "Plex does not have it any more."
_OPEN: Final = ("planned", "sent")
T = TypeVar("T")


class EditProblem(Exception):
    """What was asked for cannot be done; the text says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def items_of(selection: FileSelection) -> QuerySet[PlexItem]:
    """What Plex has of the selected films, in sections that are in use."""
    items = PlexItem.objects.filter(
        parts__file__in=selection.queryset.values("pk"),
        missing_since=None,
        section__is_enabled=True,
        section__server__is_enabled=True,
    )
    return items.select_related("section", "section__server").order_by("pk").distinct()


def start_edit(*, selection: FileSelection, change: ItemChange, actor: User) -> list[PlexEditBatch]:
    """One batch and one operation for each section. Raises EditProblem."""
    if change.is_empty:
        raise EditProblem("Say what to change: everything is left as it is.")
    sections = PlexSection.objects.filter(
        pk__in=items_of(selection).order_by().values("section")
    ).select_related("server")
    if not sections:
        raise EditProblem("Plex has none of these films; sync its library first.")
    refused = [row.server.name for row in sections if not row.server.is_owned]
    if refused:
        raise EditProblem(f"{refused[0]} is not yours: only its owner may edit there.")
    described = selection.describe()
    chosen = {"ids": list(selection.ids), "query": selection.query, "is_all": selection.is_all}
    with transaction.atomic():
        batches = [
            PlexEditBatch.objects.create(
                section=section,
                title=f"{change_in_words(change)}: {described}"[:200],
                changes={"change": change.to_json(), "selection": chosen},
                requested_by=actor,
            )
            for section in sections
        ]
        record_audit("plex.edit", actor=actor, subject=described, detail=change_in_words(change))
    for batch in batches:
        _start(EDIT_KIND, "Edit in Plex", batch, actor)
    return batches


def start_rest(batch: PlexEditBatch, *, actor: User) -> Operation:
    """Go on with a batch that stopped on the way. Raises EditProblem."""
    if batch.finished_at is not None:
        raise EditProblem("It is done already.")
    return _start(EDIT_KIND, "Edit in Plex", batch, actor)


def start_undo(batch: PlexEditBatch, *, actor: User) -> Operation:
    """Raises EditProblem when it was undone already, or is still under way."""
    if batch.undone_at is not None:
        raise EditProblem("It was undone already.")
    if active_operation(batch) is not None:
        raise EditProblem("It is still under way; wait for its end, or cancel it.")
    record_audit("plex.edit_undo", actor=actor, subject=batch.title)
    return _start(UNDO_KIND, "Undo edits in Plex", batch, actor)


def active_operation(batch: PlexEditBatch) -> Operation | None:
    """What sends or undoes the batch now."""
    active = (OperationStatus.QUEUED, OperationStatus.RUNNING)
    return Operation.objects.filter(lock_key=_lock_key(batch), status__in=active).first()


def _lock_key(batch: PlexEditBatch) -> str:
    return f"{EDIT_KIND}:{batch.pk}"


def _start(kind: str, title: str, batch: PlexEditBatch, actor: User) -> Operation:
    """Editing and undoing never run at once: they share their lock."""
    return start_operation(
        kind=kind,
        title=f"{title}: {batch.title}"[:200],
        args={"batch": batch.pk},
        lock_key=_lock_key(batch),
        unit="items",
        actor=actor,
    )


def change_in_words(change: ItemChange) -> str:
    """ "add label Kept, lock genres": for titles and the audit log."""
    words = [
        f"{name} “{value}”"
        for name, value in (
            ("title", change.title),
            ("sort title", change.sort_title),
            ("year", change.year or ""),
            ("rating", change.content_rating),
        )
        if value
    ]
    for verb, tags in (("add", change.add), ("remove", change.remove)):
        words += [f"{verb} {name} {', '.join(those)}" for name, those in tags.items() if those]
    for verb, fields in (("lock", change.lock_fields), ("unlock", change.unlock_fields)):
        words += [f"{verb} {', '.join(fields)}"] if fields else []
    return "; ".join(words) or "nothing"


# ------------------------------------------------------------------------- the operations


def run_edit(context: OperationContext) -> None:
    """Handler of EDIT_KIND."""
    _run(context, _apply_batch, "finished_at")


def run_undo(context: OperationContext) -> None:
    """Handler of UNDO_KIND."""
    _run(context, _undo_batch, "undone_at")


@dataclass(slots=True)
class _Work:
    """What the steps of one batch share."""

    batch: PlexEditBatch
    client: PlexClient
    writer: PlexWriter
    checkpoint: Callable[[], None]
    report: Callable[..., None]


def _run(context: OperationContext, step: Callable[[_Work], None], column: str) -> None:
    batches = PlexEditBatch.objects.select_related("section__server")
    batch = batches.filter(pk=context.args["batch"]).first()
    if batch is None:
        raise OperationProblem("The section was removed.")
    server = batch.section.server
    try:
        with client_for(server) as client, PlexWriter(server) as writer:
            step(_Work(batch, client, writer, context.checkpoint, context.report))
    except PlexProblem as problem:
        note_contact(server, problem)
        raise OperationProblem(problem.text) from problem
    PlexEditBatch.objects.filter(pk=batch.pk).update(**{column: timezone.now()})
    totals = dict(Counter(batch.edits.values_list("state", flat=True)))
    context.set_result(totals)
    message = ", ".join(f"{count:,} {state}" for state, count in totals.items()) or "nothing to do"
    context.report(sum(totals.values()), sum(totals.values()), message=message)


def _apply_batch(work: _Work) -> None:
    if not work.batch.changes.get("is_journalled"):
        _journal(work)
    change = _change_of(work.batch)
    rows = _as_they_are_called_now(work.batch.edits.filter(state__in=_OPEN))
    total = len(rows)
    for done, part in _parts(rows, BATCH_IDS):
        work.checkpoint()
        found = {item.rating_key: item for item in work.client.details(_keys(part))}
        wanted: list[tuple[PlexEdit, int, ItemValues, ItemValues]] = []
        for row in part:
            item = found.get(row.rating_key)
            if item is None:
                _end(row, "failed", GONE)
                continue
            now = values_of(item)
            wanted.append((row, _number_of(item.type), now, _target(row, change, now)))
        _send(work, wanted, "verified")
        work.report(done, total)


def _target(row: PlexEdit, change: ItemChange, now: ItemValues) -> ItemValues:
    """From how it is now: what others changed since the journal was written stays. Titles come
    from the journal: a pattern that is filled in twice would grow."""
    journalled = ItemValues.from_json(row.after)
    return replace(
        changed(now, change),
        title=journalled.title if change.title else now.title,
        sort_title=journalled.sort_title if change.sort_title else now.sort_title,
    )


def _journal(work: _Work) -> None:
    """Before and after of every item, read whole from the server, before anything is sent.

    Killed on the way it is written again from its beginning; what is there already stays.
    """
    change = _change_of(work.batch)
    selection = _selection_of(work.batch)
    items = list(items_of(selection).filter(section=work.batch.section))
    by_key = {item.rating_key: item for item in items}
    for _done, part in _parts(list(by_key), BATCH_IDS):
        work.checkpoint()
        rows = []
        for item in work.client.details(part):
            before = values_of(item)
            after = changed(before, change)
            if not edit_params(before, after):
                continue
            rows.append(
                PlexEdit(
                    batch=work.batch,
                    plex_item=by_key.get(item.rating_key),
                    rating_key=item.rating_key,
                    item_title=_shown(item.title, item.show_title),
                    before=before.to_json(),
                    after=after.to_json(),
                )
            )
        PlexEdit.objects.bulk_create(rows, ignore_conflicts=True)
    work.batch.changes["is_journalled"] = True
    work.batch.save(update_fields=["changes"])


def _undo_batch(work: _Work) -> None:
    # Rows that failed changed nothing; those sent and never verified may have.
    rows = _as_they_are_called_now(
        work.batch.edits.filter(state__in=("sent", "verified", "differs"))
    )
    total = len(rows)
    for done, part in _parts(rows, BATCH_IDS):
        work.checkpoint()
        found = {item.rating_key: item for item in work.client.details(_keys(part))}
        wanted: list[tuple[PlexEdit, int, ItemValues, ItemValues]] = []
        for row in part:
            item = found.get(row.rating_key)
            if item is None:
                _end(row, "failed", GONE)
                continue
            now = values_of(item)
            target, others = undone(
                ItemValues.from_json(row.before), ItemValues.from_json(row.after), now
            )
            if others:
                row.error = f"Changed by others meanwhile and left so: {', '.join(others)}."[:500]
            wanted.append((row, _number_of(item.type), now, target))
        _send(work, wanted, "undone")
        work.report(done, total)


def _send(
    work: _Work, wanted: Sequence[tuple[PlexEdit, int, ItemValues, ItemValues]], success: str
) -> None:
    """PUTs for items that need the very same words go out together; then all are read again."""
    groups: dict[tuple[int, tuple[tuple[str, str], ...]], list[PlexEdit]] = defaultdict(list)
    targets: dict[str, ItemValues] = {}
    for row, kind, now, target in wanted:
        targets[row.rating_key] = target
        params = edit_params(now, target)
        if params:
            groups[(kind, tuple(sorted(params.items())))].append(row)
    for (kind, same), rows in groups.items():
        for _done, part in _parts(rows, CHUNK_IDS):
            work.checkpoint()
            if success != "undone":
                _mark_sent(part)
            try:
                work.writer.edit_items(work.batch.section.key, kind, _keys(part), dict(same))
            except PlexProblem as problem:
                if problem.kind != "refused":
                    raise
                for row in part:
                    _end(row, "failed", problem.text)
                    targets.pop(row.rating_key, None)
    _verify(work, [row for row, *_rest in wanted if row.rating_key in targets], targets, success)


def _verify(
    work: _Work, rows: Sequence[PlexEdit], targets: dict[str, ItemValues], success: str
) -> None:
    found = {item.rating_key: item for item in work.client.details(_keys(rows))}
    for row in rows:
        item = found.get(row.rating_key)
        if item is None:
            _end(row, "failed", GONE)
            continue
        there = values_of(item)
        wrong = differences(targets[row.rating_key], there)
        if wrong:
            _end(row, "differs", f"Plex has something else now: {', '.join(wrong)}.")
        else:
            _end(row, success, row.error)
        _remember(row, item)


def _remember(row: PlexEdit, there: ItemFacts) -> None:
    """Our copy of the item, so that pages and filters need not wait for the next sync."""
    PlexItem.objects.filter(pk=row.plex_item_id or 0).update(
        title=there.title, sort_title=there.sort_title, year=there.year,
        content_rating=there.content_rating, genres=list(there.genres),
        labels=list(there.labels), collections=list(there.collections),
        locked_fields=list(there.locked_fields),
    )  # fmt: skip


def _as_they_are_called_now(edits: QuerySet[PlexEdit]) -> list[PlexEdit]:
    """Plex may have made an item anew since: syncs take over its key, the journal keeps the old."""
    rows = list(edits.select_related("plex_item").order_by("pk"))
    for row in rows:
        if row.plex_item is not None:
            row.rating_key = row.plex_item.rating_key
    return rows


def _mark_sent(rows: Sequence[PlexEdit]) -> None:
    PlexEdit.objects.filter(pk__in=[row.pk for row in rows]).update(state="sent")


def _end(row: PlexEdit, state: str, error: str) -> None:
    row.state, row.error = state, error[:500]
    row.save(update_fields=["state", "error"])


def _change_of(batch: PlexEditBatch) -> ItemChange:
    return ItemChange.from_json(batch.changes["change"])


def _selection_of(batch: PlexEditBatch) -> FileSelection:
    chosen = batch.changes["selection"]
    return FileSelection(tuple(chosen["ids"]), chosen["query"], is_all=chosen["is_all"])


def _number_of(kind: str) -> int:
    return EPISODE if kind == "episode" else MOVIE


def _keys(rows: Iterable[PlexEdit]) -> list[str]:
    return [row.rating_key for row in rows]


def _shown(title: str, show: str) -> str:
    return (f"{show}: {title}" if show else title)[:500]


def _parts(rows: Sequence[T], size: int) -> Iterator[tuple[int, list[T]]]:
    """So many at a time, with how many that is so far."""
    remaining, done = iter(rows), 0
    while part := list(islice(remaining, size)):
        done += len(part)
        yield done, part
