"""Which item (film, episode) a file belongs to. Writes MediaItem and ItemFile in bulk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from library.models import FileKind, ItemFile, ItemKind, MediaFile, MediaItem
from library.scanning.names import ParsedName, parse_disc

if TYPE_CHECKING:
    from collections.abc import Sequence


def name_of(file: MediaFile, parsed: ParsedName | None) -> ParsedName:
    """What the file is called, by its kind. `parsed` None: its worker died; the stem names it."""
    if file.kind == FileKind.DISC:
        return parse_disc(file.path)
    if parsed is None:
        stem = file.path.rpartition("/")[2].rpartition(".")[0]
        return ParsedName("movie", stem or file.path)
    if file.kind in {FileKind.EXTRA, FileKind.SAMPLE}:
        return replace(parsed, kind="extra")
    return parsed


def identity_keys(file: MediaFile, name: ParsedName) -> tuple[str, ...]:
    """Extras are never one item: every film has its own "Trailer"."""
    if name.kind == ItemKind.EXTRA:
        return (f"extra|{file.path_digest}",)
    return name.identity_keys()


def link_items(library_id: int, named: Sequence[tuple[MediaFile, ParsedName]]) -> None:
    """Give each saved file its items, new or existing ones. Replaces links to other items.

    In the caller's transaction; a handful of statements for any number of files.
    """
    if not named:
        return
    wanted = {file.pk: (name, identity_keys(file, name)) for file, name in named}
    _make_items(library_id, list(wanted.values()))
    all_keys = {key for _name, keys in wanted.values() for key in keys}
    found = MediaItem.objects.filter(library_id=library_id, identity_key__in=all_keys)
    ids = dict(found.values_list("identity_key", "id"))
    links = [
        ItemFile(item_id=ids[key], file_id=pk, edition=name.edition[:120], part_index=name.part)
        for pk, (name, keys) in wanted.items()
        for key in keys
    ]
    old = ItemFile.objects.filter(file_id__in=wanted).exclude(item_id__in=ids.values())
    left = list(old.values_list("item_id", flat=True))
    old.delete()
    ItemFile.objects.bulk_create(links, ignore_conflicts=True)
    drop_orphans(left)


def drop_orphans(item_ids: Sequence[int]) -> None:
    """Remove those of these items that no file belongs to any more."""
    if item_ids:
        MediaItem.objects.filter(pk__in=item_ids, item_files=None).delete()


def _make_items(library_id: int, named: Sequence[tuple[ParsedName, tuple[str, ...]]]) -> None:
    items = {}
    for name, keys in named:
        for position, key in enumerate(keys):
            episode = name.episodes[position] if position < len(name.episodes) else None
            items[key] = MediaItem(
                library_id=library_id,
                kind=name.kind,
                title=name.title[:500],
                year=name.year,
                show_title=name.show_title[:500],
                season=name.season,
                episode=episode,
                identity_key=key,
            )
    MediaItem.objects.bulk_create(list(items.values()), ignore_conflicts=True)
