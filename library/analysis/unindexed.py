"""An expression that keeps SQLite from an index: it would lead through the table in jumps."""

from __future__ import annotations

from typing import Any

from django.db.models import Func


class Unindexed(Func):
    """The same value; PostgreSQL weighs such things up by itself."""

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)
