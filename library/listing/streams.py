"""The few SQL statements behind the file list, alike on SQLite and PostgreSQL.

Raw, because the plan must not be left to chance: each reads one index in its own order and stops at
a limit; what is left of a filter is asked of each row by its id. Row values `(sort, id) > (…)` are
an index range in both databases. Column names come from `list_keys` and the model, never from a
request; everything else is a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models.expressions import RawSQL
from django.utils import timezone

from library.listing.file_query import Range, term_patterns
from library.models import MediaFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

TABLE: Final = MediaFile._meta.db_table
LISTED: Final = "removed_from_list_at IS NULL"  # the condition of every list index
# Streams merged in one statement; SQLite takes 500 terms in a compound.
MAX_STREAMS: Final = 240


@dataclass(frozen=True, slots=True)
class Key:
    """A place in a sort order: the value of the sort column, then the id."""

    value: Any
    file_id: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys come from: the whole order or groups of it; `span` limits the sort column."""

    sort_column: str
    group_column: str = ""
    groups: tuple[Any, ...] = ()
    span: Range | None = None
    # Files beside the groups: those of a step that a range takes only part of.
    extra_ids: tuple[int, ...] = ()

    @property
    def stream_count(self) -> int:
        return len(self.groups) if self.group_column else 1


@dataclass(slots=True)
class _Sql:
    text: str
    params: list[Any] = field(default_factory=list)


def read_keys(source: Source, after: Key | None, *, is_up: bool, limit: int) -> list[Key]:
    """The next keys in order (`is_up`: smallest first). One statement; reads `limit` per stream."""
    merged = _merged(source, after, is_up=is_up, limit=limit)
    return [_key(row) for row in _rows(merged.text, merged.params)] if merged else []


def _merged(source: Source, after: Key | None, *, is_up: bool, limit: int) -> _Sql | None:
    """`k, id` of the next keys, in order; None for a source of nothing."""
    arms = _arms(source, after, is_up=is_up, limit=limit)
    if not arms:
        return None
    text = " UNION ALL ".join(f"SELECT * FROM ({arm.text}) AS arm" for arm in arms)
    way = "ASC" if is_up else "DESC"
    statement = f"SELECT k, id FROM ({text}) AS merged ORDER BY k {way}, id {way} LIMIT %s"
    return _Sql(statement, [*(param for arm in arms for param in arm.params), limit])


def _arms(source: Source, after: Key | None, *, is_up: bool, limit: int) -> list[_Sql]:
    if not source.group_column:
        selectors = [_Sql("")]
    else:
        selectors = [_Sql(f"{source.group_column} = %s", [group]) for group in source.groups]
    if source.extra_ids:
        # Plain numbers: thousands of parameters are too many for some builds of SQLite.
        selectors.append(_Sql(f"id IN ({', '.join(map(str, map(int, source.extra_ids)))})"))
    return [_stream(source, one, after, is_up=is_up, limit=limit) for one in selectors]


def _stream(source: Source, selector: _Sql, after: Key | None, *, is_up: bool, limit: int) -> _Sql:
    column = source.sort_column
    where, params = [LISTED], list(selector.params)
    if selector.text:
        where.append(selector.text)
    after, span = _one_start(after, source.span, is_up=is_up)
    if after is not None:
        where.append(f"({column}, id) {'>' if is_up else '<'} (%s, %s)")
        params += [_adapted(after.value), after.file_id]
    _add_span(column, span, where, params)
    way = "ASC" if is_up else "DESC"
    text = (
        f"SELECT {column} AS k, id FROM {TABLE} WHERE {' AND '.join(where)}"
        f" ORDER BY {column} {way}, id {way} LIMIT %s"
    )
    return _Sql(text, [*params, limit])


def _one_start(
    after: Key | None, span: Range | None, *, is_up: bool
) -> tuple[Key | None, Range | None]:
    """The later of cursor and range as the only start: SQLite would seek by one of them alone."""
    if after is None or span is None:
        return after, span
    start = span.low if is_up else span.high
    if start is None:
        return after, span
    is_inside = after.value >= start if is_up else after.value < start
    if not is_inside:
        return None, span
    return after, (Range(None, span.high) if is_up else Range(span.low, None))


def _add_span(column: str, span: Range | None, where: list[str], params: list[Any]) -> None:
    if span is None:
        return
    for value, operator in ((span.low, ">="), (span.high, "<")):
        if value is not None:
            where.append(f"{column} {operator} %s")
            params.append(_adapted(value))


@dataclass(frozen=True, slots=True)
class Checked:
    """Keys of a stretch that passed a check; `last` is its end, None when the list ended in it."""

    keys: list[Key]
    last: Key | None


def read_checked(
    source: Source,
    checks: Sequence[tuple[str, Range]],
    after: Key | None,
    *,
    is_up: bool,
    rows: int,
    limit: int,
) -> Checked:
    """The next keys whose other columns lie in ranges, among the next `rows` of the whole order.

    One statement, two when fewer than `limit` were found. The inner limit bounds what is read; the
    outer one ends the reading early.
    """
    column, way = source.sort_column, "ASC" if is_up else "DESC"
    stretch = _stream(source, _Sql(""), after, is_up=is_up, limit=rows)
    columns = "".join(f", {name}" for name, _ in checks)
    inner = stretch.text.replace(f"{column} AS k, id", f"{column} AS k, id{columns}", 1)
    where: list[str] = []
    params = list(stretch.params)
    for name, span in checks:
        _add_span(name, span, where, params)
    statement = f"SELECT k, id FROM ({inner}) AS stretch WHERE {' AND '.join(where)} LIMIT %s"
    found = [_key(row) for row in _rows(statement, [*params, limit])]
    if len(found) == limit:
        return Checked(found, found[-1])
    last = _rows(
        f"SELECT k, id FROM ({stretch.text} OFFSET %s) AS stretch ORDER BY k {way}",
        [*stretch.params[:-1], 1, rows - 1],
    )
    return Checked(found, _key(last[0]) if last else None)


def read_fitting(
    source: Source,
    files: QuerySet[MediaFile],
    after: Key | None,
    *,
    is_up: bool,
    rows: int,
    limit: int,
) -> Checked:
    """The first `limit` keys that are among `files`, of the next `rows` of the source.

    One statement, which gives the stretch's end with it: what a scan writes meanwhile cannot come
    in between. Each row is looked up by its id; the order is the database's own.
    """
    stretch, fits = _merged(source, after, is_up=is_up, limit=rows), _membership(files)
    if stretch is None or fits is None:
        return Checked([], None)
    way = "ASC" if is_up else "DESC"
    order = f"ORDER BY k {way}, id {way}"
    found = _rows(
        f"WITH stretch AS ({stretch.text})"
        " SELECT k, id, is_end FROM ("
        f"SELECT * FROM (SELECT k, id, 0 AS is_end FROM stretch WHERE EXISTS ({fits.text})"
        f" {order} LIMIT %s) AS fitting UNION ALL"
        f" SELECT * FROM (SELECT k, id, 1 AS is_end FROM stretch {order} LIMIT 1 OFFSET %s)"
        f" AS ending) AS found ORDER BY is_end, k {way}, id {way}",
        [*stretch.params, *fits.params, limit, rows - 1],
    )
    keys = [_key(row[:2]) for row in found if not row[2]]
    return Checked(keys, next((_key(row[:2]) for row in found if row[2]), None))


def _membership(files: QuerySet[MediaFile]) -> _Sql | None:
    """Whether the row `stretch.id` is among the files; None where nothing can be."""
    here = files.filter(pk=RawSQL("stretch.id", [])).order_by().values("pk")
    try:
        text, params = here.query.sql_with_params()
    except EmptyResultSet:
        return None
    return _Sql(text, list(params))


def count_source(source: Source, limit: int) -> int:
    """How many files a source holds, counted no further than `limit`."""
    if source.group_column and not source.groups:
        return min(len(source.extra_ids), limit)
    where: list[str] = [LISTED]
    params: list[Any] = []
    _add_span(source.sort_column, source.span, where, params)
    if source.group_column:
        marks = ", ".join(["%s"] * len(source.groups))
        where.append(f"{source.group_column} IN ({marks})")
        params += source.groups
    inner = f"SELECT 1 AS one FROM {TABLE} WHERE {' AND '.join(where)} LIMIT %s"
    counted = _rows(f"SELECT COUNT(*) FROM ({inner}) AS found", [*params, limit])
    return min(int(counted[0][0]) + len(source.extra_ids), limit)


def group_values(column: str) -> list[Any]:
    """The distinct values of a group column: one index seek each, not a scan."""
    lowest = f"SELECT MIN({column}) FROM {TABLE} WHERE {LISTED}"
    statement = (
        f"WITH RECURSIVE seen(v) AS (SELECT ({lowest}) UNION ALL"
        f" SELECT ({lowest} AND {column} > seen.v) FROM seen WHERE seen.v IS NOT NULL)"
        " SELECT v FROM seen WHERE v IS NOT NULL"
    )
    return [row[0] for row in _rows(statement, [])]


def ids_in_groups(column: str, groups: Sequence[Any], limit: int) -> list[int]:
    """Up to `limit` ids of some groups, in no order."""
    if not groups:
        return []
    marks = ", ".join(["%s"] * len(groups))
    statement = f"SELECT id FROM {TABLE} WHERE {LISTED} AND {column} IN ({marks}) LIMIT %s"
    return [row[0] for row in _rows(statement, [*groups, limit])]


def ids_in_range(column: str, span: Range, limit: int) -> list[int]:
    """Up to `limit` ids whose column lies in a range, in the order of the column."""
    where: list[str] = [LISTED]
    params: list[Any] = []
    _add_span(column, span, where, params)
    statement = f"SELECT id FROM {TABLE} WHERE {' AND '.join(where)} ORDER BY {column}, id LIMIT %s"
    return [row[0] for row in _rows(statement, [*params, limit])]


def ids_with_tag(tag_id: int, limit: int) -> list[int]:
    """Up to `limit` ids that carry a tag."""
    statement = "SELECT file_id FROM library_filetag WHERE tag_id = %s LIMIT %s"
    return [row[0] for row in _rows(statement, [tag_id, limit])]


@dataclass(frozen=True, slots=True)
class TextWindow:
    """What one look through a stretch of the text index found."""

    ids: list[int]
    last: Key | None  # where the next stretch begins; None: the end was reached


def scan_text(terms: Sequence[str], after: Key | None, *, rows: int) -> TextWindow:
    """Look for all terms in the next `rows` texts, in the order of the texts."""
    start, params = "", []
    if after is not None:
        start, params = " AND (search_text, id) > (%s, %s)", [after.value, after.file_id]
    stretch = (
        f"SELECT search_text, id FROM {TABLE} WHERE {LISTED}{start}"
        " ORDER BY search_text, id LIMIT %s"
    )
    last = _rows(f"{stretch} OFFSET %s", [*params, 1, rows - 1])
    likes, patterns = _text_condition(terms)
    found = _rows(
        f"SELECT id FROM ({stretch}) AS stretch WHERE {likes}",
        [*params, rows, *patterns],
    )
    return TextWindow([row[0] for row in found], Key(*last[0]) if last else None)


def _text_condition(terms: Sequence[str]) -> tuple[str, list[str]]:
    likes: list[str] = []
    params: list[str] = []
    for term in terms:
        forms = term_patterns(term)
        likes.append("(" + " OR ".join(["search_text LIKE %s ESCAPE '!'"] * len(forms)) + ")")
        for kind, text in forms:
            escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
            params.append(f"{escaped}%" if kind == "startswith" else f"%{escaped}%")
    return " AND ".join(likes), params


def _rows(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def _key(row: tuple[Any, ...]) -> Key:
    """SQLite's driver gives dates without a zone: they are UTC."""
    value, file_id = row
    if isinstance(value, datetime) and timezone.is_naive(value):
        value = value.replace(tzinfo=UTC)
    return Key(value, file_id)


def _adapted(value: Any) -> Any:
    """Dates as the database's driver takes them in raw SQL."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
