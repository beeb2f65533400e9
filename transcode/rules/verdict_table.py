"""Verdicts of one run, reckoned once into a temporary table of this connection.

100,000 films are judged by one statement; counting, choosing and recording read the result. Only
what changed is written, so the database is not held up by a rule that finds nothing new.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection

from transcode.models import Job, RuleDecision
from transcode.rules.limits import LIMIT_SIZE
from transcode.rules.plan import QUEUED
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from transcode.models import Rule, RuleRun
    from transcode.rules.plan import RulePlan

_TABLE: Final = "mf_rule_verdicts"
_PART: Final = 500
_DECISIONS: Final = RuleDecision._meta.db_table
_JOBS: Final = Job._meta.db_table
_CHANGED: Final = (
    f"FROM {_TABLE} t LEFT JOIN {_DECISIONS} d"
    " ON d.file_id = t.file_id AND d.rule_id = %s AND d.is_latest"
    " WHERE d.id IS NULL OR d.verdict <> t.verdict"
)


@contextmanager
def judged_films(plan: RulePlan) -> Iterator[VerdictTable]:
    """The table, gone at the end."""
    table = VerdictTable(plan)
    table.drop()
    try:
        table.fill()
        yield table
    finally:
        if not connection.needs_rollback:
            table.drop()


class VerdictTable:
    """Rows of (file, bytes, added, verdict); verdict "" until it is known what is queued."""

    def __init__(self, plan: RulePlan) -> None:
        self._plan = plan

    def fill(self) -> None:
        _run(
            f"CREATE TEMPORARY TABLE {_TABLE} (file_id {_key_type()} PRIMARY KEY,"
            " size_bytes bigint, added_at timestamp with time zone, verdict varchar(20))"
        )
        rows = self._plan.judged().order_by()
        values = rows.values_list("pk", "size_bytes", "added_at", "verdict")
        try:
            sql, params = values.query.sql_with_params()
        except EmptyResultSet:  # a filter that no film can pass
            return
        _run(f"INSERT INTO {_TABLE} (file_id, size_bytes, added_at, verdict) {sql}", params)

    def drop(self) -> None:
        _run(f"DROP TABLE IF EXISTS {_TABLE}")

    def count(self) -> dict[str, tuple[int, int]]:
        """Films and bytes by verdict."""
        rows = _fetch(f"SELECT verdict, COUNT(*), SUM(size_bytes) FROM {_TABLE} GROUP BY verdict")
        return {code: (films, int(size or 0)) for code, films, size in rows}

    def eligible(self) -> Iterator[tuple[int, int]]:
        """(file, bytes) of what could be queued, the oldest first."""
        sql = (
            f"SELECT file_id, size_bytes FROM {_TABLE} WHERE verdict = ''"
            " ORDER BY added_at, file_id"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(5_000):
                yield from rows

    def label_rest(self, chosen: Sequence[int], rest_code: str, largest: int | None) -> None:
        """Say of those that were not chosen which limit is in their way."""
        if largest is not None:
            _run(
                f"UPDATE {_TABLE} SET verdict = %s WHERE verdict = '' AND size_bytes > %s",
                [LIMIT_SIZE, largest],
            )
        if rest_code:
            self._mark(chosen, QUEUED)
        _run(f"UPDATE {_TABLE} SET verdict = %s WHERE verdict = ''", [rest_code or QUEUED])

    def _mark(self, ids: Sequence[int], verdict: str) -> None:
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            marks = ", ".join(["%s"] * len(part))
            _run(f"UPDATE {_TABLE} SET verdict = %s WHERE file_id IN ({marks})", [verdict, *part])

    def drop_unqueued(self, rule: Rule) -> None:
        """Forget what was chosen and has no job after all: somebody else was faster."""
        statuses = ", ".join(["%s"] * len(ACTIVE))
        _run(
            f"DELETE FROM {_TABLE} WHERE verdict = %s AND file_id NOT IN (SELECT file_id"
            f" FROM {_JOBS} WHERE rule_id = %s AND file_id IS NOT NULL AND status IN ({statuses}))",
            [QUEUED, rule.pk, *ACTIVE],
        )

    def has_changes(self, rule: Rule) -> bool:
        """Whether a decision differs from the latest on record."""
        return bool(_fetch(f"SELECT 1 {_CHANGED} LIMIT 1", [rule.pk]))

    def record(self, rule: Rule, run: RuleRun, now: datetime) -> int:
        """Append what changed; the decision before is the latest no more. Returns how many."""
        moment = connection.ops.adapt_datetimefield_value(now)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {_DECISIONS} (rule_id, file_id, verdict, is_latest, run_id, at)"
                f" SELECT %s, t.file_id, t.verdict, d.id IS NULL, %s, {_moment()} {_CHANGED}",
                [rule.pk, run.pk, moment, rule.pk],
            )
            changed = int(cursor.rowcount)
        fresh = RuleDecision.objects.filter(run=run, is_latest=False)
        outdated = RuleDecision.objects.filter(
            rule=rule, is_latest=True, file_id__in=fresh.values("file_id")
        )
        if outdated.update(is_latest=False):
            fresh.exclude(is_latest=True).update(is_latest=True)
        return changed


def _key_type() -> str:
    """SQLite's "integer" is the row's own number (64 bits) and costs no index of its own."""
    return "integer" if connection.vendor == "sqlite" else "bigint"


def _moment() -> str:
    """A placeholder of the column's type: PostgreSQL takes a text in a SELECT for a text."""
    return "CAST(%s AS timestamp with time zone)" if connection.vendor == "postgresql" else "%s"


def _run(sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _fetch(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
