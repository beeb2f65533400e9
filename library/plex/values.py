"""Plex's values as they should be: numbers come as text, flags as 1, "1" or true."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

_YES: Final = frozenset((True, "1", "true", "True"))
_LARGEST: Final = 2**63 - 1
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


def text(value: object) -> str:
    """ "" for None; lists and objects are no text."""
    if isinstance(value, str):
        found = value
    elif value is None or isinstance(value, (list, dict)):
        return ""
    else:
        found = str(value)
    if found.isascii():
        return found.replace("\0", "")
    # No database takes a NUL, and PostgreSQL no half of a surrogate pair.
    return found.replace("\0", "").encode("utf-8", "replace").decode()


def number(value: object) -> int | None:
    """A whole number that a column can hold, or None."""
    if isinstance(value, str):
        value = real(value) if "." in value else _whole(value)
    if isinstance(value, float):
        value = int(value) if abs(value) <= _LARGEST else None
    if not isinstance(value, int):
        return None
    return int(value) if -_LARGEST <= value <= _LARGEST else None


def _whole(value: str) -> int | None:
    try:
        return int(value) if len(value) < 20 else None
    except ValueError:
        return None


def real(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]  # what cannot be a number raises
    except (TypeError, ValueError):
        return None
    return found if found == found else None


def flag(value: object) -> bool:
    return isinstance(value, (bool, int, str)) and value in _YES


def moment(value: object) -> datetime | None:
    """Seconds since 1970; None for 0, nonsense and what no date can be."""
    seconds = number(value)
    if not seconds or not 0 < seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC)


def container_of(body: bytes) -> dict[str, Any] | None:
    """The MediaContainer of an answer; None where it has none."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    container = found.get("MediaContainer") if isinstance(found, dict) else None
    return container if isinstance(container, dict) else None


def entries(tree: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list, whatever else is in it; [] when it is missing."""
    found = tree.get(name) if isinstance(tree, dict) else None
    if isinstance(found, dict):
        found = [found]
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
