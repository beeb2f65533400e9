"""What a Plex server says, as plain values: read by `reading`, used by the sync and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from library.media_info import MediaInfo

MOVIE, EPISODE = 1, 4  # numbers of Plex's types
TYPE_OF_SECTION = {"movie": MOVIE, "show": EPISODE}


def number_of(kind: str) -> int:
    """Of a film or an episode, by the name of its type."""
    return EPISODE if kind == "episode" else MOVIE


@dataclass(frozen=True, slots=True)
class SectionFacts:
    """One library of the server."""

    key: str
    uuid: str
    title: str
    type: str  # movie, show, artist, photo
    locations: tuple[str, ...]
    content_changed_at: int
    scanned_at: int
    is_refreshing: bool


@dataclass(frozen=True, slots=True)
class PartFacts:
    """One file. `index` is 0 for the only one of its version, else 1, 2, …"""

    media_id: str
    part_id: str
    index: int
    path: str
    size_bytes: int
    changestamp: str  # the file's time of change, as the server last saw it
    container: str
    info: MediaInfo | None = None  # None: not read (lists), or not analysed
    is_there: bool | None = None  # None: not checked, which is no "no"


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A film or an episode. In lists tags are cut short: only those of `is_whole` items count."""

    rating_key: str
    guid: str
    type: str  # movie, episode
    title: str
    sort_title: str
    edition: str
    year: int | None
    show_title: str
    show_rating_key: str
    season: int | None
    episode: int | None
    content_rating: str
    external_ids: tuple[str, ...]
    genres: tuple[str, ...]
    labels: tuple[str, ...]
    collections: tuple[str, ...]
    locked_fields: tuple[str, ...]
    view_count: int
    last_viewed_at: datetime | None
    added_at: datetime | None
    updated_at: datetime | None
    parts: tuple[PartFacts, ...]
    is_analyzed: bool
    digest: str  # of all that a list shows of it but the plays
    is_whole: bool
    section_key: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `returned` counts also what is no film and was left out."""

    items: tuple[ItemFacts, ...]
    returned: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody is watching."""

    rating_key: str
    title: str
    user: str
    player: str
    state: str  # playing, paused, buffering
