"""How many files match a filter and how large they are: exact up to 10,000."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.listing.plan import narrow
from library.listing.selection import EXACT_UP_TO
from library.models import FileState, Library, MediaFile
from mediaflow.base.film_hooks import SavingsEstimate, estimate_savings, total_savings

if TYPE_CHECKING:
    from library.listing.file_query import FileQuery

# Estimates are added up for so many films; above, the figure would cost more than it tells.
ESTIMATED_UP_TO = 2_000


@dataclass(frozen=True, slots=True)
class Summary:
    """`count` None: more than 10,000; nothing else is known then."""

    count: int | None
    size_bytes: int | None
    save: SavingsEstimate | None = None


def summarize(query: FileQuery) -> Summary:
    """Reads at most 10,001 files."""
    if query.is_empty:
        rows = Library.objects.values_list("file_count", "total_bytes")
        counts = [count for count, _ in rows]
        if sum(counts) > EXACT_UP_TO:
            return Summary(sum(counts), sum(size for _, size in rows))
    matching = MediaFile.objects.filter(query.condition() & narrow(query))
    sizes = list(matching.values_list("size_bytes", flat=True)[: EXACT_UP_TO + 1])
    if len(sizes) > EXACT_UP_TO:
        return Summary(None, None)
    save = None
    if len(sizes) <= ESTIMATED_UP_TO:
        new = list(matching.filter(state=FileState.NEW))
        save = total_savings(estimate_savings(new).values())
    return Summary(len(sizes), sum(sizes), save)
