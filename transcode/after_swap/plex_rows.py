"""Our rows of an item follow what was done in Plex, so that the next sync finds nothing odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from library.models import PlexItem, PlexPart, PlexSection
from library.plex.plays import refresh_plays

if TYPE_CHECKING:
    from library.models import PlexSwap
    from library.plex.facts import ItemFacts, PartFacts
    from transcode.after_swap.plex_calls import Film


def record_film(swap: PlexSwap, film: Film, path: str, file_id: int | None) -> None:
    """The item's row gets its new key and parts. In one transaction; safe to repeat."""
    section = PlexSection.objects.filter(server_id=swap.server_id, key=swap.section_key).first()
    if section is None:
        return
    with transaction.atomic():
        item = _row_of(section, swap, film.facts)
        if item is None:
            return
        _write_item(item, film.facts)
        _write_parts(item, film.facts, path, file_id)
        if file_id is not None:
            refresh_plays([file_id])


def _row_of(section: PlexSection, swap: PlexSwap, facts: ItemFacts) -> PlexItem | None:
    """The one with the new key, when a sync was faster; then the old one is gone from Plex."""
    rows = PlexItem.objects.select_for_update(of=("self",)).filter(section=section)
    old = rows.filter(rating_key=swap.rating_key_before).first()
    if facts.rating_key == swap.rating_key_before:
        return old
    new = rows.filter(rating_key=facts.rating_key).first()
    if new is None and old is not None:
        old.rating_key = facts.rating_key
        return old
    if new is not None and old is not None:
        PlexItem.objects.filter(pk=old.pk).update(missing_since=timezone.now())
        PlexPart.objects.filter(plex_item=old).delete()
    return new


def _write_item(item: PlexItem, facts: ItemFacts) -> None:
    item.guid = facts.guid
    item.labels, item.collections = list(facts.labels), list(facts.collections)
    item.genres, item.locked_fields = list(facts.genres), list(facts.locked_fields)
    item.view_count, item.last_viewed_at = facts.view_count, facts.last_viewed_at
    item.added_at, item.updated_at = facts.added_at, facts.updated_at
    item.is_analyzed, item.missing_since = facts.is_analyzed, None
    item.save(
        update_fields=[
            "rating_key", "guid", "labels", "collections", "genres", "locked_fields",
            "view_count", "last_viewed_at", "added_at", "updated_at", "is_analyzed",
            "missing_since",
        ]
    )  # fmt: skip


def _write_parts(item: PlexItem, facts: ItemFacts, path: str, file_id: int | None) -> None:
    """Parts that were known keep their files; the swapped one belongs to the swapped file."""
    files = dict(PlexPart.objects.filter(plex_item=item).values_list("path", "file_id"))
    if file_id is not None:
        files[path] = file_id
    kept = [_write_part(item, part, files.get(part.path)) for part in facts.parts]
    PlexPart.objects.filter(plex_item=item).exclude(pk__in=kept).delete()


def _write_part(item: PlexItem, part: PartFacts, file_id: int | None) -> int:
    values = {
        "media_id": part.media_id,
        "part_index": part.index,
        "path": part.path,
        "path_digest": PlexPart.digest_of(part.path),
        "size_bytes": part.size_bytes,
        "plex_changestamp": part.changestamp,
        "container": part.container,
    }
    if file_id is not None:
        values |= {"file_id": file_id, "unmatched_reason": ""}
    row, _made = PlexPart.objects.update_or_create(
        plex_item=item, part_id=part.part_id, defaults=values
    )
    return row.pk
