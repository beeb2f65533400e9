"""Statements of many rows: each row once, whatever their number, and nothing else is touched."""

from __future__ import annotations

import pytest

from library.models import Tag
from library.plex import bulk_sql
from library.plex.bulk_sql import update_rows, upsert_rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 10, 11])
def test_every_row_is_written_by_statements_of_a_few(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_sql, "_PARAMETERS", 7)  # three rows of two columns
    rows = [(f"tag {number}", "red") for number in range(count)]
    upsert_rows(Tag, ["name", "color"], rows, unique=("name",))
    assert list(Tag.objects.order_by("pk").values_list("name", "color")) == rows


def test_a_row_that_is_there_is_changed_in_the_named_columns_only() -> None:
    Tag.objects.create(name="old", color="red")
    upsert_rows(Tag, ["name", "color"], [("old", "blue"), ("new", "blue")], unique=("name",))
    assert dict(Tag.objects.values_list("name", "color")) == {"old": "blue", "new": "blue"}
    upsert_rows(Tag, ["name", "color"], [("old", "green")], unique=("name",), update=("name",))
    assert Tag.objects.get(name="old").color == "blue"


def test_of_two_rows_of_one_key_the_last_counts() -> None:
    """PostgreSQL refuses to change a row twice in one statement."""
    rows = [("same", "red"), ("other", "red"), ("same", "green")]
    upsert_rows(Tag, ["name", "color"], rows, unique=("name",))
    assert dict(Tag.objects.values_list("name", "color")) == {"same": "green", "other": "red"}


def test_rows_are_updated_by_key() -> None:
    one, two = (Tag.objects.create(name=name, color="red") for name in ("one", "two"))
    update_rows(Tag, ["color"], [("blue", one.pk)])
    update_rows(Tag, ["color"], [])
    assert dict(Tag.objects.values_list("pk", "color")) == {one.pk: "blue", two.pk: "red"}
