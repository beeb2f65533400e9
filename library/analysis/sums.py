"""Recommendations added up: by state, kind, library, basis and confidence, in a few small rows.

`recount` reads all of them, at the end of a run. A decision measures what it touches before and
after, and moves the difference: the page never reads 80,000 rows to print a dozen figures.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from library.models import (
    AnalysisSize,
    MediaFile,
    Recommendation,
    RecommendationState,
    RecommendationSum,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import Model, QuerySet
    from django.db.models.expressions import Combinable

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


def recount(*, has_sizes: bool = False) -> None:
    """Add everything up anew: grouped statements over all recommendations. `has_sizes`: within a
    run, whose table of sizes spares a look at each film for each of them.

    Of many that takes seconds, in which SQLite's only writer must not be kept: the sums are
    measured first and written if no decision has moved them meanwhile.
    """
    for _ in range(RECOUNT_TRIES):
        before = _kept()
        sums = _measure_all(has_sizes)
        with transaction.atomic():
            if _kept() == before:
                _replace(sums)
                return
    with transaction.atomic():
        _replace(_measure_all(has_sizes))


def _kept() -> set[tuple[Any, ...]]:
    return set(RecommendationSum.objects.values_list())


def _replace(sums: Mapping[Key, Amounts]) -> None:
    RecommendationSum.objects.all().delete()
    RecommendationSum.objects.bulk_create(
        _row(key, amounts) for key, amounts in sums.items() if any(amounts)
    )


def _measure_all(has_sizes: bool) -> dict[Key, Amounts]:
    """As `measure` of all rows; films are added up in the database."""
    rows = Recommendation.objects.all()
    return {**_by_kind(rows, _size_of_file(has_sizes)), **_by_library(has_sizes)}


def _size_tables(has_sizes: bool) -> tuple[type[Model], ...]:
    """Where a film's size is looked up: in the list only if the run did not look at it."""
    return (AnalysisSize, MediaFile) if has_sizes else (MediaFile,)


def _size_of_file(has_sizes: bool) -> Combinable:
    found = [
        Subquery(model._default_manager.filter(pk=OuterRef("file_id")).values("size_bytes"))
        for model in _size_tables(has_sizes)
    ]
    return Coalesce(*found, Value(0), output_field=BigIntegerField())


def _by_library(has_sizes: bool) -> dict[Key, Amounts]:
    """Of ALL_KINDS. Films come in the order of an index, so that nothing is sorted."""
    counts = Q(state=RecommendationState.OPEN, savings_bytes__gt=0)
    films = (
        Recommendation.objects.filter(file__isnull=False)
        .order_by()
        .values("file_id")
        .annotate(
            home=Max("library_id", filter=counts),
            saved=Max("savings_bytes", filter=counts),
            low=Max("savings_low_bytes", filter=counts),
            high=Max("savings_high_bytes", filter=counts),
        )
    )
    sql, params = films.query.sql_with_params()
    quote = connection.ops.quote_name
    sizes = ", ".join(
        f"(SELECT size_bytes FROM {quote(model._meta.db_table)} WHERE id = films.file_id)"
        for model in _size_tables(has_sizes)
    )
    statement = (
        "SELECT home, COUNT(*), SUM(saved), SUM(low), SUM(high),"
        f" SUM(COALESCE({sizes}, 0)) FROM ({sql}) films WHERE saved IS NOT NULL GROUP BY home"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found = cursor.fetchall()
    state = RecommendationState.OPEN.value
    return {
        (state, ALL_KINDS, int(home), "", 0): (
            int(count), int(saved), int(low), int(high), int(size)
        )
        for home, count, saved, low, high, size in found
    }  # fmt: skip


def measure(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    """The sums of some recommendations; with those of ALL_KINDS the films of them count once.

    Give all open ones of a film, or the figures of ALL_KINDS are too low.
    """
    return {**_by_kind(rows, F("file__size_bytes")), **_by_film(rows)}


def _by_kind(rows: QuerySet[Recommendation], size: Combinable) -> dict[Key, Amounts]:
    band = Case(
        When(confidence_pct__gte=HIGH_FROM_PCT, then=Value(HIGH)),
        When(confidence_pct__gte=FAIR_FROM_PCT, then=Value(FAIR)),
        default=Value(LOW),
    )
    found = (
        rows.order_by()
        .annotate(band=band)
        .values_list("state", "kind", "library_id", "basis", "band")
        .annotate(
            n=Count("pk"),
            saved=Sum("savings_bytes"),
            low=Sum("savings_low_bytes"),
            high=Sum("savings_high_bytes"),
            size=Coalesce(Sum(size), Value(0)),
        )
    )
    return {row[:5]: row[5:] for row in found}


def _films(rows: QuerySet[Recommendation]) -> QuerySet[Any, Any]:
    """Each film once, with what saves most."""
    return (
        rows.filter(state=RecommendationState.OPEN, file__isnull=False, savings_bytes__gt=0)
        .order_by()
        .values("file_id", "library_id")
        .annotate(
            saved=Max("savings_bytes"),
            low=Max("savings_low_bytes"),
            high=Max("savings_high_bytes"),
            size=Max("file__size_bytes"),
        )
    )


def _by_film(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    films = _films(rows).values_list("library_id", "saved", "low", "high", "size")
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for library_id, *amounts in films.iterator(chunk_size=10_000):
        entry = sums[(RecommendationState.OPEN.value, ALL_KINDS, library_id, "", 0)]
        entry[0] += 1
        for place, amount in enumerate(amounts, start=1):
            entry[place] += amount
    return {key: (e[0], e[1], e[2], e[3], e[4]) for key, e in sums.items()}


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
