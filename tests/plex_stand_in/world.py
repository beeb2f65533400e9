"""What the stand-in's server holds: sections, items, collections, plays, who watches now.

Tests change it directly (all methods are safe beside running requests); what clients change through
HTTP ends up here too. `change()` of a section is what moves `contentChangedAt`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.plex_stand_in.trees import (
    Tree,
    audio_stream,
    guid_of,
    media_tree,
    part_tree,
    subtitle_stream,
    video_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MACHINE_ID = "5f3a0c1d9b7e46288c1e2d3f4a5b6c7d8e9f0a1b"
SERVER_TOKEN = "stand-in-server-token"
TAGS = ("Genre", "Label", "Collection", "Country", "Director", "Writer", "Role")


class Item:
    """A film, show, season, episode or collection. `tree` may be made on demand."""

    __slots__ = (
        "_guid",
        "_make",
        "_tree",
        "added_at",
        "deleted_at",
        "rating_key",
        "type",
        "updated_at",
    )

    def __init__(
        self,
        rating_key: str,
        kind: str,
        tree: Tree | Callable[[], Tree],
        added_at: int,
        guid: str = "",
    ) -> None:
        self.rating_key, self.type = rating_key, kind
        self.added_at = self.updated_at = added_at
        self._guid = guid  # known without making the tree
        self.deleted_at = 0  # in the trash since
        self._tree = tree if isinstance(tree, dict) else None
        self._make = None if isinstance(tree, dict) else tree

    @property
    def tree(self) -> Tree:
        """For reading."""
        if self._tree is not None:
            return self._tree
        assert self._make is not None
        return self._make()

    def own(self) -> Tree:
        """For writing."""
        if self._tree is None:
            self._tree = self.tree
        return self._tree

    @property
    def title(self) -> str:
        return str(self.tree["title"])

    @property
    def guid(self) -> str:
        return self._guid or str(self.tree["guid"])

    def tags(self, kind: str) -> list[str]:
        return [str(entry["tag"]) for entry in self.tree.get(kind, [])]

    @property
    def parts(self) -> list[Tree]:
        return [part for media in self.tree.get("Media", []) for part in media["Part"]]

    @property
    def files(self) -> list[str]:
        return [part["file"] for part in self.parts]


@dataclass
class Section:
    key: str
    type: str
    title: str
    locations: list[str]
    # Location as Plex names it -> the real folder here. Only such sections can be scanned.
    folders: dict[str, Path] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    content_changed_at: int = 1000
    scanned_at: int = 1_700_000_000
    refreshing: bool = False
    overlap: int = 0  # each page of a listing repeats so many items of the one before
    uuid: str = ""

    def change(self) -> None:
        self.content_changed_at += 1

    def of_type(self, kind: str) -> list[Item]:
        return [item for item in self.items.values() if item.type == kind]


class World:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.name = "Stand-in"
        self.version = "1.41.2.9200-c6bbc1b53"
        self.machine_id = MACHINE_ID
        # Token -> whether it is the owner's. Take one out and its calls get 401 as HTML.
        self.tokens: dict[str, bool] = {SERVER_TOKEN: True}
        self.sections: dict[str, Section] = {}
        # guid -> (plays, last played): Plex finds them again when an item is made anew.
        self.views: dict[str, tuple[int, int]] = {}
        self.sessions: list[Tree] = []  # {ratingKey, user, state}: see `watch`
        self.tag_mode = "append"  # or "replace": what a PUT of tags does to those not named
        self.knows_updated_at = True  # False: the filter `updatedAt>>=` is ignored
        self.auto_empty_trash = True
        self.analyzes_on_scan = True  # a new file; one that changed in place never is
        self.swap_moves_updated_at = False
        self.drops_empty_collections = True
        self.scan_s = 0.05  # how long a section is `refreshing` before its scan looks
        self.log: list[str] = []
        self._next_id = 100
        self._tag_ids: dict[tuple[str, str], int] = {}

    # Making

    def new_id(self) -> int:
        with self.lock:
            self._next_id += 1
            return self._next_id

    def tag(self, kind: str, name: str) -> Tree:
        with self.lock:
            tag_id = self._tag_ids.setdefault((kind, name), 5000 + len(self._tag_ids))
        return {"id": tag_id, "filter": f"{kind.lower()}={tag_id}", "tag": name}

    def add_section(
        self,
        title: str = "Movies",
        *,
        kind: str = "movie",
        location: str = "",
        folder: Path | None = None,
    ) -> Section:
        """`folder`: the real folder behind the location, which scans then look at."""
        key = str(len(self.sections) + 1)
        place = location or f"/data/{title}"
        section = Section(key, kind, title, [place], uuid=f"uuid-of-section-{key}")
        if folder is not None:
            section.folders[place] = folder
        self.sections[key] = section
        return section

    def add_movie(
        self,
        section: Section,
        title: str,
        year: int = 2001,
        *,
        file: str = "",
        streams: Sequence[Tree] | None = None,
        analyzed: bool = True,
        **values: Any,
    ) -> Item:
        """`values`: Plex's keys (contentRating, …); `genres`, `labels`, `collections`: names;
        `media`: whole versions instead of `file` and `streams`; `added_at`, `size`, `mtime`."""
        path = file or f"{section.locations[0]}/{title} ({year})/{title} ({year}).mkv"
        own = {
            "guid": guid_of("movie", title, year),
            "studio": "Stand-in Pictures",
            "type": "movie",
            "title": title,
            "contentRating": "PG",
            "summary": f"What happens in {title}.",
            "audienceRating": 7.1,
            "year": year,
            "originallyAvailableAt": f"{year}-03-01",
            "audienceRatingImage": "themoviedb://image.rating",
            "slug": f"{title}-{year}".casefold().replace(" ", "-"),
            "Country": [self.tag("Country", "Iceland")],
            "Director": [self.tag("Director", f"Director of {title}")],
            "Role": [self.tag("Role", f"Actor {number}") for number in range(5)],
            "Image": [{"alt": title, "type": "coverPoster", "url": "/photo"}],
        }
        return self._add(section, own, "movie", path, streams, analyzed, values)

    def add_episode(
        self,
        section: Section,
        show: str,
        season: int,
        episode: int,
        *,
        title: str = "",
        file: str = "",
        streams: Sequence[Tree] | None = None,
        analyzed: bool = True,
        **values: Any,
    ) -> Item:
        """Makes the show and the season too when they are new."""
        show_item = self._group(section, "show", guid_of("show", show), title=show, index=1)
        season_item = self._group(
            section, "season", guid_of("season", show, season),
            title=f"Season {season}", index=season, parentTitle=show, parentGuid=show_item.guid,
            parentRatingKey=show_item.rating_key, parentIndex=1,
            parentKey=f"/library/metadata/{show_item.rating_key}",
        )  # fmt: skip
        name = f"{show} - S{season:02d}E{episode:02d}"
        path = file or f"{section.locations[0]}/{show}/Season {season:02d}/{name}.mkv"
        own = {
            "guid": guid_of("episode", show, season, episode),
            "type": "episode",
            "title": title or f"Episode {episode}",
            "contentRating": "TV-14",
            "summary": "",
            "index": episode,
            "parentIndex": season,
            "grandparentRatingKey": show_item.rating_key,
            "grandparentGuid": show_item.guid,
            "grandparentKey": f"/library/metadata/{show_item.rating_key}",
            "grandparentTitle": show,
            "parentRatingKey": season_item.rating_key,
            "parentGuid": season_item.guid,
            "parentKey": f"/library/metadata/{season_item.rating_key}",
            "parentTitle": f"Season {season}",
        }
        return self._add(section, own, "episode", path, streams, analyzed, values)

    def _group(self, section: Section, kind: str, guid: str, **values: Any) -> Item:
        for item in section.of_type(kind):
            if item.guid == guid:
                return item
        tree = {"guid": guid, "type": kind, "summary": "", **values}
        item = Item(str(self.new_id()), kind, tree, int(time.time()))
        section.items[item.rating_key] = item
        return item

    def _add(
        self,
        section: Section,
        tree: Tree,
        kind: str,
        path: str,
        streams: Sequence[Tree] | None,
        analyzed: bool,
        values: dict[str, Any],
    ) -> Item:
        with self.lock:
            size, mtime = values.pop("size", 8_000_000_000), values.pop("mtime", 1_700_000_000)
            added_at = values.pop("added_at", 1_700_000_000 + len(section.items))
            media = values.pop("media", None)
            if media is None:
                media = [self.media(path, streams, analyzed=analyzed, size=size, mtime=mtime)]
            names = {"Genre": "genres", "Label": "labels", "Collection": "collections"}
            for key, argument in names.items():
                if chosen := values.pop(argument, ()):
                    tree[key] = [self.tag(key, name) for name in chosen]
            tree.setdefault("Guid", [{"id": f"tmdb://{self._next_id}"}])
            plays = values.pop("plays", 0)
            tree |= {"duration": media[0]["duration"], **values, "Media": media}
            item = Item(str(self.new_id()), kind, tree, added_at)
            if plays:
                self.views[item.guid] = (plays, 1_710_000_000)
            section.items[item.rating_key] = item
            section.change()
            return item

    def media(
        self,
        file: str | Sequence[str],
        streams: Sequence[Tree] | None = None,
        *,
        analyzed: bool = True,
        size: int = 8_000_000_000,
        mtime: int = 1_700_000_000,
        **values: Any,
    ) -> Tree:
        """One version of one file, or of several (cd1, cd2)."""
        files = [file] if isinstance(file, str) else list(file)
        chosen = list(streams or (video_stream(), audio_stream(), subtitle_stream()))
        parts = [
            part_tree(
                name,
                part_id=self.new_id(),
                size=size,
                mtime=mtime,
                duration=6_000_000 // len(files),
                streams=[{**stream, "id": self.new_id()} for stream in chosen] if analyzed else [],
            )
            for name in files
        ]
        return media_tree(self.new_id(), parts, **values)

    # Changing

    def section_of(self, rating_key: str) -> Section | None:
        return next((s for s in self.sections.values() if rating_key in s.items), None)

    def item(self, rating_key: str) -> Item:
        section = self.section_of(rating_key)
        assert section is not None, rating_key
        return section.items[rating_key]

    def find(self, title: str) -> Item:
        """The first film or episode of this title. Raises StopIteration."""
        everything = (i for s in self.sections.values() for i in s.items.values())
        return next(i for i in everything if i.title == title and i.type in ("movie", "episode"))

    def remove(self, item: Item) -> None:
        with self.lock:
            section = self.section_of(item.rating_key)
            if section is not None:
                del section.items[item.rating_key]
                section.change()
                self.drop_empty_collections(section)

    def touch(self, item: Item, **values: Any) -> None:
        """Change keys of an item, as an edit or a metadata refresh does."""
        with self.lock:
            item.own().update(values)
            item.updated_at = max(int(time.time()), item.updated_at + 1)
            section = self.section_of(item.rating_key)
            if section is not None:
                section.change()

    def renumber(self, item: Item) -> Item:
        """The same film under a new rating key, as after a delete and a scan."""
        with self.lock:
            section = self.section_of(item.rating_key)
            assert section is not None
            del section.items[item.rating_key]
            fresh = Item(str(self.new_id()), item.type, dict(item.own()), int(time.time()))
            section.items[fresh.rating_key] = fresh
            section.change()
            return fresh

    def play(self, item: Item, times: int = 1, at: int | None = None) -> None:
        with self.lock:
            count = self.views.get(item.guid, (0, 0))[0] + times
            self.views[item.guid] = (count, int(time.time()) if at is None else at)

    def watch(self, item: Item, user: str = "ada", state: str = "playing") -> None:
        """Somebody is watching it now, until `stop_watching`."""
        with self.lock:
            self.sessions.append({"ratingKey": item.rating_key, "user": user, "state": state})

    def stop_watching(self) -> None:
        with self.lock:
            self.sessions.clear()

    # Collections

    def collection(self, section: Section, title: str) -> Item:
        """The collection of this name, made when it is new. Its members carry its tag."""
        with self.lock:
            for item in section.of_type("collection"):
                if item.title == title:
                    return item
            tag = self.tag("Collection", title)
            tree = {
                "guid": f"collection://{tag['id']}", "type": "collection", "title": title,
                "subtype": "movie" if section.type == "movie" else "show", "summary": "",
                "index": tag["id"], "smart": False,
            }  # fmt: skip
            item = Item(str(self.new_id()), "collection", tree, int(time.time()))
            section.items[item.rating_key] = item
            section.change()
            return item

    def members(self, section: Section, collection: Item) -> list[Item]:
        title = collection.title
        return [i for i in section.items.values() if title in i.tags("Collection")]

    def drop_empty_collections(self, section: Section) -> None:
        if not self.drops_empty_collections:
            return
        for item in section.of_type("collection"):
            if not self.members(section, item):
                del section.items[item.rating_key]
