"""One page of the file list, by keyset: what it costs does not depend on how far in the page is.

A page is found exactly where `list_plan` can; a mixture of filters is walked within a budget of
time, and a page that the budget cut short says so (`is_searching`) and goes on from its cursor.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from library.listing import keys as list_keys
from library.listing.plan import TEXT_BUDGET_S, Plan, make_plan
from library.listing.selection import EXACT_UP_TO
from library.listing.streams import (
    Key,
    count_source,
    read_checked,
    read_fitting,
    read_keys,
)
from library.models import MediaFile
from mediaflow.base.ids import read_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import Q

    from library.listing.file_query import FileQuery

PAGE_ROWS: Final = 50
WALK_BUDGET_S: Final = 0.1
# The first window fills nearly every page; the second those where filter and order go against each
# other; later ones keep to the budget.
WALK_ROWS: Final = (500, 10_000)
WALK_LATER_ROWS: Final = 4_000
THOROUGH_BUDGET_S: Final = 20.0
WALK_STRETCH_ROWS: Final = 20_000
WALK_KEYS_PER_READ: Final = 40_000  # over all merged streams
MAX_BIGINT: Final = 2**63 - 1

# Wide columns that no row shows. Everything else is there: an estimate reads what it likes.
UNREAD_FIELDS: Final = ("path_raw", "path_digest", "search_text", "content_fingerprint")


@dataclass(frozen=True, slots=True)
class Sort:
    """One offered order."""

    name: str
    is_up: bool

    @property
    def column(self) -> str:
        return list_keys.SORT_COLUMNS[self.name]

    @property
    def text(self) -> str:
        """As in the address: `size`, or `-size` for the largest first."""
        return self.name if self.is_up else f"-{self.name}"


def read_sort(text: str) -> Sort:
    """From an address; what is not offered is the default, by title."""
    name = text.removeprefix("-")
    if name not in list_keys.SORT_COLUMNS:
        return Sort("title", is_up=True)
    return Sort(name, is_up=not text.startswith("-"))


@dataclass(frozen=True, slots=True)
class Cursor:
    """Go on after a place, or back before it."""

    key: Key
    is_back: bool = False


def write_key(key: Key) -> str:
    """`<id>.<value>`, for an address."""
    value = key.value
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    return f"{key.file_id}.{value}"


def read_key(text: str, sort: Sort) -> Key | None:
    """Inverse of `write_key` for this sort; None for anything that was not made by it."""
    id_text, _, value = text.partition(".")
    pk, parsed = read_id(id_text), _read_value(value, sort.column)
    return None if pk is None or parsed is None else Key(parsed, pk)


def _read_value(text: str, column: str) -> Any:
    if column == "sort_key":
        return text if len(text) <= 300 and "\0" not in text else None
    if column == "added_at":
        try:
            moment = datetime.fromisoformat(text)
            aware = moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)
            return aware.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    is_number = text.isascii() and text.isdigit() and len(text) <= 19
    return int(text) if is_number and int(text) <= MAX_BIGINT else None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `count` is exact up to 10,000; `is_count_open`: there are more than that; neither:
    counting would mean to look at everything.

    `is_searching`: the budget ended the page; `next_key` goes on from where it stopped. Without one
    (`is_partial`) asking for the page again, thoroughly, completes it.
    """

    rows: list[MediaFile]
    next_key: Key | None
    prev_key: Key | None
    is_searching: bool = False
    is_partial: bool = False
    count: int | None = None
    is_count_open: bool = False
    is_first: bool = True


def list_files(
    query: FileQuery,
    sort: Sort,
    cursor: Cursor | None = None,
    *,
    page_rows: int = PAGE_ROWS,
    is_thorough: bool = False,
    begins_again: bool = False,
) -> Listing:
    """The page after (or before) a cursor. A few statements, their number does not grow.

    `begins_again`: the first page where nothing lies there: the list became shorter, or nobody gave
    this cursor out. Not where a search went on from its cursor: it would never end.
    """
    text_budget_s = THOROUGH_BUDGET_S if is_thorough else TEXT_BUDGET_S
    plan = make_plan(query, sort.column, text_budget_s=text_budget_s)
    page = _list(plan, query, sort, cursor, page_rows)
    if cursor is None or page.rows or page.is_searching or not begins_again:
        return page
    return _list(plan, query, sort, None, page_rows)


def _list(
    plan: Plan, query: FileQuery, sort: Sort, cursor: Cursor | None, page_rows: int
) -> Listing:
    is_back = cursor is not None and cursor.is_back
    after = cursor.key if cursor else None
    found = _find(plan, query, sort, after, is_up=sort.is_up != is_back, want=page_rows + 1)
    return _make_page(plan, found, sort, cursor, page_rows)


def _make_page(
    plan: Plan, found: _Found, sort: Sort, cursor: Cursor | None, page_rows: int
) -> Listing:
    is_back = cursor is not None and cursor.is_back
    rows = found.rows[:page_rows]
    has_more = len(found.rows) > page_rows or found.is_cut
    keys = [row_key(row, sort) for row in rows]
    far_key = (found.stopped_at if found.is_cut and len(found.rows) <= page_rows else None) or (
        keys[-1] if keys and has_more else None
    )
    near_key = keys[0] if keys and cursor is not None else None
    if is_back:
        rows.reverse()
        far_key, near_key = near_key or (cursor.key if cursor else None), far_key
    count, is_open = _count(plan, found)
    return Listing(
        rows=rows,
        next_key=far_key,
        prev_key=near_key,
        is_searching=plan.is_partial or (found.is_cut and len(found.rows) <= page_rows),
        is_partial=plan.is_partial,
        count=count,
        is_count_open=is_open,
        is_first=cursor is None,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    rows: list[MediaFile]
    is_cut: bool = False
    stopped_at: Key | None = None
    count: int | None = None


def _find(
    plan: Plan, query: FileQuery, sort: Sort, after: Key | None, *, is_up: bool, want: int
) -> _Found:
    if plan.ids is not None:
        return _find_among(plan.ids, query, sort, after, is_up=is_up, want=want)
    if plan.is_exact:
        keys = read_keys(plan.source, after, is_up=is_up, limit=want)
        return _Found(_load(keys))
    if plan.checks:
        return _walk_checked(plan, after, is_up=is_up, want=want)
    return _walk(plan, query.condition(), after, is_up=is_up, want=want)


def _find_among(
    ids: Sequence[int],
    query: FileQuery,
    sort: Sort,
    after: Key | None,
    *,
    is_up: bool,
    want: int,
) -> _Found:
    """All candidates are known and few: check them, sort them, cut the page out."""
    keys = sorted(
        (Key(value, pk) for pk, value in _matching(ids, query, sort.column)),
        key=lambda key: (key.value, key.file_id),
        reverse=not is_up,
    )
    count = len(keys)
    if after is not None:
        here = (after.value, after.file_id)
        keys = [
            k
            for k in keys
            if ((k.value, k.file_id) > here if is_up else (k.value, k.file_id) < here)
        ]
    return _Found(_load(keys[:want]), count=count)


def _matching(ids: Sequence[int], query: FileQuery, column: str) -> Iterable[tuple[int, Any]]:
    return MediaFile.objects.filter(query.condition(), pk__in=ids).values_list("pk", column)


def _walk(plan: Plan, condition: Q, after: Key | None, *, is_up: bool, want: int) -> _Found:
    """Check window by window in order until the page is full; only its own rows are loaded."""
    deadline = time.monotonic() + WALK_BUDGET_S
    most = max(WALK_KEYS_PER_READ // max(plan.source.stream_count, 1), want)
    files = MediaFile.objects.filter(condition)
    keys: list[Key] = []
    for window in chain(WALK_ROWS, repeat(WALK_LATER_ROWS)):
        rows, left = min(window, most), want - len(keys)
        stretch = read_fitting(plan.source, files, after, is_up=is_up, rows=rows, limit=left)
        keys += stretch.keys
        after = stretch.last
        if after is None or len(keys) >= want:
            break
        if time.monotonic() > deadline:
            return _Found(_load(keys), is_cut=True, stopped_at=after)
    return _Found(_load(keys))


def _walk_checked(plan: Plan, after: Key | None, *, is_up: bool, want: int) -> _Found:
    """As `_walk`, where the database can check: stretches of the order, a statement each."""
    deadline = time.monotonic() + WALK_BUDGET_S
    keys: list[Key] = []
    while True:
        stretch = read_checked(
            plan.source,
            plan.checks,
            after,
            is_up=is_up,
            rows=WALK_STRETCH_ROWS,
            limit=want - len(keys),
        )
        keys += stretch.keys
        after = stretch.last
        if after is None or len(keys) >= want:
            return _Found(_load(keys))
        if time.monotonic() > deadline:
            return _Found(_load(keys), is_cut=True, stopped_at=after)


def _load(keys: Sequence[Key]) -> list[MediaFile]:
    """The rows of these keys, in their order."""
    ids = [key.file_id for key in keys]
    found = MediaFile.objects.filter(pk__in=ids).defer(*UNREAD_FIELDS).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def row_key(row: MediaFile, sort: Sort) -> Key:
    return Key(getattr(row, sort.column), row.pk)


def _count(plan: Plan, found: _Found) -> tuple[int | None, bool]:
    if found.count is not None:
        return (None, False) if plan.is_partial else (found.count, False)
    if not plan.is_exact:
        return None, False
    count = count_source(plan.source, EXACT_UP_TO + 1)
    return (count, False) if count <= EXACT_UP_TO else (None, True)
