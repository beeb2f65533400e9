"""Trees as clients get them: short in lists, whole when asked for one by one; JSON or XML."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.plex_stand_in.trees import Tree
    from tests.plex_stand_in.world import Item, Section, World

# How many of them a list shows; Label and Field are never in lists.
_IN_LISTS = {"Genre": 2, "Role": 3, "Writer": 2, "Country": 2, "Collection": 2, "Director": 2}
_NEVER_IN_LISTS = frozenset(("Label", "Rating", "Field", "Producer", "Similar", "Location"))
_CONTAINER = {
    "allowSync": True,
    "identifier": "com.plexapp.plugins.library",
    "mediaTagPrefix": "/system/bundle/media/flags/",
    "mediaTagVersion": 1734362201,
}


def listed(world: World, section: Section, item: Item, *, with_guids: bool) -> Tree:
    """As in `/library/sections/N/all`: no streams, few tags, no word on the section."""
    own = item.tree
    tree = _head(world, section, item, own)
    for key, value in own.items():
        if key == "Media":
            tree[key] = [_media(media, is_listed=True) for media in value]
        elif key in _NEVER_IN_LISTS or (key == "Guid" and not with_guids):
            continue
        else:
            tree[key] = value[: _IN_LISTS[key]] if key in _IN_LISTS else value
    return tree


def whole(
    world: World,
    section: Section,
    item: Item,
    *,
    checks_files: bool = False,
    excluded: Collection[str] = (),
) -> Tree:
    """As in `/library/metadata/N`. `accessible` and `exists` only when they were asked for."""
    own = item.tree
    tree = _head(world, section, item, own)
    tree |= {
        "librarySectionTitle": section.title,
        "librarySectionID": int(section.key),
        "librarySectionKey": f"/library/sections/{section.key}",
    }
    for key, value in own.items():
        if key in excluded:
            continue
        if key == "Media":
            value = [_media(m, section=section, checks_files=checks_files) for m in value]
        tree[key] = value
    return tree


def _head(world: World, section: Section, item: Item, own: Tree) -> Tree:
    key = item.rating_key
    path = f"/library/metadata/{key}"
    if item.type == "collection":
        path = f"/library/collections/{key}/children"
    elif item.type in ("show", "season"):
        path += "/children"
    tree: Tree = {
        "ratingKey": key,
        "key": path,
        "thumb": f"/library/metadata/{key}/thumb/{item.updated_at}",
        "addedAt": item.added_at,
        "updatedAt": item.updated_at,
    }
    if item.type == "collection":
        tree["childCount"] = str(len(world.members(section, item)))  # text, as Plex has it
    plays = world.views.get(own["guid"]) if world.views else None
    if plays:
        tree |= {"viewCount": plays[0], "lastViewedAt": plays[1]}
    if item.deleted_at:
        tree["deletedAt"] = item.deleted_at
    return tree


def _media(
    media: Tree,
    *,
    is_listed: bool = False,
    section: Section | None = None,
    checks_files: bool = False,
) -> Tree:
    tree = {key: value for key, value in media.items() if key != "Part"}
    parts = []
    for part in media["Part"]:
        shown: Tree = {}
        if checks_files:
            is_there = _is_there(part, section)
            shown = {"accessible": is_there, "exists": is_there}
        for key, value in part.items():
            if key[0] != "_" and not (is_listed and key == "Stream"):
                shown[key] = value
        parts.append(shown)
    tree["Part"] = parts
    return tree


def _is_there(part: Tree, section: Section | None) -> bool:
    for location, folder in (section.folders if section else {}).items():
        if part["file"].startswith(f"{location}/"):
            return os.path.exists(folder / part["file"][len(location) + 1 :])
    return bool(part.get("_exists", True))


def container(entries: Mapping[str, Any], **values: Any) -> Tree:
    """A MediaContainer: attributes first, then its lists."""
    return {**_CONTAINER, **values, **entries}


def as_json(value: Tree | list[Tree]) -> bytes:
    return json.dumps(value).encode()


def as_xml(tree: Tree, root: str = "MediaContainer") -> bytes:
    text = ["<?xml version='1.0' encoding='utf-8'?>\n"]
    _element(text, root, tree)
    return "".join(text).encode()


def _element(text: list[str], name: str, tree: Tree) -> None:
    text.append(f"<{name}")
    below = []
    for key, value in tree.items():
        if isinstance(value, (list, dict)):
            below.append((key, value if isinstance(value, list) else [value]))
        else:
            text.append(f" {key}={quoteattr(_attribute(value))}")
    if not below:
        text.append("/>")
        return
    text.append(">")
    for key, entries in below:
        for entry in entries:
            _element(text, _tag_name(key, entry), entry)
    text.append(f"</{name}>")


def _tag_name(key: str, entry: Tree) -> str:
    if key == "Metadata":
        return "Video" if entry.get("type") in ("movie", "episode") else "Directory"
    return key


def _attribute(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)
