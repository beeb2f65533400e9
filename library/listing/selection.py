"""What a bulk action is for: ticked files, or everything that a filter matches.

A form posts `ids` (repeated), or `select=all` and the filter's query string as `q`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from library.listing.filters import FilterProblem, files_matching
from library.models import MediaFile
from mediaflow.base.ids import read_id

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import QueryDict

    from mediaflow.accounts.models import User

EXACT_UP_TO: Final = 10_000
MAX_IDS: Final = 10_000


class SelectionProblem(Exception):
    """A selection that cannot be used; the text says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class FileSelection:
    """Either `ids`, or with `is_all` the files that `query` matches now."""

    ids: tuple[int, ...] = ()
    query: str = ""
    is_all: bool = False

    @property
    def queryset(self) -> QuerySet[MediaFile]:
        """The files, unordered. Evaluated when used: what matches may change meanwhile."""
        if self.is_all:
            return files_matching(self.query)
        return MediaFile.objects.filter(pk__in=self.ids, removed_from_list_at=None)

    @property
    def is_empty(self) -> bool:
        return not self.is_all and not self.ids

    @property
    def names_one_film(self) -> bool:
        """A person named this film and no other."""
        return not self.is_all and len(self.ids) == 1

    @property
    def count(self) -> int | None:
        """Exact up to 10,000; None beyond (an Operation counts exactly)."""
        if self.is_all:
            found = files_matching(self.query)[: EXACT_UP_TO + 1].count()
            return found if found <= EXACT_UP_TO else None
        return self.queryset.count()

    def describe(self, exact: int | None = None) -> str:
        """For a button or an audit line: "3 films", "10,000+ films that match size_min=20GB".

        `exact`: what an operation counted.
        """
        count = self.count if exact is None else exact
        figure = f"{EXACT_UP_TO:,}+" if count is None else f"{count:,}"
        noun, verb = ("film", "matches") if count == 1 else ("films", "match")
        condition = f" that {verb} {self.query}" if self.is_all and self.query else ""
        return f"{figure} {noun}{condition}"

    def as_fields(self) -> list[dict[str, str]]:
        """Hidden fields that post the same selection again."""
        if self.is_all:
            return [{"name": "select", "value": "all"}, {"name": "q", "value": self.query}]
        return [{"name": "ids", "value": str(pk)} for pk in self.ids]


def read_selection(data: QueryDict, user: User) -> FileSelection:
    """From a posted form. Everybody may see the whole list, so `user` limits nothing yet.

    Raises SelectionProblem for ids that are no numbers, too many ids, or a wrong filter.
    """
    if data.get("select") == "all":
        query = data.get("q", "")
        try:
            files_matching(query)
        except FilterProblem as problem:
            raise SelectionProblem(f"The filter cannot be used: {problem}") from None
        return FileSelection(query=query, is_all=True)
    texts = data.getlist("ids")
    if len(texts) > MAX_IDS:
        raise SelectionProblem(f"Select at most {MAX_IDS:,} films by hand, or all that match.")
    ids = tuple(dict.fromkeys(_film_id(text) for text in texts))
    return FileSelection(ids=ids)


def _film_id(text: str) -> int:
    found = read_id(text)
    if found is None:
        raise SelectionProblem("The selection holds something that is no film; select again.")
    return found
