"""Row numbers as texts: from addresses, forms, cursors and command lines."""

from __future__ import annotations

from typing import Final

# Every number of so many digits fits into a column of any database.
_MAX_DIGITS: Final = 18


def read_id(text: str) -> int | None:
    """None for anything that is no row number. No row has the number 0."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_number else None
