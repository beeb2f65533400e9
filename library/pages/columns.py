"""Columns of the file list: what a person may choose; the title is always there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mediaflow.accounts.models import User


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    label: str
    css: str
    sort: str = ""  # name of the offered sort; "" cannot be sorted by
    is_number: bool = False
    is_default: bool = False


COLUMNS: Final = (
    Column("quality", "Quality", "c-q", is_default=True),
    Column("bitrate", "Mb/s", "c-br", sort="bitrate", is_number=True, is_default=True),
    Column("size", "Size", "c-size", sort="size", is_number=True, is_default=True),
    Column("save", "Would save", "c-save", is_default=True),
    Column("duration", "Length", "c-len", sort="duration", is_number=True),
    Column("year", "Year", "c-year", sort="year", is_number=True),
    Column("added", "Added", "c-added", sort="added", is_number=True),
    Column("container", "Container", "c-cont"),
    Column("sound", "Sound", "c-sound"),
    Column("subtitles", "Subtitles", "c-subs"),
    Column("library", "Library", "c-lib"),
    Column("plays", "Plays", "c-year", is_number=True),
    Column("state", "State", "c-state", is_default=True),
)
COLUMN_NAMES: Final = frozenset(column.name for column in COLUMNS)


def chosen_columns(user: User) -> list[Column]:
    """In the fixed order. Nothing stored, or nothing known in it, means the default."""
    stored: Any = user.library_columns
    names = set(stored) if isinstance(stored, list) else set()
    if not names & COLUMN_NAMES:
        return [column for column in COLUMNS if column.is_default]
    return [column for column in COLUMNS if column.name in names]


def choose_columns(user: User, names: Iterable[str]) -> None:
    """Store a choice; unknown names are dropped, none at all is the default again."""
    wanted = set(names)
    user.library_columns = [column.name for column in COLUMNS if column.name in wanted]
    user.save(update_fields=["library_columns"])
