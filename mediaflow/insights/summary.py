"""The insights page: figures, health, savings, and recommendations by kind with their first films.

The kept sums (`library.analysis.sums`) and a few index seeks per kind: what it costs does not
depend on how many recommendations are open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.http import QueryDict
from django.urls import reverse

from library.analysis import sums
from library.analysis.figures import read_figures
from library.analysis.health import score_health
from library.analysis.kinds import KINDS
from library.analysis.services import ANALYZE
from library.models import AnalysisRun, Library, Recommendation, RecommendationState
from mediaflow.analytics.charts import savings_chart
from mediaflow.analytics.savings import PERIODS, points_of, predictions_that_held, read_savings
from mediaflow.base.operation_fragment import operation_context
from mediaflow.base.operations import active_operations
from mediaflow.insights.rows import make_rows, read_by_ids
from transcode.models import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from library.analysis.health import Health
    from library.analysis.kind import AnalysisKind
    from library.analysis.sums import Tally
    from library.models import RecommendationSum
    from mediaflow.accounts.models import User
    from mediaflow.analytics.charts import SavingsChart
    from mediaflow.analytics.savings import Savings
    from mediaflow.insights.rows import InsightRow

FIRST_FILMS: Final = 3
OPEN: Final = RecommendationState.OPEN
# What an estimate's basis is called beside the confidence.
BASIS_WORDS: Final = {
    "learned": "learned from jobs",
    "sampled": "sampled",
    "rule": "rule of thumb",
    "bitrate": "from bit rate",
    "fallback": "rough guess",
    "typical": "usual for such sound",
    "counted": "counted",
}


@dataclass(frozen=True, slots=True)
class KindCard:
    """One kind of recommendation: what it is about, how much, how sure, and where to go."""

    kind: AnalysisKind
    total: Tally
    band: int
    confidence_word: str
    basis_word: str
    first: tuple[InsightRow, ...]
    queue_fields: tuple[tuple[str, str], ...]
    preset_name: str
    list_url: str
    library_url: str
    list_query: str
    is_open: bool

    @property
    def noun(self) -> str:
        return "group" if self.kind.is_group else "film"


@dataclass(frozen=True, slots=True)
class LibraryGrade:
    name: str
    url: str
    grade: str
    score: int


@dataclass(frozen=True, slots=True)
class InsightsPage:
    """Everything the page prints."""

    libraries: Sequence[Library]
    library: Library | None
    run: AnalysisRun | None
    operations: list[dict[str, Any]]
    total: Tally
    library_bytes: int
    savings: Savings
    held: int
    predicted: int
    health: Health | None
    grades: tuple[LibraryGrade, ...]
    chart: SavingsChart
    periods: tuple[tuple[str, str, str], ...]  # key, label, address
    period: str
    kinds: tuple[KindCard, ...]
    shows_high_only: bool
    counts: Mapping[str, int]  # by state
    may_decide: bool

    @property
    def is_live(self) -> bool:
        return bool(self.operations)

    @property
    def saved_pct(self) -> float:
        """Of what the library takes."""
        return 100 * self.total.savings_bytes / self.library_bytes if self.library_bytes else 0.0

    @property
    def held_pct(self) -> float | None:
        return 100 * self.held / self.predicted if self.predicted else None


def read_insights(params: QueryDict, user: User) -> InsightsPage:
    """From the address: `library`, `show` (high), `period`. Unknown values are passed over."""
    libraries = list(Library.objects.only("name", "file_count", "total_bytes"))
    wanted = params.get("library", "")
    library = next((row for row in libraries if str(row.pk) == wanted), None)
    library_id = library.pk if library else None
    period = params.get("period", "")
    period = period if period in {key for key, _label, _days in PERIODS} else "year"
    tallies = sums.read_tallies(library_id)
    is_high = params.get("show") == "high"
    savings = read_savings(library_id)
    held, predicted = predictions_that_held()
    figures = read_figures()
    shown = [library] if library else libraries
    return InsightsPage(
        libraries=libraries,
        library=library,
        run=_last_run(library_id),
        operations=_operations(user),
        total=sums.tally(row for row in tallies if row.state == OPEN and not row.kind),
        library_bytes=sum(row.total_bytes for row in shown),
        savings=savings,
        held=held,
        predicted=predicted,
        health=score_health(figures.of_library(library_id)) if figures else None,
        grades=_grades(libraries, figures) if figures and not library else (),
        chart=savings_chart(points_of(savings, period), savings.waiting),
        periods=tuple((key, label, _address(params, period=key)) for key, label, _ in PERIODS),
        period=period,
        kinds=_kinds(tallies, library_id, is_high=is_high, opened=params.get("open", "")),
        shows_high_only=is_high,
        counts={
            state: sums.tally(r for r in tallies if r.state == state and r.kind).count
            for state in RecommendationState.values
        },
        may_decide=user.is_operator,
    )


def _last_run(library_id: int | None) -> AnalysisRun | None:
    """The newest that looked at what is shown."""
    runs = AnalysisRun.objects.filter(finished_at__isnull=False).order_by("-id")
    whole = runs.filter(library=None)
    return (whole if library_id is None else runs.filter(library=library_id) | whole).first()


def _operations(user: User) -> list[dict[str, Any]]:
    active = active_operations().filter(kind=ANALYZE)
    return [operation_context(row, may_cancel=user.is_operator) for row in active.order_by("id")]


def _grades(libraries: Sequence[Library], figures: Any) -> tuple[LibraryGrade, ...]:
    """Of each library, where there are several."""
    if len(libraries) < 2:
        return ()
    found = [(library, score_health(figures.of_library(library.pk))) for library in libraries]
    return tuple(
        LibraryGrade(
            library.name, f"{reverse('insights')}?library={library.pk}", health.grade, health.score
        )
        for library, health in found
        if health is not None
    )


def _address(params: QueryDict, **changed: str) -> str:
    kept = QueryDict(mutable=True)
    for name in ("library", "show", "period"):
        if value := changed.get(name, params.get(name, "")):
            kept[name] = value
    return f"{reverse('insights')}?{kept.urlencode()}"


def _kinds(
    tallies: Sequence[RecommendationSum], library_id: int | None, *, is_high: bool, opened: str
) -> tuple[KindCard, ...]:
    chosen: dict[str, list[RecommendationSum]] = {}
    for row in tallies:
        is_wanted = not is_high or row.confidence_band == sums.HIGH
        if row.state == OPEN and row.kind in KINDS and row.count and is_wanted:
            chosen.setdefault(row.kind, []).append(row)
    ids = {slug: _first_ids(slug, library_id, is_high=is_high) for slug in KINDS if slug in chosen}
    rows = {
        row.id: row
        for row in make_rows(read_by_ids([pk for found in ids.values() for pk in found]))
    }
    presets = dict(Preset.objects.values_list("slug", "name"))
    cards = [
        _card(
            KINDS[slug],
            found,
            tuple(rows[pk] for pk in ids[slug] if pk in rows),
            library_id,
            presets,
            is_high=is_high,
            is_open=slug == opened,
        )
        for slug, found in chosen.items()
    ]
    # What saves most stands first; what saves nothing keeps the order of the kinds.
    return tuple(sorted(cards, key=lambda c: (-c.total.savings_bytes, c.kind.order)))


def _first_ids(slug: str, library_id: int | None, *, is_high: bool) -> list[int]:
    """The most important of a kind: one seek in the index of kind and priority."""
    rows = Recommendation.objects.filter(state=OPEN, kind=slug)
    if library_id is not None:
        rows = rows.filter(library=library_id)
    if is_high:
        rows = rows.filter(confidence_pct__gte=sums.HIGH_FROM_PCT)
    return list(rows.order_by("-priority", "-id").values_list("pk", flat=True)[:FIRST_FILMS])


def _card(
    kind: AnalysisKind,
    found: Sequence[RecommendationSum],
    first: tuple[InsightRow, ...],
    library_id: int | None,
    presets: Mapping[str, str],
    *,
    is_high: bool,
    is_open: bool,
) -> KindCard:
    band = _usual(found, "confidence_band")
    query = QueryDict(mutable=True)
    query["recommendation"] = kind.slug
    if library_id is not None:
        query["library"] = str(library_id)
    if is_high:
        query["confidence"] = "high"
    text = query.urlencode()
    return KindCard(
        kind=kind,
        total=sums.tally(found),
        band=band,
        confidence_word=sums.BAND_WORDS[band],
        basis_word=BASIS_WORDS.get(_usual(found, "basis"), "looked at"),
        first=first,
        queue_fields=(
            ("select", "all"), ("q", text), ("preset", kind.preset), ("cause", kind.slug),
        ),
        preset_name=presets.get(kind.preset, ""),
        list_url=f"{reverse('insight_list')}?{text}",
        library_url=f"{reverse('library:file_list')}?{text}",
        list_query=text,
        is_open=is_open,
    )  # fmt: skip


def _usual(found: Sequence[RecommendationSum], name: str) -> Any:
    """The value that most of them have."""
    counts: dict[Any, int] = {}
    for row in found:
        counts[getattr(row, name)] = counts.get(getattr(row, name), 0) + row.count
    return max(counts, key=lambda value: counts[value])
