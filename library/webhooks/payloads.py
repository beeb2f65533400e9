"""What Plex, Sonarr and Radarr send, cut down to what is used of it. Pure functions.

Nothing of it is trusted: a body may hold anything. What is kept are short texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_PATHS: Final = 50
# Events of Sonarr and Radarr after which files are elsewhere than before.
FILE_EVENTS: Final = frozenset(
    {
        "Download",
        "Rename",
        "MovieDelete",
        "MovieFileDelete",
        "SeriesDelete",
        "EpisodeFileDelete",
    }
)


class PayloadProblem(ValueError):
    """The body is not what this program sends."""


@dataclass(frozen=True, slots=True)
class HookCall:
    """`event` is the program's own word; `facts` go into the row as they are."""

    event: str
    facts: dict[str, Any]


def read_call(kind: str, body: object) -> HookCall:
    """Raises PayloadProblem."""
    if not isinstance(body, dict):
        raise PayloadProblem("The body is no JSON object.")
    event = body.get("event" if kind == "plex" else "eventType")
    if not isinstance(event, str) or not event.strip():
        raise PayloadProblem("The body names no event.")
    facts = _plex_facts(body) if kind == "plex" else _arr_facts(body)
    return HookCall(_text(event, 60), facts)


def _plex_facts(body: dict[str, Any]) -> dict[str, Any]:
    server, item = _object(body, "Server"), _object(body, "Metadata")
    return {
        "server_uuid": _text(server.get("uuid"), 80),
        "section_key": _text(item.get("librarySectionID"), 20),
        "type": _text(item.get("type"), 20),
        "rating_key": _text(item.get("ratingKey"), 20),
        "title": _text(item.get("grandparentTitle") or item.get("title"), 200),
    }


def _arr_facts(body: dict[str, Any]) -> dict[str, Any]:
    film, series = _object(body, "movie"), _object(body, "series")
    file = _object(body, "movieFile") or _object(body, "episodeFile")
    paths = [
        film.get("folderPath"),
        series.get("path"),
        file.get("path"),
        *(_object({"": row}, "").get("path") for row in _list(body, "episodeFiles")),
    ]
    texts = dict.fromkeys(_text(path, 4096) for path in paths if path)
    return {
        "instance": _text(body.get("instanceName"), 60),
        "title": _text(film.get("title") or series.get("title"), 200),
        "paths": list(texts)[:MAX_PATHS],
    }


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _list(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name)
    return found[:MAX_PATHS] if isinstance(found, list) else []


def _text(value: object, length: int) -> str:
    """Numbers as texts, everything else that is no text as ""."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value).replace("\0", "")[:length]
