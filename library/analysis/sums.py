"""Recommendations added up: by state, kind, library, basis and confidence, in a few small rows.

`recount` reads all of them, at the end of a run. A decision measures what it touches before and
after, and moves the difference: the page never reads 80,000 rows to print a dozen figures.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Case, Count, F, Max, Sum, Value, When
from django.db.models.functions import Coalesce

from library.models import Library, Recommendation, RecommendationState, RecommendationSum

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


def band_range(band: int) -> tuple[int, int]:
    """Lowest and highest per cent of a band."""
    return {LOW: (0, FAIR_FROM_PCT - 1), FAIR: (FAIR_FROM_PCT, HIGH_FROM_PCT - 1)}.get(
        band, (HIGH_FROM_PCT, 100)
    )


def recount() -> None:
    """Add everything up anew: grouped statements over all recommendations.

    Of many that takes seconds, in which SQLite's only writer must not be kept: the sums are
    measured first and written if no decision has moved them meanwhile.
    """
    for _ in range(RECOUNT_TRIES):
        before = _kept()
        sums = _measure_all()
        with transaction.atomic():
            if _kept() == before:
                _replace(sums)
                return
    with transaction.atomic():
        _replace(_measure_all())


def _kept() -> set[tuple[Any, ...]]:
    return set(RecommendationSum.objects.values_list())


def _replace(sums: Mapping[Key, Amounts]) -> None:
    RecommendationSum.objects.all().delete()
    RecommendationSum.objects.bulk_create(
        _row(key, amounts) for key, amounts in sums.items() if any(amounts)
    )


def _measure_all() -> dict[Key, Amounts]:
    """As `measure` of all rows; films are added up in the database, by library."""
    rows = Recommendation.objects.all()
    sums = _by_kind(rows)
    for library_id in Library.objects.values_list("pk", flat=True):
        films = _films(rows.filter(library_id=library_id)).values("saved", "low", "high", "size")
        found = films.aggregate(
            n=Count("saved"), s=Sum("saved"), low_s=Sum("low"), high_s=Sum("high"), b=Sum("size")
        )
        if found["n"]:
            key = (RecommendationState.OPEN.value, ALL_KINDS, library_id, "", 0)
            sums[key] = (found["n"], found["s"], found["low_s"], found["high_s"], found["b"])
    return sums


def measure(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
    """The sums of some recommendations; with those of ALL_KINDS the films of them count once.

    Give all open ones of a film, or the figures of ALL_KINDS are too low.
    """
    return {**_by_kind(rows), **_by_film(rows)}


def _by_kind(rows: QuerySet[Recommendation]) -> dict[Key, Amounts]:
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
            size=Coalesce(Sum("file__size_bytes"), Value(0)),
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
