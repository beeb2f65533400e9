"""What Plex knows of a film, as values that can be put back on an item that was made anew.

Tags that a person sets (labels, collections) are always put back, what was edited only where it was
locked: everything else Plex finds out by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from library.plex.item_values import tag_params
from library.plex.values import entries, number, real, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from library.models import PlexItem
    from transcode.after_swap.plex_calls import Film

# Where a snapshot comes from: the server itself, else our rows, which hold less.
FROM_PLEX: Final = "plex"
# Plex's name of a field -> what people call it.
FIELDS: Final = {
    "title": "title",
    "titleSort": "sort title",
    "originalTitle": "original title",
    "editionTitle": "edition",
    "year": "year",
    "contentRating": "content rating",
    "studio": "studio",
    "tagline": "tagline",
    "summary": "summary",
    "originallyAvailableAt": "date of release",
    "userRating": "rating",
}
# Plex's name in edits -> in answers.
TAGS: Final = {
    "genre": "Genre",
    "director": "Director",
    "writer": "Writer",
    "producer": "Producer",
    "country": "Country",
    "mood": "Mood",
    "style": "Style",
}
PICTURES: Final = {"thumb": "poster", "art": "background", "clearLogo": "logo"}


def from_film(film: Film) -> dict[str, Any]:
    """Of a whole item as the server gave it."""
    facts, tree = film.facts, film.tree
    locked = list(facts.locked_fields)
    return {
        "source": FROM_PLEX,
        "type": facts.type,
        "title": facts.title,
        "labels": list(facts.labels),
        "collections": list(facts.collections),
        "locked": locked,
        "fields": {name: text(tree.get(name)) for name in FIELDS},
        "tags": {name: _tags(tree, key) for name, key in TAGS.items()},
        "user_rating": real(tree.get("userRating")),
        "view_count": facts.view_count,
        "last_viewed_at": _iso(facts.last_viewed_at),
        "view_offset_ms": number(tree.get("viewOffset")) or 0,
        "added_at": _epoch(facts.added_at),
    }


def from_row(item: PlexItem) -> dict[str, Any]:
    """Of the row that the last sync wrote, for a server that does not answer now."""
    locked = [name for name in item.locked_fields if isinstance(name, str)]
    known = {
        "title": item.title,
        "titleSort": item.sort_title,
        "editionTitle": item.edition,
        "year": str(item.year or ""),
        "contentRating": item.content_rating,
    }
    return {
        "source": "rows",
        "type": item.type,
        "title": item.title,
        "labels": list(item.labels),
        "collections": list(item.collections),
        "locked": locked,
        "fields": known,
        "tags": {"genre": list(item.genres)},
        "user_rating": None,
        "view_count": item.view_count,
        "last_viewed_at": _iso(item.last_viewed_at),
        "view_offset_ms": 0,
        "added_at": _epoch(item.added_at),
    }


def edits_for(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the one edit that makes `now` (a snapshot, too) what it was. {}: nothing.

    Tags are written as the full set, so that a server that replaces and one that adds do the same.
    """
    values: dict[str, Any] = {}
    for name, key in (("label", "labels"), ("collection", "collections")):
        if set(before.get(key, [])) - set(now.get(key, [])):
            full = dict.fromkeys([*now.get(key, []), *before[key]])
            values |= tag_params(name, [], list(full))
            values[f"{name}.locked"] = int(name in before.get("locked", []))
    for name, wanted in _locked_of(before, "tags"):
        current = now.get("tags", {}).get(name, [])
        if set(current) != set(wanted) or name not in now.get("locked", []):
            values |= {**tag_params(name, current, wanted), f"{name}.locked": 1}
    for name, value in _locked_of(before, "fields"):
        if now.get("fields", {}).get(name) != value or name not in now.get("locked", []):
            values |= {f"{name}.value": value, f"{name}.locked": 1}
    if before.get("user_rating") and not now.get("user_rating"):
        values["userRating.value"] = before["user_rating"]
    if before.get("added_at") and before["added_at"] != now.get("added_at"):
        is_locked = "addedAt" in before.get("locked", [])
        values |= {"addedAt.value": before["added_at"], "addedAt.locked": int(is_locked)}
    return values


def _locked_of(before: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    """What a person edited: Plex locks it then."""
    locked = before.get("locked", [])
    return [(name, value) for name, value in before.get(kind, {}).items() if name in locked]


def compared(
    before: Mapping[str, Any], first: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """What was put back and what could not be kept, in words.

    `first`: what the item made anew had before anything was put back.
    """
    kept: list[str] = []
    lost: list[str] = []
    for key, word in (("labels", "label"), ("collections", "collection")):
        for tag in before.get(key, []):
            if tag not in now.get(key, []):
                lost.append(f"The {word} {tag}")
            elif tag not in first.get(key, []):
                kept.append(f"The {word} {tag}")
    for name, tags in _locked_of(before, "tags"):
        is_there = set(now.get("tags", {}).get(name, [])) == set(tags)
        (kept if is_there else lost).append(f"The edited {name} tags")
    for name, value in _locked_of(before, "fields"):
        is_there = now.get("fields", {}).get(name) == value
        (kept if is_there else lost).append(f"The edited {FIELDS.get(name, name)}")
    _compare_rest(before, first, now, kept, lost)
    return kept, lost


def _compare_rest(
    before: Mapping[str, Any],
    first: Mapping[str, Any],
    now: Mapping[str, Any],
    kept: list[str],
    lost: list[str],
) -> None:
    if before.get("added_at") and before["added_at"] != first.get("added_at"):
        is_there = before["added_at"] == now.get("added_at")
        (kept if is_there else lost).append("The date on which it was added")
    if before.get("user_rating") and not first.get("user_rating"):
        is_there = before["user_rating"] == now.get("user_rating")
        (kept if is_there else lost).append("Your rating")
    plays, plays_now = before.get("view_count", 0), now.get("view_count", 0)
    if plays and not first.get("view_count") and plays_now:
        kept.append("That it was watched")
    if plays != plays_now and plays:
        lost.append(f"The number of plays: {plays} before, {plays_now} now")
    if before.get("last_viewed_at") and now.get("last_viewed_at") != before["last_viewed_at"]:
        lost.append(f"When it was watched last: {before['last_viewed_at'][:10]}")
    if before.get("view_offset_ms") and not now.get("view_offset_ms"):
        seconds = before["view_offset_ms"] // 1000
        where = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        lost.append(f"Where watching stopped: at {where}")
    missing = [name for name in before.get("locked", []) if name not in now.get("locked", [])]
    lost += [
        f"The {PICTURES[name]} that was chosen by hand" for name in missing if name in PICTURES
    ]
    if before.get("source") == "rows":
        lost.append(
            "Whatever was edited since the last sync: Plex did not answer before the film was"
            " replaced"
        )


def _tags(tree: Mapping[str, Any], name: str) -> list[str]:
    return [text(one.get("tag")) for one in entries(tree, name) if one.get("tag")]


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _epoch(at: datetime | None) -> int:
    return int(at.timestamp()) if at else 0
