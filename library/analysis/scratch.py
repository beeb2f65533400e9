"""The temporary tables of a run: made, filled by the database itself, and dropped.

They belong to one connection and lie in a file of their own, so filling them waits for nobody and
makes nobody wait, and memory does not grow with the library.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Field

from library.models import AnalysisCandidate, AnalysisFact, AnalysisFinding, AnalysisVersion
from mediaflow.base.bulk_writes import pragmas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import Model, QuerySet
    from django.db.models.expressions import Combinable

# SQLite keeps temporary tables in memory here, which a million films would fill; in a file they are
# read from end to end, again and again: large pages take an eighth of the calls for the same bytes.
# What is written to the database itself goes there in larger steps (64 MB), because the same pages
# of its indexes are changed again and again. In this order: a change of the store makes it anew.
_ON_DISK: Final = {"temp_store": 1, "wal_autocheckpoint": 16_000, "temp.page_size": 32_768}
_TABLES: Final[tuple[type[Model], ...]] = (
    *(AnalysisFact, AnalysisFinding, AnalysisCandidate, AnalysisVersion),
)


@contextmanager
def scratch_tables() -> Iterator[None]:
    """Empty tables for one run; what an earlier run of this connection left goes."""
    with pragmas(_ON_DISK):
        for model in _TABLES:
            _drop(model)
            _create(model)
        try:
            yield
        finally:
            for model in _TABLES:
                _drop(model)


def fill(model: type[Model], rows: QuerySet[Any], columns: Mapping[str, Combinable]) -> int:
    """INSERT … SELECT: one row for each of `rows`, its fields by these expressions.

    Returns how many. Rows come in the order of the query.
    """
    aliases = {f"to_{name}": expression for name, expression in columns.items()}
    try:
        sql, params = rows.annotate(**aliases).values_list(*aliases).query.sql_with_params()
    except EmptyResultSet:  # Django sees that nothing can match
        return 0
    quote = connection.ops.quote_name
    fields = [model._meta.get_field(name) for name in columns]
    names = ", ".join(quote(str(f.column)) for f in fields if isinstance(f, Field))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {quote(model._meta.db_table)} ({names}) {sql}", params)
        return max(0, int(cursor.rowcount))


def analyze(model: type[Model]) -> None:
    """Tell the planner what is in a table. SQLite needs it for nothing that is done here."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def _create(model: type[Model]) -> None:
    columns = ", ".join(_definition(field) for field in model._meta.concrete_fields)
    name = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns})")


def _definition(field: Field[Any, Any]) -> str:
    """Without the checks that Django's tables have: each would be made of a million rows."""
    name = connection.ops.quote_name(str(field.column))
    if not field.primary_key:
        return f"{name} {field.db_type(connection)} {'NULL' if field.null else 'NOT NULL'}"
    if connection.vendor == "sqlite":
        # Of this type alone it is the table's own number; of any other it is an index beside it.
        return f"{name} integer PRIMARY KEY"
    suffix = field.db_type_suffix(connection) or ""
    return f"{name} {field.db_type(connection)} {suffix} PRIMARY KEY"


def _drop(model: type[Model]) -> None:
    schema = "pg_temp" if connection.vendor == "postgresql" else "temp"
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(model._meta.db_table)
        cursor.execute(f"DROP TABLE IF EXISTS {schema}.{name}")
