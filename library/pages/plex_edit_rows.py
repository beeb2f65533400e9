"""Edits of Plex as pages show them: before and after, field by field, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count

from library.models import PlexEdit, PlexEditState
from library.plex.edits import items_of
from library.plex.item_values import FIELDS, TAGS, WORDS, ItemValues, changed, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from library.listing.selection import FileSelection
    from library.models import PlexEditBatch
    from library.plex.item_values import ItemChange

SHOWN_ITEMS: Final = 50
_KINDS: Final = {
    PlexEditState.PLANNED: "wait", PlexEditState.SENT: "run", PlexEditState.VERIFIED: "ok",
    PlexEditState.DIFFERS: "bad", PlexEditState.FAILED: "bad", PlexEditState.UNDONE: "skip",
}  # fmt: skip
STATE_WORDS: Final = {state.value: (kind, str(state.label)) for state, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one item. Of tags: what comes and what goes."""

    word: str
    before: str
    after: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_tags: bool = False


@dataclass(frozen=True, slots=True)
class ShownItem:
    title: str
    year: int | None
    changes: tuple[FieldChange, ...]
    kind: str = ""
    word: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class EditPreview:
    """Reckoned from what the last sync read; the server is asked again before anything is sent."""

    items: tuple[ShownItem, ...]
    count: int  # of items in Plex that are selected
    sections: tuple[str, ...]

    @property
    def more(self) -> int:
        return self.count - len(self.items)


def field_changes(before: ItemValues, after: ItemValues) -> tuple[FieldChange, ...]:
    found = []
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name in TAGS:
            added = tuple(tag for tag in new if tag not in old)
            removed = tuple(tag for tag in old if tag not in new)
            found.append(FieldChange(WORDS[name], "", "", added, removed, is_tags=True))
        else:
            found.append(FieldChange(WORDS[name], str(old or "–"), str(new or "–")))
    for verb, one, other in (("Locks", after, before), ("Unlocks", before, after)):
        names = [WORDS[n].lower() for n in one.locked if n not in other.locked]
        if names:
            found.append(FieldChange(verb, "", ", ".join(names)))
    return tuple(found)


def preview_of(selection: FileSelection, change: ItemChange | None) -> EditPreview:
    """Without a change: only which items there are."""
    items = items_of(selection)
    rows = list(items[:SHOWN_ITEMS])
    shown = [
        ShownItem(
            title=f"{item.show_title}: {item.title}" if item.show_title else item.title,
            year=item.year,
            changes=field_changes(values_of(item), changed(values_of(item), change))
            if change
            else (),
        )
        for item in rows
    ]
    titles = items.order_by().values_list("section__title", flat=True).distinct()
    return EditPreview(tuple(shown), items.count(), tuple(sorted(set(titles))))


def batch_rows(rows: Iterable[PlexEdit]) -> list[ShownItem]:
    return [
        ShownItem(
            title=row.item_title,
            year=None,
            changes=field_changes(
                ItemValues.from_json(row.before), ItemValues.from_json(row.after)
            ),
            kind=STATE_WORDS[row.state][0],
            word=STATE_WORDS[row.state][1],
            error=row.error,
        )
        for row in rows
    ]


def state_counts(batches: Iterable[PlexEditBatch]) -> dict[int, list[dict[str, Any]]]:
    """By batch. One statement, however many batches."""
    counts: dict[int, dict[str, int]] = {batch.pk: {} for batch in batches}
    edits = PlexEdit.objects.filter(batch__in=list(counts)).order_by()
    for batch_id, state, count in edits.values_list("batch", "state").annotate(Count("pk")):
        counts[batch_id][state] = count
    return {
        batch_id: [
            {"word": word, "kind": kind, "count": found[state]}
            for state, (kind, word) in STATE_WORDS.items()
            if state in found
        ]
        for batch_id, found in counts.items()
    }
