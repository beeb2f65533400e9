"""Many rows by statements that are prepared once: a sync writes a hundred thousand of each kind.

Django's bulk_create builds the text of every row's statement and asks each field for each value;
that took more time than all reading and parsing together. The statements here are of the kind that
SQLite and PostgreSQL both have. Each inserts several rows: while the database is at work on them,
Python's other threads go on, and the fewer the statements the less often they wait for each other.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import AutoField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from django.db.models import Model

    _Convert = Callable[[Any], Any]

_PARAMETERS: Final = 9_000  # of a statement: SQLite takes 32,766, PostgreSQL 65,535
_TEXTS: Final = frozenset(("CharField", "TextField"))
_AS_THEY_ARE: Final = frozenset(
    (
        "BigIntegerField", "IntegerField", "PositiveIntegerField", "PositiveSmallIntegerField",
        "SmallIntegerField", "BooleanField", "ForeignKey", "OneToOneField", "FloatField",
        "BigAutoField",
    )
)  # fmt: skip


def upsert_rows(
    model: type[Model],
    columns: Sequence[str],
    values: Iterable[Sequence[Any]],
    *,
    unique: Sequence[str],
    update: Sequence[str] = (),
) -> None:
    """Insert rows of these columns; where `unique` is taken, set `update` (all others) there.

    In the caller's transaction. Columns that are not named must have a default in the database.
    Of rows that are the same in `unique` the last counts.
    """
    fields = [_column(model, name) for name in columns]
    changed = update or [name for name in columns if name not in unique]
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name, _convert in fields)
    own = [_column(model, name)[0] for name in unique]
    keys = ", ".join(quote(name) for name in own)
    sets = ", ".join(
        f"{quote(name)} = EXCLUDED.{quote(name)}"
        for name in (_column(model, one)[0] for one in changed)
    )
    head = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES "
    tail = f" ON CONFLICT ({keys}) DO UPDATE SET {sets}"
    order = [name for name, _convert in fields]
    places = [order.index(name) for name in own]
    once = {tuple(row[place] for place in places): row for row in values}
    rows = _prepared_rows([convert for _name, convert in fields], once.values())
    one_row = f"({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        for part in _even_parts(rows, _PARAMETERS // len(fields)):
            statement = head + ", ".join([one_row] * len(part)) + tail
            cursor.execute(statement, list(chain.from_iterable(part)))


def update_rows(
    model: type[Model], columns: Sequence[str], values: Iterable[Sequence[Any]]
) -> None:
    """Set columns of rows by key; each of `values` is (column, …, key)."""
    fields = [_column(model, name) for name in columns]
    quote = connection.ops.quote_name
    sets = ", ".join(f"{quote(name)} = %s" for name, _convert in fields)
    key, convert_key = _column(model, "pk")
    statement = f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {quote(key)} = %s"
    converters = [*(convert for _name, convert in fields), convert_key]
    if rows := _prepared_rows(converters, values):
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def insert_columns(model: type[Model]) -> list[str]:
    """All columns that an insert gives a value for: not those that the database computes."""
    return [
        field.attname
        for field in model._meta.concrete_fields
        if not isinstance(field, AutoField) and not field.generated
    ]


def _prepared_rows(
    converters: list[_Convert | None], values: Iterable[Sequence[Any]]
) -> list[list[Any]]:
    special = [(place, convert) for place, convert in enumerate(converters) if convert is not None]
    rows = [list(row) for row in values]
    for row in rows:
        for place, convert in special:
            if row[place] is not None:
                row[place] = convert(row[place])
    return rows


def _even_parts(rows: list[list[Any]], most: int) -> Iterator[list[list[Any]]]:
    """Of about the same length, so that few statements have to be prepared."""
    length = ceil(len(rows) / max(1, ceil(len(rows) / most))) or 1
    for start in range(0, len(rows), length):
        yield rows[start : start + length]


def _column(model: type[Model], name: str) -> tuple[str, _Convert | None]:
    """Its name in the database, and what makes a value fit for the driver (None: nothing)."""
    meta = model._meta
    field: Any = meta.pk if name == "pk" else meta.get_field(name)
    kind = field.get_internal_type()
    if kind in _AS_THEY_ARE:
        return field.column, None
    if kind in _TEXTS:
        return field.column, _plain_text
    # The fields' own ways to these two take three times as long.
    if kind == "DateTimeField":
        # Many rows of a batch were read at the same moment.
        return field.column, lru_cache(256)(connection.ops.adapt_datetimefield_value)
    if kind == "JSONField":
        return field.column, partial(connection.ops.adapt_json_value, encoder=field.encoder)
    return field.column, partial(_prepared, field)


def _prepared(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _plain_text(value: Any) -> str:
    """A driver may take a member of an enumeration for something else than its text."""
    return value if type(value) is str else str(value)
