"""Parts of Plex and files of folder libraries are brought together; stand-ins go when they can.

A sync links what it writes. This module does it again later: after a scan that found a file, after
another mapping, and takes everything apart again when a section or a server is switched off.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from library.models import (
    FileState,
    FileTag,
    ItemFile,
    Library,
    LibraryKind,
    MediaFile,
    MediaItem,
    PlexItem,
    PlexPart,
    PlexSection,
)
from library.plex.bulk_sql import update_rows
from library.plex.finding import PathFinder, link_signature
from library.plex.plays import refresh_plays
from library.plex.stand_ins import drop_unused, remove_files
from library.totals import refresh_totals

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

log = logging.getLogger(__name__)
_CHUNK: Final = 1_000
_BUSY: Final = (FileState.QUEUED, FileState.PROCESSING)


def link_after_sync(section: PlexSection, *, has_changed: bool) -> int:
    """Link what mappings and scans made possible meanwhile; returns how many parts."""
    linked = relink_section(section)
    if has_changed or linked:
        drop_unused(section)
    return linked


def relink_section(section: PlexSection, *, is_forced: bool = False) -> int:
    """Look for the files of all parts that have none in a folder library.

    Costs nothing while mappings, folder libraries and their scans are as they were.
    """
    signature = link_signature(section.server)
    if signature == section.link_signature and not is_forced:
        return 0
    finder = PathFinder.load(section.server)
    loose = PlexPart.objects.filter(plex_item__section=section, plex_item__missing_since=None)
    loose = loose.filter(Q(file=None) | Q(file__library_id=section.library_id))
    linked, orphaned, last = 0, 0, 0
    while True:
        rows = list(
            loose.filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", "path", "file_id", "unmatched_reason")[:_CHUNK]
        )
        if not rows:
            break
        last = rows[-1][0]
        found, alone = _link_chunk(finder, rows)
        linked, orphaned = linked + found, orphaned + alone
    section.link_signature = signature
    columns = ["link_signature"]
    if orphaned:  # "nothing changed" of the server is not true of us: all is listed again
        section.content_changed_at = section.scanned_at = 0
        section.swept_at, section.sync_cursor = None, {}
        columns += ["content_changed_at", "scanned_at", "swept_at", "sync_cursor"]
    section.save(update_fields=columns)
    return linked


def relink_files(section: PlexSection, file_ids: Collection[int], finder: PathFinder) -> int:
    """The same for the parts of some stand-ins of a section; returns how many parts."""
    parts = PlexPart.objects.filter(
        plex_item__section=section, plex_item__missing_since=None, file_id__in=file_ids
    )
    names = ("pk", "path", "file_id", "unmatched_reason")
    linked, _orphaned = _link_chunk(finder, list(parts.order_by("pk").values_list(*names)))
    return linked


def _link_chunk(
    finder: PathFinder, rows: Sequence[tuple[int, str, int | None, str]]
) -> tuple[int, int]:
    """How many parts got a file, and how many have none, not even a stand-in."""
    found = finder.find(row[1] for row in rows)
    linked = {pk: file_id for pk, path, _old, _why in rows
              if (file_id := found[path].file_id) is not None}  # fmt: skip
    reasons = {
        pk: found[path].reason
        for pk, path, _old, why in rows
        if pk not in linked and found[path].reason != why
    }
    orphaned = [pk for pk, _path, old, _why in rows if old is None and pk not in linked]
    with transaction.atomic():
        _join([(pk, old, linked[pk]) for pk, _path, old, _why in rows if pk in linked])
        update_rows(PlexPart, ["unmatched_reason"], [(why, pk) for pk, why in reasons.items()])
        files = {old: reasons[pk] for pk, _path, old, _why in rows if old and pk in reasons}
        update_rows(MediaFile, ["availability_reason"], [(why, pk) for pk, why in files.items()])
        # Their file is gone (its library was removed): the next sync reads them again.
        PlexItem.objects.filter(parts__in=orphaned).update(is_detailed=False)
    return len(linked), len(orphaned)


def _join(pairs: Sequence[tuple[int, int | None, int]]) -> None:
    """Give parts (pk, stand-in, file) their file; the stand-in's tags go over, then it goes."""
    if not pairs:
        return
    parts = [(file_id, "", pk) for pk, _old, file_id in pairs]
    update_rows(PlexPart, ["file", "unmatched_reason"], parts)
    replaced = {old: file_id for _pk, old, file_id in pairs if old is not None and old != file_id}
    tags = FileTag.objects.filter(file_id__in=replaced)
    FileTag.objects.bulk_create(
        [FileTag(file_id=replaced[row.file_id], tag_id=row.tag_id) for row in tags],
        ignore_conflicts=True,
    )
    held = MediaFile.objects.filter(pk__in=replaced, state__in=_BUSY)
    busy = set(held.values_list("pk", flat=True))
    remove_files([pk for pk in replaced if pk not in busy])
    _adopt_items([pk for pk, _old, _file in pairs])
    refresh_plays(file_id for _pk, _old, file_id in pairs)


def _adopt_items(parts: Sequence[int]) -> None:
    """Plex's items belong to the items of the files that they have now, which get their guid."""
    rows = PlexPart.objects.filter(pk__in=parts).values_list(
        "plex_item_id", "plex_item__guid", "plex_item__season", "plex_item__episode", "file_id"
    )
    links: dict[int, list[tuple[int, int | None, int | None]]] = {}
    wanted = {row[4] for row in rows if row[4] is not None}
    names = ("file_id", "item_id", "item__season", "item__episode")
    for file_id, item_id, season, episode in ItemFile.objects.filter(
        file_id__in=wanted
    ).values_list(*names):
        links.setdefault(file_id, []).append((item_id, season, episode))
    chosen: dict[int, int] = {}
    guids: dict[int, str] = {}
    for plex_item, guid, season, episode, file_id in rows:
        options = links.get(file_id or 0, [])
        same = [row for row in options if row[1:] == (season, episode)] or options
        if same:
            chosen[plex_item] = same[0][0]
            guids[same[0][0]] = guid
    update_rows(PlexItem, ["item"], [(item, pk) for pk, item in chosen.items()])
    update_rows(MediaItem, ["plex_guid"], [(guid, pk) for pk, guid in guids.items()])


# Taking apart


def unlink_section(section: PlexSection) -> None:
    """Forget what this section says of our files: plays, links, stand-ins. Its items stay.

    Call it before a section is deleted or switched off; a sync links everything again.
    """
    parts = PlexPart.objects.filter(plex_item__section=section).exclude(file=None)
    last = 0
    while True:
        chunk = list(parts.filter(pk__gt=last).order_by("pk").values_list("pk", "file_id")[:_CHUNK])
        if not chunk:
            break
        last = chunk[-1][0]
        with transaction.atomic():
            PlexPart.objects.filter(pk__in=[pk for pk, _file in chunk]).update(
                file=None, unmatched_reason=""
            )
            refresh_plays(file_id for _pk, file_id in chunk if file_id is not None)
    PlexItem.objects.filter(section=section).update(is_detailed=False, item=None)
    _drop_library(section.library)
    PlexSection.objects.filter(pk=section.pk).update(
        library=None, content_changed_at=0, scanned_at=0, swept_at=None, sync_cursor={},
        link_signature="",
    )  # fmt: skip


def _drop_library(library: Library | None) -> None:
    if library is None or library.kind != LibraryKind.PLEX:
        return
    files = MediaFile.objects.filter(library=library)
    if files.filter(state__in=_BUSY).exists():
        return  # looked at again by the periodic task
    remove_files(list(files.values_list("pk", flat=True)))
    library.delete()


def tidy_links(being_synced: Collection[int] = ()) -> None:
    """Periodic: link what scans found, take apart what was switched off or removed."""
    rows = PlexSection.objects.exclude(pk__in=being_synced)
    for section in rows.select_related("server", "library"):
        if not (section.is_enabled and section.server.is_enabled):
            if section.library is not None or section.link_signature:
                unlink_section(section)
        elif section.synced_at is not None and relink_section(section):
            drop_unused(section)
            if section.library_id is not None:
                refresh_totals([section.library_id])
    orphans = list(Library.objects.filter(kind=LibraryKind.PLEX, plex_section=None))
    for library in orphans:
        _drop_library(library)  # its server was removed
    if orphans or not PlexPart.objects.exists():
        _forget_plays_without_parts()


def _forget_plays_without_parts() -> None:
    """Files of folder libraries that only a removed server knew."""
    parts = PlexPart.objects.filter(file=OuterRef("pk"))
    stale = MediaFile.objects.filter(~Exists(parts), is_in_plex=True).order_by("pk")
    while ids := list(stale.values_list("pk", flat=True)[:_CHUNK]):
        refresh_plays(ids)
