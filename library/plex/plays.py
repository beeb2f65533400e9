"""How often the owner watched a film: kept on the file, because lists sort and filter by it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from library.models import MediaFile, PlexPart
from library.plex.bulk_sql import update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_CHUNK: Final = 500
_COLUMNS: Final = ("is_in_plex", "play_count", "last_played_at")


def refresh_plays(file_ids: Iterable[int]) -> int:
    """Bring the Plex columns of these files up to date; returns how many changed.

    The sum and the last of all films that a file belongs to, a film of several sections or servers
    once; nothing else of a file is written, for it may be in the hands of a job.
    """
    ids = sorted(set(file_ids))
    return sum(_refresh(ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK))


def _refresh(ids: list[int]) -> int:
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    last: dict[int, datetime] = {}
    parts = PlexPart.objects.filter(file_id__in=ids, plex_item__missing_since=None)
    names = (
        "file_id", "plex_item_id", "plex_item__guid", "plex_item__view_count",
        "plex_item__last_viewed_at",
    )  # fmt: skip
    for file_id, item, guid, count, viewed_at in parts.values_list(*names):
        assert file_id is not None
        film = guid or f"item {item}"
        counts[file_id][film] = max(count, counts[file_id].get(film, 0))
        if viewed_at and (file_id not in last or viewed_at > last[file_id]):
            last[file_id] = viewed_at
    rows = MediaFile.objects.filter(pk__in=ids).values_list("pk", *_COLUMNS)
    total = {file_id: sum(films.values()) for file_id, films in counts.items()}
    changed = [
        (*wanted, pk)
        for pk, *before in rows
        if (wanted := (pk in total, total.get(pk, 0), last.get(pk))) != tuple(before)
    ]
    update_rows(MediaFile, _COLUMNS, changed)
    return len(changed)
