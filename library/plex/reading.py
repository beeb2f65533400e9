"""Plex's JSON to the values of `facts`. Tolerant: a server says things in several ways."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from library.plex.facts import ItemFacts, Page, PartFacts, SectionFacts, Session
from library.plex.streams import container_name, read_media_info
from library.plex.values import entries, flag, moment, number, text

_OPTIMIZED: Final = 42  # Media.proxyType of a version that Plex made for devices
_OPTIMIZED_FOLDER: Final = "/Plex Versions/"
_FILM_TYPES: Final = frozenset(("movie", "episode"))


def read_sections(container: dict[str, Any]) -> list[SectionFacts]:
    return [
        SectionFacts(
            key=text(tree.get("key"))[:20],
            uuid=text(tree.get("uuid"))[:80],
            title=text(tree.get("title"))[:200],
            type=text(tree.get("type"))[:10],
            locations=tuple(text(place.get("path")) for place in entries(tree, "Location")),
            content_changed_at=number(tree.get("contentChangedAt")) or 0,
            scanned_at=number(tree.get("scannedAt")) or 0,
            is_refreshing=flag(tree.get("refreshing")),
        )
        for tree in entries(container, "Directory")
    ]


def read_page(container: dict[str, Any], *, is_whole: bool = False) -> Page:
    """A list, or an answer with several items. What is neither film nor episode is left out."""
    trees = entries(container, "Metadata")
    section_key = text(container.get("librarySectionID"))
    items = tuple(
        read_item(tree, is_whole=is_whole, section_key=section_key)
        for tree in trees
        if tree.get("type") in _FILM_TYPES and tree.get("ratingKey")
    )
    return Page(items, len(trees), number(container.get("totalSize")))


def read_item(tree: dict[str, Any], *, is_whole: bool, section_key: str = "") -> ItemFacts:
    media = [one for one in entries(tree, "Media") if not _is_optimized(one)]
    is_episode = tree.get("type") == "episode"
    return ItemFacts(
        rating_key=text(tree["ratingKey"])[:20],
        guid=text(tree.get("guid"))[:200],
        type="episode" if is_episode else "movie",
        title=text(tree.get("title"))[:500],
        sort_title=text(tree.get("titleSort"))[:500],
        edition=text(tree.get("editionTitle"))[:120],
        year=_small(tree.get("year")),
        show_title=text(tree.get("grandparentTitle"))[:500] if is_episode else "",
        show_rating_key=text(tree.get("grandparentRatingKey"))[:20] if is_episode else "",
        season=_small(tree.get("parentIndex")) if is_episode else None,
        episode=_small(tree.get("index")) if is_episode else None,
        content_rating=text(tree.get("contentRating"))[:40],
        external_ids=tuple(text(one.get("id")) for one in entries(tree, "Guid")),
        genres=_tags(tree, "Genre"),
        labels=_tags(tree, "Label"),
        collections=_tags(tree, "Collection"),
        locked_fields=tuple(
            text(one.get("name")) for one in entries(tree, "Field") if flag(one.get("locked"))
        ),
        view_count=max(0, number(tree.get("viewCount")) or 0),
        last_viewed_at=moment(tree.get("lastViewedAt")),
        added_at=moment(tree.get("addedAt")),
        updated_at=moment(tree.get("updatedAt")),
        parts=tuple(part for one in media for part in _parts(one, is_whole=is_whole)),
        is_analyzed=all(one.get("videoCodec") or one.get("bitrate") for one in media),
        digest=_digest(tree, media),
        is_whole=is_whole,
        section_key=text(tree.get("librarySectionID")) or section_key,
    )


def _is_optimized(media: dict[str, Any]) -> bool:
    if number(media.get("proxyType")) == _OPTIMIZED:
        return True
    paths = (text(part.get("file")).replace("\\", "/") for part in entries(media, "Part"))
    return any(_OPTIMIZED_FOLDER in path for path in paths)


def _parts(media: dict[str, Any], *, is_whole: bool) -> list[PartFacts]:
    parts = [part for part in entries(media, "Part") if part.get("file") and part.get("id")]
    found = []
    for position, part in enumerate(parts, 1):
        exists = part.get("exists", part.get("accessible"))
        path = text(part["file"])[:4096]
        given = text(part.get("container")) or text(media.get("container"))
        found.append(
            PartFacts(
                media_id=text(media.get("id"))[:20],
                part_id=text(part["id"])[:20],
                index=position if len(parts) > 1 else 0,
                path=path,
                size_bytes=max(0, number(part.get("size")) or 0),
                changestamp=_changestamp(part),
                container=container_name(given, path),
                info=read_media_info(media, part) if is_whole else None,
                is_there=None if exists is None else flag(exists),
            )
        )
    return found


def _changestamp(part: dict[str, Any]) -> str:
    """Of `/library/parts/418385/1735864239/file.mkv`: the third."""
    pieces = text(part.get("key")).split("/")
    return pieces[4][:40] if len(pieces) > 5 else ""


def _tags(tree: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(text(one.get("tag")) for one in entries(tree, name) if one.get("tag"))


def _small(value: object) -> int | None:
    found = number(value)
    return found if found is not None and 0 <= found <= 32_767 else None


# Of an item in a list: when one of these moves, its details are read again. Tags are not among
# them (lists cut them short); an edit of tags moves `updatedAt`.
_LISTED: Final = (
    "updatedAt", "guid", "title", "titleSort", "editionTitle", "year", "contentRating",
    "grandparentTitle", "grandparentRatingKey", "parentIndex", "index",
)  # fmt: skip
_MEDIA: Final = ("id", "bitrate", "videoCodec", "width", "height", "container", "audioCodec")
_PART: Final = ("id", "key", "size", "file")


def _digest(tree: dict[str, Any], media: list[dict[str, Any]]) -> str:
    told = [
        [text(tree.get(name)) for name in _LISTED],
        [
            [[text(one.get(name)) for name in _MEDIA]]
            + [[text(part.get(name)) for name in _PART] for part in entries(one, "Part")]
            for one in media
        ],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]


def read_sessions(container: dict[str, Any]) -> list[Session]:
    found = []
    for tree in entries(container, "Metadata"):
        player = next(iter(entries(tree, "Player")), {})
        user = next(iter(entries(tree, "User")), {})
        found.append(
            Session(
                rating_key=text(tree.get("ratingKey")),
                title=text(tree.get("title")),
                user=text(user.get("title")),
                player=text(player.get("title")),
                state=text(player.get("state")),
            )
        )
    return found
