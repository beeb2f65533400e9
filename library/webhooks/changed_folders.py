"""Sonarr or Radarr changed files: the folders that they name are looked at, and no others.

Calls that wait together lead to one look for each library. A call is done when something is on its
way that comes to its folders; one that has passed them already is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from library.models import ArrServer, Library, LibraryKind
from library.plex.mapping import MappingTable
from library.scanning.names import outermost
from library.services import active_scan, scan_covers, start_partial_scan, start_scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.models import WebhookEvent
    from mediaflow.base.models import Operation

MOST_FOLDERS: Final = 50  # of one library; more are a scan of all of it


@dataclass(frozen=True, slots=True)
class Named:
    """What one call names of one library, relative to its root."""

    library: Library
    folders: frozenset[bytes]


def after_file_events(events: Sequence[WebhookEvent]) -> dict[int, str | None]:
    """What became of each call, by its id, in words; None: not yet, look again."""
    if not events:
        return {}
    finder = _Finder()
    named = {event.pk: finder.find(event) for event in events}
    wanted: dict[int, set[bytes]] = {}
    for rows in named.values():
        for row in rows:
            wanted.setdefault(row.library.pk, set()).update(row.folders)
    scans = {pk: _scan_for(finder.libraries[pk], folders) for pk, folders in wanted.items()}
    return {event.pk: _outcome(event, named[event.pk], scans) for event in events}


def _scan_for(library: Library, folders: set[bytes]) -> Operation:
    """The one that waits or runs, or a new one."""
    active = active_scan(library)
    if active is not None:
        return active
    if b"" in folders or len(folders) > MOST_FOLDERS:
        return start_scan(library=library)
    return start_partial_scan(library=library, folders=folders)


def _outcome(
    event: WebhookEvent, named: Sequence[Named], scans: dict[int, Operation]
) -> str | None:
    if not named:
        paths = _paths(event)
        shown = paths[0] if paths else "it named no folder"
        return f"In no library of MediaFlow ({shown}); a path mapping may be missing."
    if not all(scan_covers(scans[row.library.pk], row.folders, event.at) for row in named):
        return None
    return f"{', '.join(row.library.name for row in named)}: the folder is looked at."


def _paths(event: WebhookEvent) -> list[str]:
    return [path for path in event.payload.get("paths", []) if isinstance(path, str)]


class _Finder:
    """The enabled folder libraries, and what the servers call their folders."""

    def __init__(self) -> None:
        rows = Library.objects.filter(kind=LibraryKind.FOLDER, is_enabled=True)
        self.libraries = {library.pk: library for library in rows}
        self._tables: dict[str, list[MappingTable]] = {}

    def find(self, event: WebhookEvent) -> list[Named]:
        """By any mapping of such servers: a call does not say reliably whose it is."""
        tables = self._tables_of(event.webhook.kind)
        local = {table.local_path(path) for path in _paths(event) for table in tables} - {None}
        found = []
        for library in self.libraries.values():
            root = bytes(library.root_raw).rstrip(b"/") + b"/"
            inside = {
                path.removeprefix(root[:-1]).strip(b"/")
                for path in local
                if path and (path + b"/").startswith(root)
            }
            if inside:
                found.append(Named(library, frozenset(outermost(inside))))
        return found

    def _tables_of(self, kind: str) -> list[MappingTable]:
        if kind not in self._tables:
            servers = [*ArrServer.objects.filter(kind=kind), None]
            self._tables[kind] = [MappingTable.load(server) for server in servers]
        return self._tables[kind]
