"""Rows for files that only Plex knows: in its section's own library, filled from its streams.

They are listed, filtered and analysed as others; they are never opened, encoded or replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models.base import ModelState
from django.utils import timezone

from library.file_records import (
    NAME_COLUMNS,
    PROBE_COLUMNS,
    apply_name,
    apply_path,
    apply_probe,
)
from library.models import (
    Availability,
    FileState,
    ItemFile,
    Library,
    LibraryKind,
    MediaFile,
    MediaItem,
    MediaProbe,
    PlexPart,
)
from library.plex.bulk_sql import insert_columns, upsert_rows
from library.scanning.identity import path_digest
from library.scanning.items import drop_orphans, identity_keys
from library.scanning.names import ParsedName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from library.models import PlexSection
    from library.plex.facts import ItemFacts, PartFacts

PROBER: Final = "plex"
_PROBE_COLUMNS: Final = ("file", "detail", "error", "prober_version", "probed_at")
_ITEM_COLUMNS: Final = (
    "library", "identity_key", "kind", "title", "year", "show_title", "season", "episode",
    "plex_guid", "added_at",
)  # fmt: skip
_LINK_COLUMNS: Final = ("item", "file", "edition", "part_index")
_SLASHES: Final = re.compile(r"[\\/]+")
_COLUMNS: Final = (
    *NAME_COLUMNS, *PROBE_COLUMNS, "size_bytes", "mtime_ns", "availability",
    "availability_reason", "is_in_plex", "play_count", "last_played_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that nobody here has, and the items that it belongs to."""

    part: PartFacts
    items: tuple[ItemFacts, ...]
    reason: str
    # Episodes of the same file that other batches brought: (season, episode).
    more_episodes: tuple[tuple[int | None, int | None], ...] = ()


def library_of(section: PlexSection) -> Library:
    """The section's own library, made when it is new."""
    if section.library is not None:
        return section.library
    root = f"plex:{section.server.machine_id}/{section.key}"
    raw = root.encode()
    with transaction.atomic():
        library, _is_new = Library.objects.get_or_create(
            root_digest=path_digest(raw),
            defaults={
                "kind": LibraryKind.PLEX,
                "name": _free_name(section),
                "root": root,
                "root_raw": raw,
                "is_replace_allowed": False,
                "is_watched": False,
            },
        )
        section.library = library
        section.save(update_fields=["library"])
    return library


def _free_name(section: PlexSection) -> str:
    base = f"{section.title} ({section.server.name})"[:110]
    number, name = 1, base
    while Library.objects.filter(name__iexact=name).exists():
        number += 1
        name = f"{base} {number}"
    return name


def stand_in_path(path: str, locations: Sequence[str]) -> bytes:
    """Below the section's folder, with slashes: what lists show.

    Of several folders, the folder's name too (of the same name: all of it), so that two files of
    the same path below are not one.
    """
    for location in sorted(locations, key=len, reverse=True):
        if location and path.startswith(location) and path[len(location) : len(location) + 1]:
            rest = path[len(location) :]
            if location[-1] in "\\/" or rest[0] in "\\/":
                name = _name_among(location, locations)
                path = path if name is None else f"{name}/{rest}"
                break
    return _SLASHES.sub("/", path).strip("/").encode("utf-8", "replace") or b"?"


def _name_among(location: str, locations: Sequence[str]) -> str | None:
    """What tells this folder from the others: nothing where it is alone, None: its whole path."""
    names = [_SLASHES.split(place.rstrip("\\/"))[-1].casefold() for place in set(locations)]
    if len(names) == 1:
        return ""
    name = _SLASHES.split(location.rstrip("\\/"))[-1]
    return name if names.count(name.casefold()) == 1 else None


def save_stand_ins(section: PlexSection, wanted: Iterable[Wanted]) -> dict[str, MediaFile]:
    """Make or refresh the rows; returns them by Plex's path. In the caller's transaction."""
    library = library_of(section)
    rows: dict[str, MediaFile] = {}
    by_path: dict[str, str] = {}
    named: dict[str, ParsedName] = {}
    chosen: dict[str, Wanted] = {}
    blank, now = MediaFile(library=library), timezone.now()
    for one in wanted:
        row = _copy_of(blank)
        apply_path(row, stand_in_path(one.part.path, section.locations))
        by_path[one.part.path] = row.path_digest
        name = _name(one)
        _fill(row, one, name, now)
        rows[row.path_digest], named[row.path_digest] = row, name
        chosen[row.path_digest] = one
    columns = insert_columns(MediaFile)
    read = attrgetter(*columns)
    upsert_rows(
        MediaFile, columns, map(read, rows.values()), unique=("library", "path_digest"),
        update=_COLUMNS,
    )  # fmt: skip
    saved = MediaFile.objects.filter(library=library, path_digest__in=list(rows))
    probes: list[tuple[Any, ...]] = []
    for digest, pk in saved.values_list("path_digest", "pk"):
        row, info = rows[digest], chosen[digest].part.info
        row.pk = pk
        if info is not None:
            probes.append((pk, info.to_json(), "", PROBER, now))
    upsert_rows(MediaProbe, _PROBE_COLUMNS, probes, unique=("file",))
    _link(library.pk, [(row, named[digest], chosen[digest]) for digest, row in rows.items()])
    return {path: rows[digest] for path, digest in by_path.items()}


def _copy_of(row: MediaFile) -> MediaFile:
    """Of an unsaved row: a tenth of the time that making another one takes."""
    copy = MediaFile.__new__(MediaFile)
    copy.__dict__ = {**row.__dict__, "_state": ModelState()}
    return copy


def _link(library_id: int, named: Sequence[tuple[MediaFile, ParsedName, Wanted]]) -> None:
    """Give each file its items, as `scanning.items.link_items` does, and Plex's guid with them."""
    wanted = {row.pk: (name, identity_keys(row, name)) for row, name, _one in named}
    items: dict[str, tuple[Any, ...]] = {}
    now = timezone.now()
    for row, name, one in named:
        guids = {item.episode: item.guid for item in one.items}
        for place, key in enumerate(wanted[row.pk][1]):
            episode = name.episodes[place] if place < len(name.episodes) else None
            items[key] = (
                library_id, key, name.kind, name.title[:500], name.year, name.show_title[:500],
                name.season, episode, guids.get(episode, ""), now,
            )  # fmt: skip
    upsert_rows(
        MediaItem, _ITEM_COLUMNS, items.values(), unique=("library", "identity_key"),
        update=("plex_guid",),
    )  # fmt: skip
    found = MediaItem.objects.filter(library_id=library_id, identity_key__in=list(items))
    ids = dict(found.values_list("identity_key", "id"))
    links = [
        (ids[key], pk, name.edition[:120], name.part)
        for pk, (name, keys) in wanted.items()
        for key in keys
    ]
    kept = {link[:2] for link in links}
    before = ItemFile.objects.filter(file_id__in=list(wanted))
    old = [row for row in before.values_list("pk", "item_id", "file_id") if row[1:] not in kept]
    if old:
        ItemFile.objects.filter(pk__in=[row[0] for row in old]).delete()
    upsert_rows(ItemFile, _LINK_COLUMNS, links, unique=("item", "file"))
    drop_orphans([row[1] for row in old])


def _name(one: Wanted) -> ParsedName:
    first = one.items[0]
    if first.type != "episode":
        return ParsedName(
            "movie", first.title or "?", first.year, edition=first.edition, part=one.part.index
        )
    numbers = [(item.season, item.episode) for item in one.items]
    episodes = sorted(
        {number for _season, number in [*numbers, *one.more_episodes] if number is not None}
    )
    return ParsedName(
        "episode",
        first.title,
        None,
        show_title=first.show_title or "?",
        season=first.season,
        episodes=tuple(episodes),
        air_date="" if episodes else first.rating_key,
        part=one.part.index,
    )


def _fill(row: MediaFile, one: Wanted, name: ParsedName, now: datetime) -> None:
    part = one.part
    if part.info is not None:
        apply_probe(row, part.info, now)
    else:
        row.container = part.container
    apply_name(row, name)
    row.size_bytes = part.size_bytes
    row.mtime_ns = int(part.changestamp) * 10**9 if _is_time(part.changestamp) else 0
    row.availability, row.availability_reason = Availability.UNREACHABLE, one.reason
    row.is_in_plex = True
    row.play_count, row.last_played_at = plays(one.items)
    row.added_at = min((item.added_at for item in one.items if item.added_at), default=now)


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 + 1


def plays(items: Iterable[ItemFacts]) -> tuple[int, datetime | None]:
    """Plays of all films of a file together, and the last of them: as `plays` has it."""
    counts: dict[str, int] = {}
    last = None
    for item in items:
        film = item.guid or item.rating_key
        counts[film] = max(item.view_count, counts.get(film, 0))
        if item.last_viewed_at and (last is None or item.last_viewed_at > last):
            last = item.last_viewed_at
    return sum(counts.values()), last


def drop_unused(section: PlexSection) -> int:
    """Remove stand-ins that no part names any more. Those that a job owns stay."""
    if section.library_id is None:
        return 0
    used = PlexPart.objects.exclude(file=None).values("file_id")
    unused = MediaFile.objects.filter(library_id=section.library_id).exclude(pk__in=used)
    unused = unused.exclude(state__in=(FileState.QUEUED, FileState.PROCESSING))
    return remove_files(list(unused.values_list("pk", flat=True)))


def remove_files(ids: Sequence[int]) -> int:
    """Delete rows of stand-ins, and the items that have no file then."""
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        with transaction.atomic():
            links = ItemFile.objects.filter(file_id__in=chunk)
            items = list(links.values_list("item_id", flat=True))
            MediaFile.objects.filter(pk__in=chunk).delete()
            drop_orphans(items)
    return len(ids)
