"""What clients write: fields, locks and tags of items, collections, plays."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.plex_stand_in.trees import SECTION_OF_TYPE, TYPE_OF_NUMBER

if TYPE_CHECKING:
    from tests.plex_stand_in.listing import Params
    from tests.plex_stand_in.world import Item, Section, World

_TAG = re.compile(r"^(\w+)\[\d*\]\.tag\.tag(-?)$")
_FIELD = re.compile(r"^(\w+)\.(value|locked)$")
_NUMBERS = frozenset(("year", "addedAt", "userRating"))


@dataclass(frozen=True, slots=True)
class Edit:
    """One PUT that changed items. `ids` empty: it was sent without ids and changed them all."""

    section: str
    ids: tuple[str, ...]
    params: tuple[tuple[str, str], ...]
    changed: int


def apply_edit(world: World, section: Section, params: Params) -> Edit:
    given = dict(params)
    ids = tuple(key for key in given.get("id", "").split(",") if key)
    kind = TYPE_OF_NUMBER.get(int(given.get("type", SECTION_OF_TYPE[section.type])), section.type)
    if ids:
        items = [section.items[key] for key in ids if key in section.items]
    else:  # as a real server does: every item of that type
        items = section.of_type(kind)
    for item in items:
        _edit_item(world, section, item, params)
    section.change()
    world.drop_empty_collections(section)
    return Edit(section.key, ids, tuple(params), len(items))


def _edit_item(world: World, section: Section, item: Item, params: Params) -> None:
    tree = item.own()
    added: dict[str, list[str]] = {}
    removed: dict[str, list[str]] = {}
    for name, value in params:
        if tag := _TAG.match(name):
            kind = tag[1].capitalize()
            if tag[2]:
                removed.setdefault(kind, []).extend(unquote(one) for one in value.split(","))
            else:
                added.setdefault(kind, []).append(value)
        elif field := _FIELD.match(name):
            if field[2] == "locked":
                _lock(tree, field[1], is_locked=value == "1")
            else:
                _set(item, tree, field[1], value)
    for kind in {*added, *removed}:
        _set_tags(world, section, item, kind, added.get(kind, []), removed.get(kind, []))
    # A second's resolution is too coarse for tests; it always moves on.
    item.updated_at = max(int(time.time()), item.updated_at + 1)


def _set(item: Item, tree: dict[str, Any], field: str, value: str) -> None:
    if field == "addedAt":
        item.added_at = int(value)
    elif field in _NUMBERS:
        tree[field] = int(float(value)) if value else None
    else:
        tree[field] = value


def _lock(tree: dict[str, Any], field: str, *, is_locked: bool) -> None:
    others = [entry for entry in tree.get("Field", []) if entry["name"] != field]
    tree["Field"] = [*others, {"locked": True, "name": field}] if is_locked else others


def _set_tags(
    world: World, section: Section, item: Item, kind: str, added: list[str], removed: list[str]
) -> None:
    tree = item.own()
    before = [] if added and world.tag_mode == "replace" else item.tags(kind)
    names = [name for name in dict.fromkeys([*before, *added]) if name not in removed]
    tree[kind] = [world.tag(kind, name) for name in names]
    if kind == "Collection":
        for name in names:
            world.collection(section, name)


def keys_in(uri: str) -> list[str]:
    """Rating keys of `server://…/library/metadata/1,2`."""
    return [key for key in uri.rpartition("/")[2].split(",") if key]


def put_in_collection(world: World, section: Section, collection: Item, keys: list[str]) -> None:
    for key in keys:
        item = section.items.get(key)
        if item is not None and collection.title not in item.tags("Collection"):
            tree = item.own()
            entry = world.tag("Collection", collection.title)
            tree["Collection"] = [*tree.get("Collection", []), entry]
    collection.updated_at = max(int(time.time()), collection.updated_at + 1)
    section.change()


def take_from_collection(world: World, section: Section, collection: Item, key: str) -> bool:
    item = section.items.get(key)
    if item is None or collection.title not in item.tags("Collection"):
        return False
    tree = item.own()
    tree["Collection"] = [e for e in tree["Collection"] if e["tag"] != collection.title]
    section.change()
    world.drop_empty_collections(section)
    return True
