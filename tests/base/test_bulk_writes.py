"""What is set for many writes is as before afterwards, also after a failure."""

from __future__ import annotations

import gc

import pytest
from django.db import connection, transaction

from mediaflow.base.bulk_writes import CACHE, large_writes, pragmas


def _cache_size() -> int | None:
    """Of the connection; None where the database has no such setting."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA cache_size").fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_settings_of_the_process_and_of_the_connection_come_back() -> None:
    before = (_cache_size(), gc.get_threshold())
    with pytest.raises(ZeroDivisionError), large_writes():
        assert _cache_size() in (CACHE, None)
        assert gc.get_threshold() != before[1]
        raise ZeroDivisionError
    assert (_cache_size(), gc.get_threshold()) == before


@pytest.mark.django_db(transaction=True)
def test_nothing_is_set_within_a_transaction() -> None:
    before = _cache_size()
    with transaction.atomic(), pragmas({"cache_size": -1234}):
        assert _cache_size() == before
