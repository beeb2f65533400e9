"""What a run found against what is known: new ones in, changed ones anew, untrue ones gone.

Done in slices of their own transactions: SQLite has one writer, and people use the pages meanwhile.
Each slice may be repeated; a run that was stopped is finished by the next one. Rows that say the
same as before are not written at all.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import (
    CharField,
    F,
    Field,
    ForeignKey,
    Max,
    Q,
    Value,
)
from django.db.models.functions import Cast, Concat

from library.analysis import scoring
from library.models import (
    AnalysisFinding,
    Recommendation,
    RecommendationState,
)
from mediaflow.base.db_retry import retry_on_busy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from library.analysis.kind import AnalysisKind
    from library.models import AnalysisRun

# A slice grows while it takes less than this, and shrinks above twice as much: a large one changes
# each page of the indexes once, a short one keeps nobody waiting.
SLICE_S: Final = 0.1
SLICE_ROWS, MOST_SLICE_ROWS = 2_000, 16_000
# Others get the database after each slice for this share of the time that it took, at least.
REST_SHARE, MIN_REST_S = 0.25, 0.002
# Marks for the ids of a slice among a statement's parameters; no id is one of them.
_FIRST, _LAST = -(2**62) + 1, -(2**62) + 2
_FOUND: Final = (
    *("member_count", "severity", "confidence_pct", "priority", "size_bytes", "savings_bytes"),
    *("savings_low_bytes", "savings_high_bytes", "basis", "figures"),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the recommendations of one kind."""

    new: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class SliceStatement:
    """A statement whose parameters hold two marks for the ids of a slice."""

    sql: str
    params: tuple[Any, ...]

    def write(self, first: int, last: int) -> int:
        ends = {_FIRST: first, _LAST: last}
        params = [ends.get(p, p) if isinstance(p, int) else p for p in self.params]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class Merge:
    """Of one kind, in the libraries that the run speaks about."""

    kind: AnalysisKind
    run: AnalysisRun
    libraries: Sequence[int]
    findings: tuple[int, int]  # ids of what was found, first and last; none if first > last
    now: datetime
    checkpoint: Callable[[], None]

    def apply(self) -> Changes:
        newest = Recommendation.objects.aggregate(newest=Max("pk"))["newest"] or 0
        statement = _statement(self.kind.is_group, self.run.pk, self.now)
        first, end = self.findings
        rows = SLICE_ROWS
        while first <= end:
            last = min(first + rows - 1, end)
            seconds, _written = self._in_turn(partial(statement.write, first, last))
            rows, first = _next_rows(rows, seconds), last + 1
        gone = self._end_untrue(newest)
        return Changes(self._mine().filter(pk__gt=newest).count(), gone)

    def _mine(self) -> QuerySet[Recommendation]:
        """The sum keeps SQLite from the index by library, which would lead to all kinds."""
        rows = Recommendation.objects.filter(kind=self.kind.slug)
        return rows.alias(home=F("library_id") + Value(0)).filter(home__in=self.libraries)

    def _found(self) -> QuerySet[AnalysisFinding]:
        first, last = self.findings
        return AnalysisFinding.objects.filter(pk__gte=first, pk__lte=last)

    def _in_turn(self, write: Callable[[], int]) -> tuple[float, int]:
        """One short transaction; then the others' turn. Returns how long it took, and its rows."""
        self.checkpoint()
        begun = time.monotonic()

        def once() -> int:
            with transaction.atomic():
                return write()

        # Temporary tables do not outlive their connection, so nothing is retried on another one.
        changed = once() if connection.vendor == "sqlite" else retry_on_busy(once)
        seconds = time.monotonic() - begun
        time.sleep(max(MIN_REST_S, seconds * REST_SHARE))
        return seconds, changed

    def _end_untrue(self, newest: int) -> int:
        """What is open, or was snoozed until now, and was not found again. Accepted ones stay.

        `newest`: rows above are of this run, and true.
        """
        # Both states are named first: an index begins with them.
        ending = Q(state__in=(RecommendationState.OPEN, RecommendationState.SNOOZED)) & (
            Q(state=RecommendationState.OPEN) | Q(snoozed_until__lte=self.now)
        )
        untrue = self._untrue(self._mine().filter(ending, pk__lte=newest)).order_by()
        ids = array("q", untrue.values_list("pk", flat=True).iterator(chunk_size=SLICE_ROWS))
        gone = 0
        for start in range(0, len(ids), SLICE_ROWS):
            part = ids[start : start + SLICE_ROWS]
            gone += self._in_turn(partial(self._end, part, ending))[1]
        return gone

    def _untrue(self, rows: QuerySet[Recommendation]) -> QuerySet[Recommendation]:
        if not self.kind.is_group:
            return rows.exclude(file_id__in=self._found().values("file_id"))
        found = self._found().annotate(place=_place()).values("place")
        return rows.alias(place=_place()).exclude(place__in=found)

    def _end(self, ids: Sequence[int], ending: Q) -> int:
        """Those that nobody has decided about since the ids were read."""
        rows = Recommendation.objects.filter(ending, pk__in=list(ids))
        return rows.update(state=RecommendationState.GONE, snoozed_until=None, last_run=self.run)


@lru_cache(maxsize=2)
def _statement(is_group: bool, run_id: int, now: datetime) -> SliceStatement:
    """INSERT … SELECT … ON CONFLICT DO UPDATE of one slice, made once for all slices of a run."""
    values = _values(run_id, now)
    aliases = {f"to_{name}": value for name, value in values.items()}
    rows = AnalysisFinding.objects.filter(pk__gte=_FIRST, pk__lte=_LAST)
    sql, params = rows.annotate(**aliases).values_list(*aliases).query.sql_with_params()
    table, names = _quoted(Recommendation._meta.db_table), ", ".join(map(_column, values))
    return SliceStatement(
        f"INSERT INTO {table} ({names}) {sql} {_on_conflict(is_group)}",
        (*params, *_conflict_params(now)),
    )


def _values(run_id: int, now: datetime) -> dict[str, Any]:
    """Every column of a recommendation but its id."""
    found = {name: F(name) for name in _FOUND}
    scored = {
        "severity": scoring.severity(),
        "confidence_pct": scoring.confidence(),
        "priority": scoring.priority(),
    }
    given = {
        "state": RecommendationState.OPEN.value,
        "first_run": run_id,
        "last_run": run_id,
        "created_at": now,
        "dismissed_reason": "",
        "snoozed_until": None,
        "decided_by": None,
        "decided_at": None,
    }
    return {
        "kind": F("kind"),
        "library": F("library_id"),
        "file": F("file_id"),
        "group_key": F("group_key"),
        **found,
        **scored,
        **{name: _constant(name, value) for name, value in given.items()},
    }


def _on_conflict(is_group: bool) -> str:
    """A row that is known: what is said of it, and its state where a run may change that."""
    table = _quoted(Recommendation._meta.db_table)
    target = "(kind, file_id) WHERE file_id IS NOT NULL"
    if is_group:
        target = "(kind, library_id, group_key) WHERE file_id IS NULL"
    updates = [f"{name} = excluded.{name}" for name in _FOUND]
    again = f"({table}.state = %s OR ({table}.state = %s AND {table}.snoozed_until <= %s))"
    updates += [
        "library_id = excluded.library_id",
        f"state = CASE WHEN {again} THEN %s ELSE {table}.state END",
        f"snoozed_until = CASE WHEN {again} THEN NULL ELSE {table}.snoozed_until END",
        "last_run_id = excluded.last_run_id",
    ]
    differs = " OR ".join(f"{table}.{name} <> excluded.{name}" for name in _FOUND)
    differs += f" OR {table}.library_id <> excluded.library_id OR {again}"
    return f"ON CONFLICT {target} DO UPDATE SET {', '.join(updates)} WHERE {differs}"


def _conflict_params(now: datetime) -> list[Any]:
    at = connection.ops.adapt_datetimefield_value(now)
    again = [RecommendationState.GONE.value, RecommendationState.SNOOZED.value, at]
    return [*again, RecommendationState.OPEN.value, *again, *again]


def _next_rows(rows: int, seconds: float) -> int:
    """So many after a slice of `rows` that took so long."""
    if seconds < SLICE_S:
        return min(rows * 2, MOST_SLICE_ROWS)
    return max(rows // 2, SLICE_ROWS // 4) if seconds > 2 * SLICE_S else rows


def _place() -> Concat:
    """A group's library and key as one text."""
    return Concat(Cast("library_id", CharField()), Value("|"), F("group_key"))


def _column(name: str) -> str:
    return _quoted(str(Recommendation._meta.get_field(name).column))  # type: ignore[union-attr]  # no relation


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _constant(name: str, value: Any) -> Any:
    """Typed, for PostgreSQL guesses nothing in a SELECT."""
    target = Recommendation._meta.get_field(name)
    if isinstance(target, ForeignKey):
        target = target.target_field
    assert isinstance(target, Field)
    constant = Value(value, output_field=target)
    return Cast(constant, target) if connection.vendor == "postgresql" else constant
