"""Everything that the library page shows, put together from an address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.http import QueryDict
from django.urls import reverse

from library.listing.filters import FileFilter, FilterProblem, filter_params
from library.listing.paging import PAGE_ROWS, Cursor, Listing, Sort, list_files, read_key, read_sort
from library.listing.paging import write_key as key_text
from library.listing.rows import ListRow, make_rows
from library.listing.selection import EXACT_UP_TO
from library.models import Library, SavedFilter, Tag
from library.pages.bulk_bar import BulkBar, make_bulk_bar
from library.pages.columns import COLUMNS, Column, chosen_columns
from library.pages.filter_form import FilterGroup, FilterRange, filter_groups, filter_ranges
from library.pages.filter_pills import Pill, make_pills
from library.pages.scan_cards import scan_card
from mediaflow.base.film_hooks import bulk_actions, estimate_savings
from mediaflow.base.operations import active_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.listing.streams import Key
    from mediaflow.accounts.models import User
    from mediaflow.base.film_hooks import BulkAction
    from mediaflow.base.models import Operation

MAX_POSITION: Final = 10_000_000
GRID: Final = "grid"
SEARCHING: Final = "searching"  # in an address: goes on with a search that found nothing so far
SORT_LABELS: Final = {
    "title": "Title",
    "size": "Size",
    "bitrate": "Bit rate",
    "duration": "Length",
    "added": "Added",
    "year": "Year",
}


@dataclass(frozen=True, slots=True)
class SortLink:
    """An order that the grid offers; the table has its headings."""

    label: str
    url: str
    direction: str  # "" when it is not the current one


@dataclass(frozen=True, slots=True)
class Heading:
    column: Column
    url: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all libraries, as the scans left them."""

    files: int
    size_bytes: int
    scanned_at: Any


@dataclass(slots=True)
class FilePage:
    form: Any
    params: QueryDict
    query: str  # the filters alone, as an address and a selection carry them
    sort: Sort
    view: str  # "grid", or "" for the table
    listing: Listing
    rows: list[ListRow]
    headings: list[Heading]
    sorts: list[SortLink]
    pills: list[Pill]
    tabs: list[dict[str, Any]]
    libraries: list[Library]
    totals: Totals
    tags: list[Tag]
    actions: list[BulkAction]
    scans: list[Operation]
    may_cancel: bool = False
    problem: FilterProblem | None = None
    urls: dict[str, str] = field(default_factory=dict)
    position: int = 0

    columns: Sequence[Column] = COLUMNS

    @property
    def is_grid(self) -> bool:
        return self.view == GRID

    @property
    def carried(self) -> dict[str, str]:
        """What every address of this list keeps besides the filters: the sort and the view."""
        return _carried(self.sort, self.view)

    @property
    def is_filtered(self) -> bool:
        return bool(self.query)

    @property
    def has_plex(self) -> bool:
        """Whether there is a library of Plex that a collection could be made in: there the bulk bar
        offers to edit, too. No statement of its own."""
        edit_url = reverse("library:plex_edit")
        return any(action.url == edit_url for action in self.actions)

    @property
    def chosen(self) -> set[str]:
        return {heading.column.name for heading in self.headings}

    @property
    def count_text(self) -> str:
        if self.listing.count is not None:
            return f"{self.listing.count:,}"
        return f"{EXACT_UP_TO:,}+" if self.listing.is_count_open else ""

    @property
    def range_text(self) -> str:
        if not self.rows:
            return ""
        first = self.position + 1
        span = f"{first:,}–{self.position + len(self.rows):,}"
        return f"{span} of {self.count_text}" if self.count_text else span

    @property
    def total(self) -> int:
        """For "select all that match": more than one page at least."""
        if self.listing.count is not None:
            return self.listing.count
        return EXACT_UP_TO + 1

    @property
    def total_bytes(self) -> int | str:
        return self.totals.size_bytes if not self.is_filtered else ""

    @property
    def total_text(self) -> str:
        """What "select all" says when the number is not known exactly."""
        return self.count_text or "films"

    @property
    def bulk(self) -> BulkBar:
        return make_bulk_bar(self.actions)

    @property
    def scan_cards(self) -> list[dict[str, Any]]:
        cards = (scan_card(scan, may_cancel=self.may_cancel) for scan in self.scans)
        return [card for card in cards if card is not None]

    @property
    def filter_groups(self) -> list[FilterGroup]:
        return filter_groups(self.params, self.libraries, self.tags)

    @property
    def filter_ranges(self) -> list[FilterRange]:
        return filter_ranges(self.params, self.form)

    @property
    def problem_title(self) -> str:
        field = self.form.fields.get(self.problem.field) if self.problem else None
        return f"{field.label}:" if field is not None else "This filter cannot be used."

    @property
    def empty_text(self) -> str:
        names = [pill.field.lower() for pill in self.pills]
        if self.params.get("q"):
            names.append(f"“{self.params['q']}”")
        return f"{self.totals.files:,} films are hidden by {', '.join(names)}." if names else ""

    @property
    def version(self) -> str:
        """Moves when a running scan has added something, or its card appears."""
        shown = len(self.scan_cards)
        return ".".join(f"{scan.pk}-{scan.done_count}-{shown}" for scan in self.scans)


def make_page(data: QueryDict, user: User) -> FilePage:
    """A constant number of queries. A wrong filter gives an empty page with `problem`."""
    file_filter = FileFilter(data)
    sort = read_sort(data.get("sort", ""))
    params = filter_params(data)
    problem = None
    listing = Listing([], None, None)
    position = _position(data)
    try:
        query = file_filter.query
        cursor = _cursor(data, sort)
        listing = list_files(
            query, sort, cursor,
            is_thorough=data.get("thorough") == "1",
            begins_again=SEARCHING not in data,
        )  # fmt: skip
        position = 0 if listing.is_first else position
    except FilterProblem as raised:
        problem = raised
    libraries = list(Library.objects.all())
    view = GRID if data.get("view") == GRID else ""
    path = reverse("library:file_list")
    page = FilePage(
        form=file_filter.form,
        params=params,
        query=params.urlencode(),
        sort=sort,
        view=view,
        listing=listing,
        rows=_rows(listing, libraries),
        headings=_headings(user, params, sort, path),
        sorts=_sort_links(params, sort, view, path),
        pills=make_pills(params, path, _carried(sort, view)),
        tabs=_tabs(user, params, view, path),
        libraries=libraries,
        totals=_totals(libraries),
        tags=list(Tag.objects.all()),
        actions=bulk_actions(user),
        scans=_active_scans(),
        may_cancel=user.is_operator,
        problem=problem,
        position=position,
    )
    page.urls = _page_urls(page, path)
    return page


def _carried(sort: Sort, view: str) -> dict[str, str]:
    found = {"sort": "" if sort.text == "title" else sort.text, "view": view}
    return {name: value for name, value in found.items() if value}


def _cursor(data: QueryDict, sort: Sort) -> Cursor | None:
    """From `after` or `before`; what nobody wrote here is the first page."""
    for name, is_back in (("after", False), ("before", True)):
        if text := data.get(name):
            key = read_key(text, sort)
            return Cursor(key, is_back) if key else None
    return None


def _position(data: QueryDict) -> int:
    """Where the page stands, only to be printed."""
    text = data.get("at", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 9
    return min(int(text), MAX_POSITION) if is_number else 0


def _rows(listing: Listing, libraries: list[Library]) -> list[ListRow]:
    names = {library.pk: library.name for library in libraries}
    return make_rows(listing.rows, names, estimate_savings(listing.rows))


def _totals(libraries: list[Library]) -> Totals:
    scanned = [library.last_scan_at for library in libraries if library.last_scan_at]
    return Totals(
        files=sum(library.file_count for library in libraries),
        size_bytes=sum(library.total_bytes for library in libraries),
        scanned_at=max(scanned, default=None),
    )


def _active_scans() -> list[Operation]:
    return list(active_operations().filter(kind="scan").order_by("id")[:5])


def _headings(user: User, params: QueryDict, sort: Sort, path: str) -> list[Heading]:
    headings = []
    title = Column("title", "Film", "c-film", sort="title")
    for column in (title, *chosen_columns(user)):
        if not column.sort:
            headings.append(Heading(column))
            continue
        is_current = column.sort == sort.name
        direction = ("ascending" if sort.is_up else "descending") if is_current else ""
        headings.append(
            Heading(column, _sorted_url(params, column.sort, sort, "", path), direction)
        )
    return headings


def _sort_links(params: QueryDict, sort: Sort, view: str, path: str) -> list[SortLink]:
    direction = "ascending" if sort.is_up else "descending"
    return [
        SortLink(
            label,
            _sorted_url(params, name, sort, view, path),
            direction if name == sort.name else "",
        )
        for name, label in SORT_LABELS.items()
    ]


def _sorted_url(params: QueryDict, name: str, sort: Sort, view: str, path: str) -> str:
    """Figures are asked for with the largest first, names with A first; the current one turns."""
    is_up = not sort.is_up if name == sort.name else name == "title"
    more = {"sort": Sort(name, is_up).text, **({"view": view} if view else {})}
    return _address(path, params, more)


def _tabs(user: User, params: QueryDict, view: str, path: str) -> list[dict[str, Any]]:
    """All films, then the person's saved filters; the current one is the one with these filters."""
    current = params.urlencode()
    more = {"view": view} if view else {}
    tabs: list[dict[str, Any]] = [
        {"url": _address(path, QueryDict(), more), "label": "All films", "is_current": not current}
    ]
    for saved in SavedFilter.objects.filter(owner=user):
        tabs.append(
            {
                "url": _address(path, QueryDict(saved.query), more),
                "label": saved.name,
                "icon": "star",
                "is_current": saved.query == current,
            }
        )
    unread = reverse("library:inaccessible_list")
    return [*tabs, {"url": unread, "label": "Inaccessible", "icon": "eye-off"}]


def _page_urls(page: FilePage, path: str) -> dict[str, str]:
    listing = page.listing
    urls = {
        "here": _url(page, path),
        "reset": _address(path, QueryDict(), page.carried),
        "table": _address(path, page.params, _carried(page.sort, "")),
        "grid": _address(path, page.params, _carried(page.sort, GRID)),
    }
    if listing.next_key is not None:
        position = page.position + len(page.rows)
        urls["next"] = _url(page, path, "after", listing.next_key, position)
    if listing.prev_key is not None and page.position > 0:
        position = max(page.position - PAGE_ROWS, 0)
        urls["prev"] = _url(page, path, "before", listing.prev_key, position)
    if page.position > 0:
        urls["first"] = urls["here"]
    if listing.is_partial:
        urls["go_on"] = _url(page, path, thorough=True)
    elif listing.is_searching and "next" in urls:
        urls["go_on"] = f"{urls['next']}&{SEARCHING}=1"
    return urls


def _url(
    page: FilePage,
    path: str,
    end: str = "",
    key: Key | None = None,
    position: int = 0,
    *,
    thorough: bool = False,
) -> str:
    more = dict(page.carried)
    if key is not None:
        more |= {end: key_text(key), "at": str(position)}
    if thorough:
        more["thorough"] = "1"
    return _address(path, page.params, more)


def _address(path: str, params: QueryDict, more: dict[str, str]) -> str:
    whole = params.copy()
    for name, value in more.items():
        whole[name] = value
    return f"{path}?{whole.urlencode()}" if whole else path
