"""Batches of edits: asked for, gone on with, undone. What an operation then does: `edit_steps.py`.

A batch is one section's. Its rows say before and after of each item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction

from library.models import PlexEditBatch, PlexEditState, PlexItem, PlexSection
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import active_operation, start_operation

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from library.listing.selection import FileSelection
    from library.plex.item_values import ItemChange
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation

EDIT_KIND: Final = "plex_edit"
UNDO_KIND: Final = "plex_edit_undo"


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
    if refusal := why_no_rest(batch):
        raise EditProblem(refusal)
    active = active_edit(batch)
    if active is not None and active.kind == UNDO_KIND:
        raise EditProblem("It is being undone.")
    return _start(EDIT_KIND, "Edit in Plex", batch, actor)


def why_no_rest(batch: PlexEditBatch) -> str:
    """Why there is nothing to go on with; "" where there is."""
    if batch.undone_at is not None:
        return "It was undone; edit the films anew instead."
    if is_partly_undone(batch):
        return "It is undone in part: undo the rest, then edit the films anew."
    return "It is done already." if batch.finished_at is not None else ""


def is_partly_undone(batch: PlexEditBatch) -> bool:
    """Undoing it was begun, and something of it is in Plex still."""
    is_begun = batch.edits.filter(state=PlexEditState.UNDONE).exists()
    return batch.undone_at is None and is_begun


def start_undo(batch: PlexEditBatch, *, actor: User) -> Operation:
    """Raises EditProblem when it was undone already, or is still under way."""
    if batch.undone_at is not None:
        raise EditProblem("It was undone already.")
    if active_edit(batch) is not None:
        raise EditProblem("It is still under way; wait for its end, or cancel it.")
    record_audit("plex.edit_undo", actor=actor, subject=batch.title)
    return _start(UNDO_KIND, "Undo edits in Plex", batch, actor)


def active_edit(batch: PlexEditBatch) -> Operation | None:
    """What sends or undoes the batch now."""
    return active_operation(_lock_key(batch))


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
