"""Which errors of the database mean "not now"."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from mediaflow.base.db_retry import is_database_away

if TYPE_CHECKING:
    from pathlib import Path


def error_of_lock(path: Path) -> sqlite3.OperationalError:
    with closing(sqlite3.connect(path)) as first, closing(sqlite3.connect(path, timeout=0)) as two:
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked") as caught:
            two.execute("BEGIN IMMEDIATE")
    return caught.value


def test_a_locked_database_is_away(tmp_path: Path) -> None:
    error = OperationalError("database is locked")
    error.__cause__ = error_of_lock(tmp_path / "a.sqlite3")
    assert is_database_away(error)


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (OperationalError("server closed the connection unexpectedly"), True),
        (InterfaceError("connection already closed"), True),
        (IntegrityError("twice"), False),
        (DatabaseError("Save with update_fields did not affect any rows."), False),
        (ZeroDivisionError("bug"), False),
    ],
)
def test_a_lost_connection_is_away_and_a_wrong_value_is_not(
    error: Exception, is_away: bool
) -> None:
    assert is_database_away(error) == is_away


@pytest.mark.parametrize(
    ("sqlstate", "is_away"),
    [("57P01", True), ("53300", True), ("40001", True), ("54001", False), ("57014", False)],
    ids=["shut down", "too many connections", "serialisation", "too complex", "cancelled"],
)
def test_of_postgresql_only_what_passes_counts_as_away(sqlstate: str, is_away: bool) -> None:
    error, cause = OperationalError("no"), Exception("no")
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]  # as psycopg's errors have it
    error.__cause__ = cause
    assert is_database_away(error) == is_away


@pytest.mark.django_db
def test_a_table_that_does_not_exist_is_a_bug() -> None:
    with (
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 1 FROM nowhere")
    assert not is_database_away(caught.value)
