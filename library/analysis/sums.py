"""Recommendations added up: by state, kind, library, basis and confidence, in a few small rows.

`recount` reads all of them, at the end of a run. A decision measures what it touches before and
after, and moves the difference: the page never reads 80,000 rows to print a dozen figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import (
    Case,
    Count,
    F,
    Max,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from library.analysis.unindexed import Unindexed
from library.models import (
    Recommendation,
    RecommendationState,
    RecommendationSum,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

# Confidence in words; the analysers say how sure they are in per cent.
HIGH_FROM_PCT: Final = 75
FAIR_FROM_PCT: Final = 45
LOW, FAIR, HIGH = 1, 2, 3
BAND_WORDS: Final = {LOW: "Low", FAIR: "Fair", HIGH: "High"}
RECOUNT_TRIES: Final = 3
# The kind of the rows in which each film counts once, with what saves most.
ALL_KINDS: Final = ""
FIELDS: Final = (
    *("count", "savings_bytes", "savings_low_bytes", "savings_high_bytes", "file_bytes"),
)

Key = tuple[str, str, int, str, int]  # state, kind, library, basis, band
Amounts = tuple[int, int, int, int, int]  # as FIELDS
NOTHING: Final[Amounts] = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of one selection of rows, as pages show them."""

    count: int = 0
    savings_bytes: int = 0
    savings_low_bytes: int = 0
    savings_high_bytes: int = 0
    file_bytes: int = 0


def confidence_band(pct: int) -> int:
    return HIGH if pct >= HIGH_FROM_PCT else FAIR if pct >= FAIR_FROM_PCT else LOW


def recount() -> None:
    """Add everything up anew: two grouped statements over all recommendations.

    Of many that takes seconds, in which SQLite's only writer must not be kept: the sums are
    measured first and written if no decision has moved them meanwhile.
    """
    everything = Recommendation.objects.all()
    for _ in range(RECOUNT_TRIES):
        before = _kept()
        sums = measure(everything)
        with transaction.atomic():
            if _kept() == before:
                _replace(sums)
                return
    with transaction.atomic():
        _replace(measure(everything))


def _kept() -> set[tuple[Any, ...]]:
    return set(RecommendationSum.objects.values_list())


def _replace(sums: Mapping[Key, Amounts]) -> None:
    RecommendationSum.objects.all().delete()
    RecommendationSum.objects.bulk_create(
        _row(key, amounts) for key, amounts in sums.items() if any(amounts)
    )


def _by_library(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    """Of ALL_KINDS: each film once, with what saves most."""
    films = (
        rows.annotate(is_open=Unindexed("state"), film=Unindexed("file_id"))
        .filter(is_open=RecommendationState.OPEN, film__isnull=False, savings_bytes__gt=0)
        .order_by()
        .values("film", "library_id")
        .annotate(
            saved=Max("savings_bytes"),
            low=Max("savings_low_bytes"),
            high=Max("savings_high_bytes"),
            size=Max("size_bytes"),
        )
    )
    sql, params = films.query.sql_with_params()
    statement = (
        "SELECT library_id, COUNT(*), SUM(saved), SUM(low), SUM(high), SUM(size)"
        f" FROM ({sql}) films GROUP BY library_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found = cursor.fetchall()
    state = RecommendationState.OPEN.value
    return {
        (state, ALL_KINDS, int(library_id), "", 0): _whole(amounts)
        for library_id, *amounts in found
    }


def _whole(amounts: Iterable[Any]) -> Amounts:
    """PostgreSQL adds up to decimals."""
    count, saved, low, high, size = map(int, amounts)
    return count, saved, low, high, size


def measure(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    """The sums of some recommendations; with those of ALL_KINDS the films of them count once.

    Give all open ones of a film, or the figures of ALL_KINDS are too low.
    """
    return {**_by_kind(rows), **_by_library(rows)}


def _by_kind(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    band = Case(
        When(confidence_pct__gte=HIGH_FROM_PCT, then=Value(HIGH)),
        When(confidence_pct__gte=FAIR_FROM_PCT, then=Value(FAIR)),
        default=Value(LOW),
    )
    found = (
        rows.order_by()
        .annotate(band=band, in_state=Unindexed("state"))
        .values_list("in_state", "kind", "library_id", "basis", "band")
        .annotate(
            n=Count("pk"),
            saved=Sum("savings_bytes"),
            low=Sum("savings_low_bytes"),
            high=Sum("savings_high_bytes"),
            size=Coalesce(Sum("size_bytes", filter=Q(file__isnull=False)), Value(0)),
        )
    )
    return {row[:5]: row[5:] for row in found}


def move_sums(before: Mapping[Key, Amounts], after: Mapping[Key, Amounts]) -> None:
    """Adjust the kept rows by a difference. Inside the transaction that made it."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, NOTHING), after.get(key, NOTHING)
        if old == new:
            continue
        state, kind, library_id, basis, band = key
        row, _made = RecommendationSum.objects.get_or_create(
            state=state, kind=kind, library_id=library_id, basis=basis, confidence_band=band
        )
        change = {
            name: F(name) + (b - a) for name, a, b in zip(FIELDS, old, new, strict=True) if a != b
        }
        RecommendationSum.objects.filter(pk=row.pk).update(**change)


def read_tallies(library_id: int | None = None) -> list[RecommendationSum]:
    """The kept rows, of one library or all: a few dozen. One statement."""
    rows = RecommendationSum.objects.all()
    return list(rows if library_id is None else rows.filter(library_id=library_id))


def tally(rows: Iterable[RecommendationSum]) -> Tally:
    """Several kept rows as one."""
    found = list(rows)
    return Tally(*(sum(getattr(row, name) for row in found) for name in FIELDS))


def _row(key: Key, amounts: Amounts) -> RecommendationSum:
    state, kind, library_id, basis, band = key
    return RecommendationSum(
        state=state, kind=kind, library_id=library_id, basis=basis, confidence_band=band,
        **dict(zip(FIELDS, amounts, strict=True)),
    )  # fmt: skip
