"""A film's folder that is gone while its library is there: renamed or removed by somebody.

Waiting for a mount would never end then, so a person is told what lies where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.folding import display_path
from mediaflow.base.fs import fs, parent_of
from transcode.models import JournalState
from transcode.replacing.picture import Holds, Identity, Unfit, names_of

if TYPE_CHECKING:
    from transcode.models import Replacement

# From here an empty folder is enough for the way back.
_GOES_BACK: Final = frozenset({JournalState.SWAPPING, JournalState.UNDOING})


def is_folder_gone(folder: bytes) -> bool:
    """Raises OSError when it cannot be told."""
    try:
        fs.stat_folder(folder)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return False


def check_film_folder(row: Replacement) -> None:
    """After `check_library`. Raises Unfit, which says what is where and what to do."""
    names = names_of(row)
    folder = parent_of(names.original)
    if not is_folder_gone(folder):
        return
    is_in_trash = Identity(row, trust_inodes=False).look(names.trash).holds == Holds.ORIGINAL
    place = names.trash if is_in_trash and names.trash else names.original
    verb = "is kept at" if is_in_trash else "was"
    advice = "Give the folder its old name back"
    if is_in_trash and row.state in _GOES_BACK:
        advice += ", or make an empty folder of that name: the original returns to it"
    raise Unfit(
        f"its folder {display_path(folder)} is not there, though the library is (was it renamed?)."
        f" The original {verb} {display_path(place)}, the new film was to be"
        f" {display_path(names.final)}. {advice}"
    )
