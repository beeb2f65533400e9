"""Folders of a server's libraries: what they are called here, and which library has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from library.models import Library, LibraryKind, PlexSection
from library.plex.mapping import MappingTable
from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from library.models import PlexServer

# For all folders together: a mount that hangs must not hold the page.
ANSWERS_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Folder:
    """`kind` and `word` are those of `components/_state.html`."""

    section: PlexSection
    location: str
    local: str  # "" without a mapping
    kind: str
    word: str
    may_add: bool
    library: Library | None = None


def folders_of(server: PlexServer) -> list[Folder]:
    """One question to the disks, bounded."""
    table = MappingTable.load(server)
    rows = [
        (section, str(location), table.local_path(str(location)))
        for section in PlexSection.objects.filter(server=server)
        for location in section.locations
    ]
    libraries = list(Library.objects.filter(kind=LibraryKind.FOLDER))
    known = _real_folders([local for _, _, local in rows if local is not None])
    return [_folder(*row, libraries, known) for row in rows]


def _folder(
    section: PlexSection,
    location: str,
    local: bytes | None,
    libraries: list[Library],
    known: dict[bytes, bytes] | None,
) -> Folder:
    if local is None:
        return Folder(section, location, "", "gone", "No path mapping", False)
    shown = display_path(local)
    local = (known or {}).get(local, local)
    for library in libraries:
        root = bytes(library.root_raw).rstrip(b"/")
        if local == root or local.startswith(root + b"/"):
            return Folder(section, location, shown, "ok", f"In {library.name}", False, library)
    if known is None:
        return Folder(section, location, shown, "bad", "Does not answer", False)
    if local not in known.values():
        return Folder(section, location, shown, "gone", "Not here", False)
    inside = [lib for lib in libraries if bytes(lib.root_raw).startswith(local.rstrip(b"/") + b"/")]
    if inside:
        return Folder(section, location, shown, "ok", f"Partly in {inside[0].name}", False)
    return Folder(section, location, shown, "wait", "In no library", True)


def _real_folders(folders: list[bytes]) -> dict[bytes, bytes] | None:
    """Where those that exist lead, links resolved; None when the disks do not answer in time."""
    if not folders:
        return {}

    def look() -> dict[bytes, bytes]:
        found = [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112  # bytes
        return {folder: os.path.realpath(folder) for folder in found}

    try:
        return answer_within(ANSWERS_S, look)
    except TimeoutError:
        return None
