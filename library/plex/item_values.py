"""What of an item can be changed: its values, a change in words of a form, and Plex's parameters.

Pure. Tags are always written as the full set with what goes named, because servers differ: some
add what a PUT names to the tags there, some put it in their place. Both ends are the same then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from library.models import PlexItem
    from library.plex.facts import ItemFacts

TAGS: Final = ("genres", "labels", "collections")
FIELDS: Final = ("title", "sort_title", "year", "content_rating", *TAGS)
PLEX_NAMES: Final = {
    "title": "title", "sort_title": "titleSort", "year": "year", "content_rating": "contentRating",
    "genres": "genre", "labels": "label", "collections": "collection",
}  # fmt: skip
WORDS: Final = {
    "title": "Title", "sort_title": "Sort title", "year": "Year",
    "content_rating": "Content rating", "genres": "Genres", "labels": "Labels",
    "collections": "Collections", "locked": "Locks",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemValues:
    """Of one item, as it is or as it shall be. `locked`: our names of the locked fields."""

    title: str = ""
    sort_title: str = ""
    year: int | None = None
    content_rating: str = ""
    genres: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ItemValues:
        known: dict[str, Any] = {n: raw[n] for n in (*FIELDS, "locked") if n in raw}
        for name in (*TAGS, "locked"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


def values_of(item: ItemFacts | PlexItem) -> ItemValues:
    """Only of a whole item: lists cut tags short."""
    by_plex = {plex: ours for ours, plex in PLEX_NAMES.items()}
    locked = tuple(by_plex[name] for name in item.locked_fields if name in by_plex)
    return ItemValues(
        title=item.title,
        sort_title=item.sort_title,
        year=item.year,
        content_rating=item.content_rating,
        genres=tuple(item.genres),
        labels=tuple(item.labels),
        collections=tuple(item.collections),
        locked=tuple(sorted(locked)),
    )


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What a person asks for, the same for every item. In `title` and `sort_title` stand {title}
    and {year} for the item's own."""

    title: str = ""
    sort_title: str = ""
    year: int | None = None
    content_rating: str = ""
    add: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # field -> tags
    remove: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # What becomes of the locks of changed fields: "lock", "unlock" or "" (as they are).
    locks: str = "lock"
    lock_fields: tuple[str, ...] = ()
    unlock_fields: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        given = (self.title, self.sort_title, self.content_rating, self.year)
        tags = (*self.add.values(), *self.remove.values())
        return not (any(given) or any(tags) or self.lock_fields or self.unlock_fields)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ItemChange:
        return cls(
            title=raw.get("title", ""),
            sort_title=raw.get("sort_title", ""),
            year=raw.get("year"),
            content_rating=raw.get("content_rating", ""),
            add={name: tuple(tags) for name, tags in raw.get("add", {}).items()},
            remove={name: tuple(tags) for name, tags in raw.get("remove", {}).items()},
            locks=raw.get("locks", "lock"),
            lock_fields=tuple(raw.get("lock_fields", ())),
            unlock_fields=tuple(raw.get("unlock_fields", ())),
        )


def changed(before: ItemValues, change: ItemChange) -> ItemValues:
    """The item as it shall be. Tags that are not named stay; their order too."""
    texts = {
        name: _filled(wanted, before)
        for name in ("title", "sort_title")
        if (wanted := getattr(change, name))
    }
    if change.content_rating:
        texts["content_rating"] = change.content_rating
    tags = {
        name: _with_tags(
            getattr(before, name), change.add.get(name, ()), change.remove.get(name, ())
        )
        for name in TAGS
    }
    year = before.year if change.year is None else change.year
    after = replace(before, year=year, **texts, **tags)  # type: ignore[arg-type]  # its own fields
    moved = {name for name in FIELDS if getattr(after, name) != getattr(before, name)}
    locked = set(before.locked) | (moved if change.locks == "lock" else set())
    locked -= moved if change.locks == "unlock" else set()
    locked = (locked | set(change.lock_fields)) - set(change.unlock_fields)
    return replace(after, locked=tuple(sorted(locked)))


def _filled(pattern: str, item: ItemValues) -> str:
    filled = pattern.replace("{title}", item.title).replace("{year}", str(item.year or ""))
    return filled.strip()[:500]


def _with_tags(
    there: tuple[str, ...], added: Iterable[str], removed: Iterable[str]
) -> tuple[str, ...]:
    """Tags are the same in any case, for Plex as for people."""
    gone = {name.casefold() for name in removed}
    kept = [name for name in there if name.casefold() not in gone]
    known = {name.casefold() for name in kept}
    return (*kept, *(n for n in dict.fromkeys(added) if n.casefold() not in known | gone))


def edit_params(before: ItemValues, after: ItemValues) -> dict[str, str]:
    """What a PUT says to get from one to the other; {} where there is nothing to do."""
    params: dict[str, str] = {}
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        is_locked, was_locked = name in after.locked, name in before.locked
        if old == new and is_locked == was_locked:
            continue
        plex = PLEX_NAMES[name]
        if old != new:
            params |= tag_params(plex, old, new) if name in TAGS else {f"{plex}.value": _text(new)}
        params[f"{plex}.locked"] = "1" if is_locked else "0"
    return params


def _text(value: object) -> str:
    return "" if value is None else str(value)


def tag_params(plex: str, old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """The full set, and what goes by name. `plex`: Plex's name of the tags in edits."""
    params = {f"{plex}[{number}].tag.tag": name for number, name in enumerate(new)}
    gone = [name for name in old if name not in new]
    if gone:
        params[f"{plex}[].tag.tag-"] = ",".join(quote(name, safe="") for name in gone)
    return params


def undone(before: ItemValues, after: ItemValues, now: ItemValues) -> tuple[ItemValues, list[str]]:
    """The item with our change taken back, and the fields that others changed meanwhile."""
    values: dict[str, Any] = {}
    others: list[str] = []
    for name in FIELDS:
        old, ours, current = (getattr(v, name) for v in (before, after, now))
        if old == ours:
            continue
        if name in TAGS:
            values[name] = _with_tags(
                current, [t for t in old if t not in ours], [t for t in ours if t not in old]
            )
        elif current == ours:
            values[name] = old
        elif current == old:
            continue  # put back already, before the undoing was stopped
        else:
            others.append(name)
    locked = set(now.locked)
    for name in set(before.locked) ^ set(after.locked):
        if name not in others:
            locked = locked | {name} if name in before.locked else locked - {name}
    return replace(now, **values, locked=tuple(sorted(locked))), others


def differences(wanted: ItemValues, found: ItemValues) -> list[str]:
    """Fields, in words, that are not as they should be. Of tags only which there are counts."""
    names = [
        name
        for name in FIELDS
        if _comparable(getattr(wanted, name)) != _comparable(getattr(found, name))
    ]
    if set(wanted.locked) != set(found.locked):
        names.append("locked")
    return [WORDS[name] for name in names]


def _comparable(value: object) -> object:
    return {str(tag).casefold() for tag in value} if isinstance(value, tuple) else value
