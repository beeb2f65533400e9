"""`/library/sections/N/all`: filters, order, pages, and the Meta block that says what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.plex_stand_in.render import container, listed
from tests.plex_stand_in.trees import SECTION_OF_TYPE, TYPE_OF_NUMBER, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.plex_stand_in.world import Item, Section, World

Params = list[tuple[str, str]]
_CONTROL = frozenset(
    [
        "type",
        "sort",
        "includeGuids",
        "includeMeta",
        "includeAdvanced",
        "includeCollections",
        "includeExternalMedia",
        "excludeElements",
        "excludeFields",
        "checkFiles",
        "limit",
        "skipRefresh",
        "includeDetails",
    ]
)
_TAGS = {"genre": "Genre", "label": "Label", "collection": "Collection", "country": "Country"}
_OPERATORS = (">>", "<<", ">", "<", "!")


@dataclass(frozen=True, slots=True)
class Page:
    start: int
    size: int | None  # None: not paged
    is_paged: bool


def page_of(params: Params, headers: Mapping[str, str]) -> Page:
    """Headers or parameters; a Size without a Start among the parameters does nothing."""
    given = dict(params)
    if "X-Plex-Container-Size" in headers:
        start = headers.get("X-Plex-Container-Start", "0")
        return Page(int(start), int(headers["X-Plex-Container-Size"]), True)
    if "X-Plex-Container-Size" in given and "X-Plex-Container-Start" in given:
        start, size = given["X-Plex-Container-Start"], given["X-Plex-Container-Size"]
        return Page(int(start), int(size), True)
    return Page(0, None, False)


def list_section(world: World, section: Section, params: Params, page: Page) -> Tree:
    given = dict(params)
    kind = TYPE_OF_NUMBER.get(int(given.get("type", SECTION_OF_TYPE[section.type])), section.type)
    chosen = [item for item in section.items.values() if item.type == kind]
    for name, value in params:
        chosen = _filtered(world, section, chosen, name, value)
    _sort(chosen, given.get("sort", "titleSort"))
    excluded = _names(given, "excludeElements") | _names(given, "excludeFields")
    start = max(0, page.start - (section.overlap if page.start else 0))
    end = None if page.size is None else page.start + page.size
    shown = [
        _without(
            listed(world, section, item, with_guids=given.get("includeGuids") == "1"), excluded
        )
        for item in chosen[start:end]
    ]
    values: Tree = {"size": len(shown)}
    if page.is_paged:
        values |= {"totalSize": len(chosen), "offset": page.start}
    values |= {
        "librarySectionID": int(section.key),
        "librarySectionTitle": section.title,
        "librarySectionUUID": section.uuid,
        "title1": section.title,
        "viewGroup": kind,
    }
    entries: Tree = {"Metadata": shown}
    if given.get("includeMeta") == "1":
        entries = {"Meta": meta(section), **entries}
    return container(entries, **values)


def _names(given: dict[str, str], key: str) -> set[str]:
    return {name for name in given.get(key, "").split(",") if name}


def _without(tree: Tree, excluded: set[str]) -> Tree:
    return {k: v for k, v in tree.items() if k not in excluded} if excluded else tree


def _sort(items: list[Item], order: str) -> None:
    name, _, direction = order.partition(":")
    keys: dict[str, Any] = {
        "addedAt": lambda item: item.added_at,
        "updatedAt": lambda item: item.updated_at,
        "year": lambda item: item.tree.get("year", 0),
    }
    key = keys.get(name.rpartition(".")[2])
    if key is None:
        key = lambda item: str(item.tree.get("titleSort", item.title)).casefold()  # noqa: E731
    items.sort(key=key, reverse=direction == "desc")


def _filtered(
    world: World, section: Section, items: Sequence[Item], name: str, value: str
) -> list[Item]:
    field = name
    operator = next((op for op in _OPERATORS if name.endswith(op)), "")
    field = field.removesuffix(operator).rpartition(".")[2]
    if field in _CONTROL or field.startswith("X-Plex-"):
        return list(items)
    if field == "updatedAt" and not world.knows_updated_at:
        return list(items)
    return [item for item in items if _matches(world, section, item, field, operator, value)]


def _matches(
    world: World, section: Section, item: Item, field: str, operator: str, value: str
) -> bool:
    if field in ("addedAt", "updatedAt", "lastViewedAt", "year"):
        return _compares(_number(world, item, field), operator, int(value.lstrip("=") or 0))
    tree = item.tree
    if field in _TAGS:
        wanted = set(value.split(","))
        own = tree.get(_TAGS[field], [])
        has = any(str(tag["id"]) in wanted or tag["tag"] in wanted for tag in own)
        return has != (operator == "!")
    if field == "guid":
        return item.guid == value.lstrip("=")
    if field == "title":
        if value.startswith("="):
            return item.title.casefold() == value[1:].casefold()
        return value.casefold() in item.title.casefold()
    return _has_trait(world, item, field, value)


def _has_trait(world: World, item: Item, field: str, value: str) -> bool:
    media = item.tree.get("Media", [])
    streams = [s for m in media for part in m["Part"] for s in part.get("Stream", [])]
    traits = {
        "hdr": any(s.get("colorTrc") or s.get("DOVIPresent") for s in streams),
        "dovi": any(s.get("DOVIPresent") for s in streams),
        "duplicate": len(media) > 1,
        "trash": bool(item.deleted_at),
        "unwatched": item.guid not in world.views,
    }
    if field in traits:
        return traits[field] == (value == "1")
    if field == "resolution":
        return any(m.get("videoResolution") == value for m in media)
    return str(item.tree.get(field, "")).casefold() == value.casefold()


def _number(world: World, item: Item, field: str) -> int:
    if field == "lastViewedAt":
        return world.views.get(item.guid, (0, 0))[1]
    if field == "year":
        return int(item.tree.get("year", 0))
    return item.added_at if field == "addedAt" else item.updated_at


def _compares(number: int, operator: str, limit: int) -> bool:
    if operator in (">>", ">"):
        return number > limit if operator == ">" else number >= limit
    if operator in ("<<", "<"):
        return number < limit if operator == "<" else number <= limit
    return (number == limit) != (operator == "!")


def choices(world: World, section: Section, field: str) -> Tree:
    """`/library/sections/N/genre` and the like: what there is to filter by."""
    found: dict[str, str] = {}
    for item in section.items.values():
        if field in _TAGS:
            found |= {str(tag["id"]): tag["tag"] for tag in item.tree.get(_TAGS[field], [])}
        elif field == "resolution":
            values = (m.get("videoResolution") for m in item.tree.get("Media", []))
            found |= {str(value): str(value) for value in values if value}
        elif (value := item.tree.get(field)) is not None:
            found[str(value)] = str(value)
    entries = [
        {
            "key": key,
            "title": title,
            "fastKey": f"/library/sections/{section.key}/all?{field}={key}",
        }
        for key, title in sorted(found.items(), key=lambda pair: pair[1])
    ]
    return container({"Directory": entries}, size=len(entries), title1=section.title)


def meta(section: Section) -> Tree:
    kinds = ["movie"] if section.type == "movie" else ["show", "season", "episode"]
    return {
        "Type": [
            _type(section, kind, is_active=kind == kinds[0]) for kind in [*kinds, "collection"]
        ],
        "FieldType": [
            {"type": name, "Operator": [{"key": key, "title": title} for key, title in operators]}
            for name, operators in _FIELD_TYPES.items()
        ],
    }


def _type(section: Section, kind: str, *, is_active: bool) -> Tree:
    base = f"/library/sections/{section.key}"
    scope = "" if kind == section.type else f"{kind}."
    return {
        "key": f"{base}/all?type={SECTION_OF_TYPE[kind]}",
        "type": kind,
        "title": f"{kind.title()}s",
        "active": is_active,
        "Filter": [
            {"filter": name, "filterType": kind_of, "key": f"{base}/{name}", "title": name.title(),
             "type": "filter"}
            for name, kind_of in _FILTERS.items()
        ],
        "Sort": [
            {"default": "asc", "defaultDirection": "asc", "descKey": f"{name}:desc", "key": name,
             "title": name}
            for name in ("titleSort", "addedAt", "year", "mediaBitrate", "mediaSize")
        ],
        "Field": [
            {"key": f"{scope}{name}", "title": name, "type": kind_of}
            for name, kind_of in _FIELDS.items()
        ],
    }  # fmt: skip


_FILTERS = {
    "genre": "string", "year": "integer", "label": "string", "collection": "string",
    "resolution": "string", "hdr": "boolean", "unwatched": "boolean", "duplicate": "boolean",
}  # fmt: skip
_FIELDS = {
    "title": "string", "year": "integer", "genre": "tag", "label": "tag", "collection": "tag",
    "resolution": "resolution", "hdr": "boolean", "unwatched": "boolean", "duplicate": "boolean",
    "addedAt": "date", "lastViewedAt": "date", "trash": "boolean",
}  # fmt: skip
_FIELD_TYPES: dict[str, list[tuple[str, str]]] = {
    "tag": [("=", "is"), ("!=", "is not")],
    "integer": [("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")],
    "string": [("=", "contains"), ("!=", "does not contain"), ("==", "is"), ("!==", "is not")],
    "boolean": [("=0", "is false"), ("=1", "is true")],
    "date": [("<<=", "is before"), (">>=", "is after")],
    "resolution": [("=", "is")],
}
