"""Where a film of a swap lies in Plex, from our own rows. No network here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from library.arr.client import is_below
from library.models import PlexItem, PlexPart, PlexSection
from library.plex.mapping import MappingTable
from mediaflow.base.fs import parent_of

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    """A folder of a section, as the server names it, and the film in it where it is known."""

    section_key: str
    section_title: str
    folder: str
    is_synced: bool
    rating_key: str = ""  # "": no item of the section is known to have the film
    guid: str = ""
    item: PlexItem | None = None  # our row of it, where the section is synced


@dataclass(frozen=True, slots=True)
class RemoteNames:
    """What the server calls a film's folder, and the film by its old and its new name."""

    folder: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, row: Replacement, server: PlexServer) -> RemoteNames | None:
        """None where the server has no name for it."""
        table = MappingTable.load(server)
        final = bytes(row.final_raw)
        folder = table.remote_path(parent_of(final))
        paths = [table.remote_path(bytes(row.original_raw)), table.remote_path(final)]
        known = tuple(path for path in paths if path is not None)
        return cls(folder, known) if folder is not None and len(known) == len(paths) else None

    def is_in(self, locations: Iterable[str]) -> bool:
        return any(is_below(self.folder, location) for location in locations)


def places_in(row: Replacement, server: PlexServer) -> list[Place]:
    """By our own rows: one for each item of the film (an episode file may have several), and one
    for each other section that has its folder."""
    names = RemoteNames.of(row, server)
    found = {part.plex_item_id: part for part in _parts_of(row, server, names)}
    places = [
        Place(
            part.plex_item.section.key,
            part.plex_item.section.title,
            folder_of(part.path),
            is_synced=True,
            rating_key=part.plex_item.rating_key,
            guid=part.plex_item.guid,
            item=part.plex_item,
        )
        for part in found.values()
    ]
    if names is None:
        return places
    known = {place.section_key for place in places}
    others = PlexSection.objects.filter(server=server).exclude(key__in=known)
    return places + [
        Place(section.key, section.title, names.folder, is_synced=section.is_enabled)
        for section in others
        if names.is_in(section.locations)
    ]


def _parts_of(row: Replacement, server: PlexServer, names: RemoteNames | None) -> list[PlexPart]:
    paths = names.paths if names is not None else ()
    digests = [PlexPart.digest_of(path) for path in paths]
    is_ours = Q(path_digest__in=digests)
    if row.file_id is not None:
        is_ours |= Q(file_id=row.file_id)
    rows = PlexPart.objects.filter(
        is_ours, plex_item__section__server=server, plex_item__missing_since=None
    )
    return list(rows.select_related("plex_item__section").order_by("id"))


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
