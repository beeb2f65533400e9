"""Looking again at files that only Plex knows: does a mapping lead to them by now?

The list is asked first: a mapping or a library may be new since the last sync. What no library
has listed is looked for on the disk, and where it is there, a scan of its library begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from library.models import Library, MediaFile, PlexPart, PlexSection
from library.plex.finding import PathFinder
from library.plex.linking import relink_files
from library.plex.mapping_check import HANGS_MOST, look_at
from library.plex.sync_operation import active_sync
from library.services import LibraryProblem, start_scan
from library.totals import refresh_totals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CHUNK: Final = 500


@dataclass
class PlexRecheck:
    """What came of it: files by how they stand now, libraries by name."""

    present: int = 0  # a folder library has them; their stand-ins are gone
    on_disk: int = 0  # there, and listed once the scan is done
    scanned: set[str] = field(default_factory=set)
    syncing: set[str] = field(default_factory=set)

    def in_words(self) -> str:
        """What follows "… can be read now."; "" for nothing more to say."""
        words = []
        if self.scanned:
            verb = "is" if self.on_disk == 1 else "are"
            names = ", ".join(sorted(self.scanned))
            words.append(f"{self.on_disk:,} more {verb} on the disk; {names} is scanned for that.")
        if self.syncing:
            names = ", ".join(sorted(self.syncing))
            words.append(f"{names} is being synced, which looks at all of its files.")
        return " ".join(words)


def recheck_plex_files(ids: Sequence[int], *, checkpoint: Callable[[], None]) -> PlexRecheck:
    """Every step may be repeated. `ids` are of files in libraries of Plex."""
    found = PlexRecheck()
    libraries = MediaFile.objects.filter(pk__in=ids).values("library")
    sections = PlexSection.objects.filter(library__in=libraries, server__is_enabled=True)
    for section in sections.filter(is_enabled=True).select_related("server"):
        if active_sync(section) is not None:
            found.syncing.add(section.title)
            continue
        own = MediaFile.objects.filter(library_id=section.library_id or 0)
        for start in range(0, len(ids), _CHUNK):
            checkpoint()
            here = own.filter(pk__in=ids[start : start + _CHUNK])
            _recheck(section, list(here.values_list("pk", flat=True)), found, checkpoint)
        refresh_totals([section.library_id or 0])
    return found


def _recheck(
    section: PlexSection, ids: list[int], found: PlexRecheck, checkpoint: Callable[[], None]
) -> None:
    finder = PathFinder.load(section.server)
    parts = PlexPart.objects.filter(file_id__in=ids)
    before = set(parts.values_list("file_id", flat=True))
    relink_files(section, ids, finder)
    left = dict(parts.values_list("path", "file_id"))
    found.present += len(before - set(left.values()))
    hanging, on_disk = 0, set()
    for path, file_id in left.items():
        checkpoint()
        local, library_id = finder.place_of(path)
        if library_id is None or hanging >= HANGS_MOST:
            continue
        state, _why = look_at(local)
        hanging += state == "hangs"
        if state == "here" and (name := _scan(library_id)):
            on_disk.add(file_id)
            found.scanned.add(name)
    found.on_disk += len(on_disk)


def _scan(library_id: int) -> str:
    """The name of the library that is scanned; "" where it is switched off or gone."""
    library = Library.objects.filter(pk=library_id).first()
    try:
        if library is not None:
            start_scan(library=library)
            return library.name
    except LibraryProblem:
        return ""
    return ""
