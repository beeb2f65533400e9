"""What the operations of a batch of edits do: journal, send, read back; or take back, item by item.

Started again at any time, they go on with what is not verified, or not undone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from django.utils import timezone

from library.listing.selection import FileSelection
from library.models import PlexEdit, PlexEditBatch, PlexEditState, PlexItem
from library.plex.client import BATCH_IDS, PlexProblem, client_for
from library.plex.edits import items_of
from library.plex.facts import number_of
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
from mediaflow.base.operations import OperationProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from django.db.models import QuerySet

    from library.plex.client import PlexClient
    from library.plex.facts import ItemFacts
    from mediaflow.base.operations import OperationContext

GONE: Final = "Plex does not have it any more."
# Still to be sent; a row that is sent and not verified may have changed the item.
_OPEN: Final = (PlexEditState.PLANNED, PlexEditState.SENT)
# To be undone: rows that failed changed nothing.
_IN_PLEX: Final = (PlexEditState.SENT, PlexEditState.VERIFIED, PlexEditState.DIFFERS)
T = TypeVar("T")


def run_edit(context: OperationContext) -> None:
    """Handler of EDIT_KIND."""
    batch = _batch_of(context)
    if batch.undone_at is not None:
        raise OperationProblem("It was undone already.")
    _run(context, batch, is_undo=False)
    PlexEditBatch.objects.filter(pk=batch.pk).update(finished_at=timezone.now())
    _tell(context, batch)


def run_undo(context: OperationContext) -> None:
    """Handler of UNDO_KIND. What cannot be undone now stays as it is, to be tried again."""
    batch = _batch_of(context)
    _run(context, batch, is_undo=True)
    left, total = batch.edits.filter(state__in=_IN_PLEX).count(), batch.edits.count()
    if left:
        words = f"{left:,} of {total:,} items are not undone; the page of the edit says why."
        raise OperationProblem(words)
    PlexEditBatch.objects.filter(pk=batch.pk).update(undone_at=timezone.now())
    _tell(context, batch)


@dataclass(slots=True)
class _Work:
    """What the steps of one batch share."""

    batch: PlexEditBatch
    client: PlexClient
    writer: PlexWriter
    checkpoint: Callable[[], None]
    report: Callable[..., None]
    is_undo: bool


def _batch_of(context: OperationContext) -> PlexEditBatch:
    batches = PlexEditBatch.objects.select_related("section__server")
    batch = batches.filter(pk=context.args["batch"]).first()
    if batch is None:
        raise OperationProblem("The section was removed.")
    return batch


def _run(context: OperationContext, batch: PlexEditBatch, *, is_undo: bool) -> None:
    server = batch.section.server
    try:
        with client_for(server) as client, PlexWriter(server) as writer:
            work = _Work(batch, client, writer, context.checkpoint, context.report, is_undo)
            (_undo_batch if is_undo else _apply_batch)(work)
    except PlexProblem as problem:
        note_contact(server, problem)
        raise OperationProblem(problem.text) from problem


def _tell(context: OperationContext, batch: PlexEditBatch) -> None:
    totals = dict(Counter(batch.edits.values_list("state", flat=True)))
    context.set_result(totals)
    words = [f"{count:,} {PlexEditState(state).label.lower()}" for state, count in totals.items()]
    done = sum(totals.values())
    context.report(done, done, message=", ".join(words) or "nothing to do")


def _apply_batch(work: _Work) -> None:
    if not work.batch.changes.get("is_journalled"):
        _journal(work)
    change = _change_of(work.batch)
    _bring_about(work, _OPEN, lambda row, now: _target(row, change, now))


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
    _bring_about(work, _IN_PLEX, _undo_target)


def _undo_target(row: PlexEdit, now: ItemValues) -> ItemValues:
    """What others changed meanwhile stays; the row says so."""
    target, others = undone(ItemValues.from_json(row.before), ItemValues.from_json(row.after), now)
    if others:
        row.error = f"Changed by others meanwhile and left so: {', '.join(others)}."[:500]
    return target


def _bring_about(
    work: _Work,
    states: Sequence[PlexEditState],
    target_of: Callable[[PlexEdit, ItemValues], ItemValues],
) -> None:
    """Each item of the rows in these states, from how it is now to its target."""
    rows = _as_they_are_called_now(work.batch.edits.filter(state__in=states))
    total = len(rows)
    for done, part in _parts(rows, BATCH_IDS):
        work.checkpoint()
        found = {item.rating_key: item for item in work.client.details(_keys(part))}
        wanted: list[tuple[PlexEdit, int, ItemValues, ItemValues]] = []
        for row in part:
            item = found.get(row.rating_key)
            if item is None:
                _refuse(work, row, GONE)
                continue
            now, row.error = values_of(item), ""
            wanted.append((row, number_of(item.type), now, target_of(row, now)))
        _send(work, wanted)
        work.report(done, total)


def _send(work: _Work, wanted: Sequence[tuple[PlexEdit, int, ItemValues, ItemValues]]) -> None:
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
            if not work.is_undo:
                _mark_sent(part)
            try:
                work.writer.edit_items(work.batch.section.key, kind, _keys(part), dict(same))
            except PlexProblem as problem:
                if problem.kind != "refused":
                    raise
                for row in part:
                    _refuse(work, row, problem.text)
                    targets.pop(row.rating_key, None)
    _verify(work, [row for row, *_rest in wanted if row.rating_key in targets], targets)


def _verify(work: _Work, rows: Sequence[PlexEdit], targets: dict[str, ItemValues]) -> None:
    found = {item.rating_key: item for item in work.client.details(_keys(rows))}
    for row in rows:
        item = found.get(row.rating_key)
        if item is None:
            _refuse(work, row, GONE)
            continue
        there = values_of(item)
        wrong = differences(targets[row.rating_key], there)
        if wrong:
            words = f"Plex has something else now: {', '.join(wrong)}."
            _refuse(work, row, words, PlexEditState.DIFFERS)
        else:
            success = PlexEditState.UNDONE if work.is_undo else PlexEditState.VERIFIED
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
    PlexEdit.objects.filter(pk__in=[row.pk for row in rows]).update(state=PlexEditState.SENT)


def _refuse(
    work: _Work, row: PlexEdit, error: str, state: PlexEditState = PlexEditState.FAILED
) -> None:
    """An undo leaves the row as it is: it says what is in Plex, and is tried again."""
    _end(row, row.state if work.is_undo else state, error)


def _end(row: PlexEdit, state: str, error: str) -> None:
    row.state, row.error = state, error[:500]
    row.save(update_fields=["state", "error"])


def _change_of(batch: PlexEditBatch) -> ItemChange:
    return ItemChange.from_json(batch.changes["change"])


def _selection_of(batch: PlexEditBatch) -> FileSelection:
    chosen = batch.changes["selection"]
    return FileSelection(tuple(chosen["ids"]), chosen["query"], is_all=chosen["is_all"])


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
