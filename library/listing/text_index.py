"""Finds files by the beginnings of words without reading all texts: one small door, two databases.

SQLite has a full-text table kept by triggers, PostgreSQL an index; both are made after `migrate`
(`library.apps`), because a migration that rebuilds the table drops its triggers. What it returns
is checked again by the caller's condition, so too much does no harm.
Scripts without spaces are only found at the beginning of a run; `library.listing.streams.scan_text`
looks inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import BigIntegerField
from django.db.models.expressions import RawSQL

if TYPE_CHECKING:
    from collections.abc import Sequence

FTS_TABLE: Final = "library_filetext"
_SQLITE_TABLE: Final = (
    f"CREATE VIRTUAL TABLE {FTS_TABLE} USING fts5(search_text, content='library_mediafile',"
    " content_rowid='id', tokenize='unicode61', prefix='2 3', detail='none')"
)
_INSERT: Final = f"INSERT INTO {FTS_TABLE}(rowid, search_text) VALUES (new.id, new.search_text)"
_DELETE: Final = (
    f"INSERT INTO {FTS_TABLE}({FTS_TABLE}, rowid, search_text)"
    " VALUES ('delete', old.id, old.search_text)"
)
_SQLITE_TRIGGERS: Final = {
    "library_filetext_insert": f"AFTER INSERT ON library_mediafile BEGIN {_INSERT}; END",
    "library_filetext_delete": f"AFTER DELETE ON library_mediafile BEGIN {_DELETE}; END",
    "library_filetext_update": (
        "AFTER UPDATE OF search_text ON library_mediafile"
        f" WHEN old.search_text IS NOT new.search_text BEGIN {_DELETE}; {_INSERT}; END"
    ),
}
_POSTGRESQL_INDEX: Final = (
    "CREATE INDEX IF NOT EXISTS library_filetext ON library_mediafile"
    " USING gin (to_tsvector('simple', search_text))"
)


def ensure_text_index(**_signal: Any) -> None:
    """Make what is missing. Rebuilds the SQLite table when its triggers were gone meanwhile."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_POSTGRESQL_INDEX)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE %s", ["library_filetext%"])
        present = {row[0] for row in cursor.fetchall()}
        if FTS_TABLE not in present:
            cursor.execute(_SQLITE_TABLE)
        missing = [name for name in _SQLITE_TRIGGERS if name not in present]
        for name in missing:
            cursor.execute(f"CREATE TRIGGER {name} {_SQLITE_TRIGGERS[name]}")
        if missing:
            cursor.execute(f"INSERT INTO {FTS_TABLE}({FTS_TABLE}) VALUES ('rebuild')")


def ids_with_words(terms: Sequence[str], limit: int) -> list[int]:
    """Up to `limit` ids of files with a word beginning with each of the terms."""
    if not is_asked_by_words(terms):
        return []
    statement, asked = _question(terms)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT %s", [asked, limit])
        return [row[0] for row in cursor.fetchall()]


def is_asked_by_words(terms: Sequence[str]) -> bool:
    return all(term.isalnum() for term in terms)


def files_with_words(terms: Sequence[str]) -> RawSQL:
    """All of them, as a part of another statement."""
    statement, asked = _question(terms)
    if connection.vendor == "postgresql":
        # Else it may read the words of each film anew instead of asking the index once.
        statement = f"WITH found AS MATERIALIZED ({statement}) SELECT id FROM found"
    return RawSQL(statement, [asked], output_field=BigIntegerField())


def _question(terms: Sequence[str]) -> tuple[str, str]:
    """The statement for the ids, and its parameter."""
    if connection.vendor == "postgresql":
        return (
            "SELECT id FROM library_mediafile"
            " WHERE to_tsvector('simple', search_text) @@ to_tsquery('simple', %s)",
            " & ".join(f"{term}:*" for term in terms),
        )
    return (
        f"SELECT rowid FROM {FTS_TABLE} WHERE {FTS_TABLE} MATCH %s",
        " AND ".join(f'"{term}"*' for term in terms),
    )
