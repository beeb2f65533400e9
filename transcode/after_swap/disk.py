"""Nobody is asked to look at a folder whose disk is away: Plex would take its films for deleted,
and Radarr would fetch them again (fault 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transcode.after_swap.outbox import Later
from transcode.trash.purge import is_library_there

if TYPE_CHECKING:
    from transcode.models import Replacement

LOOK_AGAIN_S: Final = 60.0


def is_disk_away(row: Replacement) -> bool:
    """The library's id file cannot be read. Of a library that was removed nobody knows."""
    return row.library is not None and not is_library_there(row)


def later(name: str) -> Later:
    return Later(f"The film's disk is away, so {name} is not asked to look yet.", LOOK_AGAIN_S)
