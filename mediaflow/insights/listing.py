"""A list of recommendations: filters, sorts and pages by keyset, all of it in the address.

The filters have the names that the library's own have (`library.listing.filters`), so that what is
listed here can be queued, shown there or saved as a filter with the same query string; `state` and
`sort` are this list's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.http import QueryDict

from library.analysis.kinds import KINDS
from library.analysis.unindexed import Unindexed
from library.listing import text_index
from library.listing.file_query import FileQuery, split_terms
from library.listing.filters import FilterProblem, find_files, parse_query
from library.models import Recommendation, RecommendationState
from mediaflow.base.ids import read_id
from mediaflow.insights.rows import InsightRow, make_rows, with_films

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.db.models.expressions import RawSQL

    from library.models import MediaFile

PAGE_ROWS: Final = 50
EXACT_UP_TO: Final = 10_000
MAX_IDS: Final = 10_000
FEW_FILES: Final = 5_000
# Names that the library's filters understand, too.
SHARED_PARAMS: Final = ("recommendation", "library", "confidence", "severity", "q")
# Sort -> columns, each falling; ties are broken by the newest row.
SORTS: Final[dict[str, tuple[str, str]]] = {
    "priority": ("priority", "Most important"),
    "savings": ("savings_bytes", "Saves most"),
    "size": ("size_bytes", "Largest"),
    "confidence": ("confidence_pct", "Surest"),
    "new": ("", "Newest"),
}
STATES: Final = ("open", "accepted", "snoozed", "dismissed", "gone")


@dataclass(frozen=True, slots=True)
class InsightQuery:
    """A parsed list. `kinds` empty: all of them."""

    kinds: tuple[str, ...] = ()
    library_ids: tuple[int, ...] = ()
    least_confidence_pct: int = 0
    least_severity: int = 0
    text: str = ""
    state: str = RecommendationState.OPEN.value
    sort: str = "priority"

    def rows(self) -> QuerySet[Recommendation]:
        """What is asked for, unordered."""
        return self._among(Recommendation.objects.filter(state=self.state))

    def rows_by_words(self) -> QuerySet[Recommendation]:
        """The same, where SQLite begins with the films that have the words: an index by state would
        lead through 80,000 rows to the few about such a film. Without words as `rows`."""
        if not self.text:
            return self.rows()
        rows = Recommendation.objects.alias(is_in=Unindexed("state"))
        return self._among(rows.filter(is_in=self.state))

    def _among(self, found: QuerySet[Recommendation]) -> QuerySet[Recommendation]:
        if self.kinds:
            one = len(self.kinds) == 1
            found = found.filter(kind=self.kinds[0]) if one else found.filter(kind__in=self.kinds)
        if self.library_ids:
            found = found.filter(library__in=self.library_ids)
        if self.least_confidence_pct:
            found = found.filter(confidence_pct__gte=self.least_confidence_pct)
        if self.least_severity:
            found = found.filter(severity__gte=self.least_severity)
        return found.filter(file__in=_files_with(self.text)) if self.text else found


def _files_with(text: str) -> RawSQL | QuerySet[MediaFile, Any] | list[int]:
    """By the index of words; scripts without spaces are looked for in all texts, once."""
    terms = split_terms(text)
    is_latin = bool(terms) and all(term.isascii() for term in terms)
    if is_latin and text_index.is_asked_by_words(terms):
        return text_index.files_with_words(terms)
    files = find_files(FileQuery(terms=terms))
    ids = list(files.values_list("pk", flat=True)[: FEW_FILES + 1])
    return ids if len(ids) <= FEW_FILES else files.values("pk")


def read_query(params: QueryDict) -> InsightQuery:
    """From an address. Raises FilterProblem for a value that cannot be used."""
    shared = shared_params(params)
    parsed = parse_query(shared.urlencode())
    state, sort = params.get("state", "") or "open", params.get("sort", "") or "priority"
    if state not in STATES:
        raise FilterProblem("state", f"There is no such state; there are {', '.join(STATES)}.")
    if sort not in SORTS:
        raise FilterProblem("sort", f"There is no such order; there are {', '.join(SORTS)}.")
    wanted = parsed.recommended
    return InsightQuery(
        kinds=wanted.kinds if wanted else (),
        library_ids=tuple(sorted(parsed.facets.get("library", ()))),
        least_confidence_pct=wanted.least_confidence_pct if wanted else 0,
        least_severity=wanted.least_severity if wanted else 0,
        text=shared.get("q", "").strip(),
        state=state,
        sort=sort,
    )


def shared_params(params: QueryDict) -> QueryDict:
    """Only what the library's filters understand, too."""
    kept = QueryDict(mutable=True)
    for name in SHARED_PARAMS:
        if values := [value for value in params.getlist(name) if value.strip()]:
            kept.setlist(name, values)
    return kept


def own_params(params: QueryDict) -> QueryDict:
    """The whole list as an address: no page, no cursor."""
    kept = shared_params(params)
    for name in ("state", "sort"):
        if value := params.get(name, ""):
            kept[name] = value
    return kept


@dataclass(frozen=True, slots=True)
class InsightPage:
    """One page; `count` None: more than 10,000."""

    rows: list[InsightRow]
    count: int | None
    next_cursor: str
    is_first: bool

    @property
    def count_text(self) -> str:
        return f"{EXACT_UP_TO:,}+" if self.count is None else f"{self.count:,}"


def read_page(query: InsightQuery, cursor: str = "") -> InsightPage:
    """By keyset: the hundredth page costs what the first does. Two statements."""
    rows = query.rows_by_words()
    count = rows.order_by()[: EXACT_UP_TO + 1].count()
    if query.text and count > EXACT_UP_TO:
        rows = query.rows()  # in the order of an index the first of so many are soon found
    column = SORTS[query.sort][0]
    order = [f"-{column}"] if column else []
    place = _read_cursor(cursor) if cursor else None
    page = _after(rows, column, place) if place else rows
    keys = list(page.order_by(*order, "-pk").values_list("pk", column or "pk")[: PAGE_ROWS + 1])
    found = with_films(Recommendation.objects.filter(pk__in=[pk for pk, _ in keys])).in_bulk()
    last = keys[PAGE_ROWS - 1] if len(keys) > PAGE_ROWS else None
    return InsightPage(
        rows=make_rows(found[pk] for pk, _ in keys[:PAGE_ROWS] if pk in found),
        count=count if count <= EXACT_UP_TO else None,
        next_cursor=f"{last[0]}.{last[1] if column else ''}" if last else "",
        is_first=place is None,
    )


def _read_cursor(text: str) -> tuple[int, int | None] | None:
    """`<id>.<value>`; None for anything that this list did not make."""
    id_text, _, value = text.partition(".")
    pk, number = read_id(id_text), read_id(value)
    return None if pk is None or (value and number is None) else (pk, number)


def _after(
    rows: QuerySet[Recommendation], column: str, place: tuple[int, int | None]
) -> QuerySet[Recommendation]:
    pk, value = place
    if not column or value is None:
        return rows.filter(pk__lt=pk)
    beyond = Q(**{f"{column}__lt": value}) | Q(**{column: value, "pk__lt": pk})
    # Said twice, for the index: everything that comes is at most the value.
    return rows.filter(beyond, **{f"{column}__lte": value})


@dataclass(frozen=True, slots=True)
class InsightSelection:
    """Ticked recommendations, or with `is_all` everything that the list shows."""

    ids: tuple[int, ...] = ()
    query: str = ""
    is_all: bool = False

    @property
    def queryset(self) -> QuerySet[Recommendation]:
        if self.is_all:
            return read_query(QueryDict(self.query)).rows()
        return Recommendation.objects.filter(pk__in=self.ids)

    @property
    def is_empty(self) -> bool:
        return not (self.is_all or self.ids)

    def fields(self) -> list[dict[str, str]]:
        """Hidden fields that post the same selection again."""
        if self.is_all:
            return [{"name": "select", "value": "all"}, {"name": "q", "value": self.query}]
        return [{"name": "ids", "value": str(pk)} for pk in self.ids]


def read_selection(data: QueryDict) -> InsightSelection:
    """As posted. Raises FilterProblem for what is no selection."""
    if data.get("select") == "all":
        query = data.get("q", "")
        read_query(QueryDict(query))
        return InsightSelection(query=query, is_all=True)
    texts = data.getlist("ids")
    if len(texts) > MAX_IDS:
        raise FilterProblem("ids", f"Tick at most {MAX_IDS:,}, or choose all that match.")
    found = [read_id(text) for text in texts]
    ids = [pk for pk in found if pk is not None]
    if len(ids) < len(found):
        raise FilterProblem("ids", "The selection holds something else; tick again.")
    return InsightSelection(ids=tuple(dict.fromkeys(ids)))


def choices() -> dict[str, list[tuple[str, str]]]:
    """What the filters of the page offer besides libraries."""
    return {
        "recommendation": [(kind.slug, kind.title) for kind in KINDS.values()],
        "confidence": [("high", "High"), ("fair", "Fair or high")],
        "severity": [("high", "High"), ("medium", "Medium or high")],
        "state": [(name, str(RecommendationState(name).label)) for name in STATES],
        "sort": [(name, label) for name, (_column, label) in SORTS.items()],
    }
