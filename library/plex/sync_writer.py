"""Writes what a sync read: items, parts, their files, plays. A batch per transaction.

Nothing is written twice: a rating key is one row, a file is one row, and an item that Plex made
anew (another rating key, same guid) goes on in its old row.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from library.models import ItemFile, MediaItem, PlexItem, PlexPart
from library.plex.bulk_sql import update_rows, upsert_rows
from library.plex.plays import refresh_plays
from library.plex.stand_ins import Wanted, save_stand_ins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from library.models import PlexSection
    from library.plex.facts import ItemFacts, PartFacts
    from library.plex.finding import Found, PathFinder

_ITEM_COLUMNS: Final = (
    "section", "rating_key", "guid", "external_ids", "item", "type", "title", "sort_title",
    "edition", "year", "show_title", "show_rating_key", "season", "episode", "content_rating",
    "genres", "labels", "collections", "locked_fields", "view_count", "last_viewed_at",
    "added_at", "updated_at", "listing_digest", "is_detailed", "is_analyzed", "seen_generation",
    "missing_since",
)  # fmt: skip
_PART_COLUMNS: Final = (
    "plex_item", "part_id", "media_id", "part_index", "path", "path_digest", "size_bytes",
    "plex_changestamp", "container", "unmatched_reason", "file",
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What a sync did; in PlexSection.last_summary and `plex_sync --json`."""

    items: int = 0
    added: int = 0
    changed: int = 0
    followed: int = 0  # made anew by Plex, kept as the same film here
    missing: int = 0
    plays: int = 0
    matched: int = 0  # files that a folder library has, too
    unmatched: int = 0


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What the row of a listed item says."""

    pk: int
    digest: str
    is_detailed: bool
    view_count: int
    last_viewed_at: object
    seen_generation: int
    is_missing: bool


@dataclass(slots=True)
class SyncWriter:
    """`still_there` asks the server which of some rating keys it still has."""

    section: PlexSection
    finder: PathFinder
    generation: int
    still_there: Callable[[Sequence[str]], set[str]]
    counts: Counts = field(default_factory=Counts)

    def known(self, rating_keys: Iterable[str]) -> dict[str, KnownItem]:
        rows = PlexItem.objects.filter(section=self.section, rating_key__in=list(rating_keys))
        names = (
            "rating_key", "pk", "listing_digest", "is_detailed", "view_count", "last_viewed_at",
            "seen_generation", "missing_since",
        )  # fmt: skip
        return {
            key: KnownItem(pk, digest, detailed, views, viewed_at, seen, missing is not None)
            for key, pk, digest, detailed, views, viewed_at, seen, missing in rows.values_list(
                *names
            )
        }

    def confirm(self, listed: Sequence[tuple[ItemFacts, KnownItem]]) -> None:
        """These are as they were: seen, and only their plays may have changed."""
        if not listed:
            return
        played = [
            (facts, row)
            for facts, row in listed
            if (facts.view_count, facts.last_viewed_at) != (row.view_count, row.last_viewed_at)
        ]
        with transaction.atomic():
            PlexItem.objects.filter(pk__in=[row.pk for _facts, row in listed]).update(
                seen_generation=self.generation
            )
            self._write_plays(played)
        self.counts.items += len(listed)

    def write_plays(self, listed: Sequence[tuple[ItemFacts, KnownItem]]) -> None:
        """Only the plays of items that are known."""
        with transaction.atomic():
            self._write_plays(listed)

    def _write_plays(self, played: Sequence[tuple[ItemFacts, KnownItem]]) -> None:
        if not played:
            return
        values = [(facts.view_count, facts.last_viewed_at, row.pk) for facts, row in played]
        update_rows(PlexItem, ["view_count", "last_viewed_at"], values)
        parts = PlexPart.objects.filter(plex_item_id__in=[row.pk for _facts, row in played])
        refresh_plays(pk for pk in parts.values_list("file_id", flat=True) if pk is not None)
        self.counts.plays += len(played)

    def write(self, items: Sequence[ItemFacts]) -> None:
        """Whole items, new or changed."""
        unique = list({facts.rating_key: facts for facts in items}.values())
        if not unique:
            return
        followed = self._remade(unique)
        found = self.finder.find(part.path for facts in unique for part in facts.parts)
        with transaction.atomic():
            self._follow(followed)
            known = self.known(facts.rating_key for facts in unique)
            files = self._files(unique, found)
            rows = self._save_items(unique, self._media_items(unique, files))
            touched = self._save_parts(unique, rows, files, found)
            refresh_plays(touched)
        self._count(unique, known, found, len(followed))

    def _count(
        self,
        items: Sequence[ItemFacts],
        known: dict[str, KnownItem],
        found: dict[str, Found],
        followed: int,
    ) -> None:
        counts = self.counts
        counts.items += len(items)
        counts.changed += len(known) - followed
        counts.added += len(items) - len(known)
        counts.followed += followed
        matched = sum(1 for one in found.values() if one.file_id is not None)
        counts.matched += matched
        counts.unmatched += len(found) - matched

    # Made anew

    def _remade(self, items: Sequence[ItemFacts]) -> dict[int, str]:
        """Rows whose rating key Plex gave up, and the new key of the same film."""
        keys = {facts.rating_key for facts in items}
        guids = {facts.guid for facts in items if facts.guid}
        rows = PlexItem.objects.filter(section=self.section, guid__in=guids)
        names = ("pk", "guid", "edition", "rating_key")
        candidates = [row for row in rows.values_list(*names) if row[3] not in keys]
        if not candidates:
            return {}
        known = set(self.known(keys))
        fresh = [facts for facts in items if facts.rating_key not in known and facts.guid]
        if not fresh:
            return {}
        alive = self.still_there([row[3] for row in candidates])
        gone = [row for row in candidates if row[3] not in alive]
        paths = _paths_of([row[0] for row in gone])
        followed: dict[int, str] = {}
        for facts in fresh:
            same = [row for row in gone if row[1] == facts.guid and row[0] not in followed]
            own = {PlexPart.digest_of(part.path) for part in facts.parts}
            by_path = [row for row in same if own & paths[row[0]]]
            by_edition = [row for row in same if row[2] == facts.edition]
            chosen = by_path or (by_edition if len(by_edition) == 1 else [])
            if chosen:
                followed[chosen[0][0]] = facts.rating_key
        return followed

    def _follow(self, followed: dict[int, str]) -> None:
        for pk, rating_key in followed.items():
            PlexItem.objects.filter(pk=pk).update(rating_key=rating_key)

    # Files

    def _files(self, items: Sequence[ItemFacts], found: dict[str, Found]) -> dict[str, int]:
        """The file of each path: of a folder library, else a row of the section's own."""
        files = {path: one.file_id for path, one in found.items() if one.file_id is not None}
        holders: defaultdict[str, list[ItemFacts]] = defaultdict(list)
        parts: dict[str, PartFacts] = {}
        for facts in items:
            for part in facts.parts:
                if part.path not in files:
                    holders[part.path].append(facts)
                    parts[part.path] = part
        if not parts:
            return files
        others = self._other_episodes(parts, items) if self.section.type == "show" else {}
        wanted = [
            Wanted(part, tuple(holders[path]), found[path].reason, tuple(others.get(path, ())))
            for path, part in parts.items()
        ]
        rows = save_stand_ins(self.section, wanted)
        return files | {path: row.pk for path, row in rows.items()}

    def _other_episodes(
        self, parts: dict[str, PartFacts], items: Sequence[ItemFacts]
    ) -> dict[str, list[tuple[int | None, int | None]]]:
        """Episodes of the same files that are known already and not in this batch."""
        digests = {PlexPart.digest_of(path): path for path in parts}
        rows = PlexPart.objects.filter(
            plex_item__section=self.section,
            plex_item__missing_since=None,
            path_digest__in=list(digests),
        ).exclude(plex_item__rating_key__in=[facts.rating_key for facts in items])
        others: defaultdict[str, list[tuple[int | None, int | None]]] = defaultdict(list)
        names = ("path_digest", "plex_item__season", "plex_item__episode")
        for digest, season, episode in rows.values_list(*names):
            others[digests[digest]].append((season, episode))
        return others

    def _media_items(
        self, items: Sequence[ItemFacts], files: dict[str, int]
    ) -> dict[str, int | None]:
        """The item of the library that each of Plex's is, by rating key; notes its guid there."""
        linked: defaultdict[int, list[tuple[int, int | None, int | None, str]]] = defaultdict(list)
        links = ItemFile.objects.filter(file_id__in=set(files.values()))
        names = ("file_id", "item_id", "item__season", "item__episode", "item__plex_guid")
        for file_id, *rest in links.values_list(*names):
            linked[file_id].append((rest[0], rest[1], rest[2], rest[3]))
        chosen: dict[str, int | None] = {}
        guids: dict[int, str] = {}
        for facts in items:
            options = [row for part in facts.parts for row in linked[files[part.path]]]
            numbered = [row for row in options if row[1:3] == (facts.season, facts.episode)]
            best = next(iter((numbered if facts.type == "episode" else []) or options), None)
            chosen[facts.rating_key] = best[0] if best else None
            if best and facts.guid and best[3] != facts.guid:
                guids[best[0]] = facts.guid
        update_rows(MediaItem, ["plex_guid"], [(guid, pk) for pk, guid in guids.items()])
        return chosen

    # Items and parts

    def _save_items(
        self, items: Sequence[ItemFacts], media_items: dict[str, int | None]
    ) -> dict[str, int]:
        keys = [facts.rating_key for facts in items]
        rows = [
            (
                self.section.pk, facts.rating_key, facts.guid, facts.external_ids,
                media_items[facts.rating_key], facts.type, facts.title, facts.sort_title,
                facts.edition, facts.year, facts.show_title, facts.show_rating_key, facts.season,
                facts.episode, facts.content_rating, facts.genres, facts.labels,
                facts.collections, facts.locked_fields, facts.view_count, facts.last_viewed_at,
                facts.added_at, facts.updated_at, facts.digest, True, facts.is_analyzed,
                self.generation, None,
            )
            for facts in items
        ]  # fmt: skip
        upsert_rows(PlexItem, _ITEM_COLUMNS, rows, unique=("section", "rating_key"))
        saved = PlexItem.objects.filter(section=self.section, rating_key__in=keys)
        return dict(saved.values_list("rating_key", "pk"))

    def _save_parts(
        self,
        items: Sequence[ItemFacts],
        rows: dict[str, int],
        files: dict[str, int],
        found: dict[str, Found],
    ) -> set[int]:
        """Returns the files whose plays may be others now."""
        before = PlexPart.objects.filter(plex_item_id__in=list(rows.values()))
        old = {(item, part): (pk, file_id) for item, part, pk, file_id in before.values_list(
            "plex_item_id", "part_id", "pk", "file_id")}  # fmt: skip
        fresh: dict[tuple[int, str], tuple[Any, ...]] = {}
        for facts in items:
            item_pk = rows[facts.rating_key]
            for part in facts.parts:
                fresh[item_pk, part.part_id] = (
                    item_pk, part.part_id, part.media_id, part.index, part.path,
                    PlexPart.digest_of(part.path), part.size_bytes, part.changestamp,
                    part.container[:20], found[part.path].reason, files[part.path],
                )  # fmt: skip
        gone = [pk for key, (pk, _file) in old.items() if key not in fresh]
        if gone:
            PlexPart.objects.filter(pk__in=gone).delete()
        upsert_rows(PlexPart, _PART_COLUMNS, fresh.values(), unique=("plex_item", "part_id"))
        return {file_id for _pk, file_id in old.values() if file_id} | set(files.values())


def _paths_of(item_ids: Sequence[int]) -> defaultdict[int, set[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    rows = PlexPart.objects.filter(plex_item_id__in=item_ids)
    for item_id, digest in rows.values_list("plex_item_id", "path_digest"):
        found[item_id].add(digest)
    return found
