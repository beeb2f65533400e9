"""Where a film of a swap lies in Plex, from our own rows. No network here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from library.arr.client import is_below
from library.models import PlexItem, PlexPart, PlexSection
from library.plex.mapping import MappingTable
from mediaflow.base.fs import parent_of

if TYPE_CHECKING:
    from library.models import PlexServer
    from transcode.models import Replacement

STEP_NOTED: Final = "noted"  # what Plex knew is written down; nothing has happened yet
STEP_SEEN: Final = "seen"  # both names exist, and Plex has the new file on the same key
STEP_DUE: Final = "due"  # the swap (or undo) is done, Plex has to be told
STEP_SCANNED: Final = "scanned"  # Plex was asked to look at the folder
STEP_FOUND: Final = "found"  # Plex's part is our file
STEP_ANALYZED: Final = "analyzed"  # Plex was asked to look into the file
STEP_DONE: Final = "done"
STEP_WORDS: Final = {
    STEP_NOTED: "Noted what Plex knows",
    STEP_SEEN: "Plex has the new file",
    STEP_DUE: "Plex has to be told",
    STEP_SCANNED: "Plex looks at the folder",
    STEP_FOUND: "Plex has found the file",
    STEP_ANALYZED: "Plex looks into the file",
    STEP_DONE: "Plex is up to date",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a section, as the server names it; `item` when the film is known there."""

    section: PlexSection
    folder: str
    old_path: str
    new_path: str
    item: PlexItem | None = None


def places_in(row: Replacement, server: PlexServer) -> list[Place]:
    """One for each item of the film (an episode file may have several), else for each section."""
    original, final = bytes(row.original_raw), bytes(row.final_raw)
    table = MappingTable.load(server)
    old, new = table.remote_path(original), table.remote_path(final)
    parts = _parts_of(row, server, [path for path in (old, new) if path])
    found = {part.plex_item_id: part for part in parts}
    name = final.rpartition(b"/")[2].decode("utf-8", "replace")
    old_name = original.rpartition(b"/")[2].decode("utf-8", "replace")
    if found:
        return [
            Place(
                part.plex_item.section,
                folder := folder_of(part.path),
                joined(folder, old_name),
                joined(folder, name),
                part.plex_item,
            )
            for part in found.values()
        ]
    folder_here = table.remote_path(parent_of(final))
    if old is None or new is None or folder_here is None:
        return []
    return [
        Place(section, folder_here, old, new)
        for section in PlexSection.objects.filter(server=server)
        if any(is_below(new, location) for location in section.locations)
    ]


def _parts_of(row: Replacement, server: PlexServer, paths: list[str]) -> list[PlexPart]:
    digests = [hashlib.sha256(path.encode("utf-8", "replace")).hexdigest() for path in paths]
    is_ours = Q(path_digest__in=digests)
    if row.file_id is not None:
        is_ours |= Q(file_id=row.file_id)
    rows = PlexPart.objects.filter(
        is_ours, plex_item__section__server=server, plex_item__missing_since=None
    )
    return list(rows.select_related("plex_item__section").order_by("id"))


def has_place_in(row: Replacement, server: PlexServer) -> bool:
    return bool(places_in(row, server))


def folder_of(path: str) -> str:
    """The folder of a path of another machine, with its own kind of slash."""
    cut = max(path.rfind("/"), path.rfind("\\"))
    return path[:cut] if cut > 0 else path[: cut + 1]


def joined(folder: str, name: str) -> str:
    separator = "\\" if "\\" in folder and "/" not in folder else "/"
    return f"{folder.rstrip(separator)}{separator}{name}"


def common_folder(folders: list[str], locations: list[str]) -> str:
    """The one folder to scan for several: their innermost common one. "": the whole section."""
    unique = list(dict.fromkeys(folders))
    if len(unique) == 1:
        return unique[0]
    inside = [place for place in locations if all(is_below(folder, place) for folder in unique)]
    if not inside:
        return ""
    best = unique[0]
    while not all(is_below(folder, best) for folder in unique):
        best = folder_of(best)
    return best if is_below(best, inside[0]) else ""
