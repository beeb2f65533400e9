"""What an analyser gets to look with, and how it writes down what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, F, Field, JSONField, Max, Q, Value
from django.db.models.functions import Greatest, JSONObject
from django.db.models.lookups import GreaterThanOrEqual

from library.analysis.scratch import fill
from library.models import AnalysisFact, AnalysisFinding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.db.models import QuerySet
    from django.db.models.expressions import Combinable

    from library.analysis.facts import Savings, Scope
    from library.analysis.kind import AnalysisKind
    from mediaflow.base.film_hooks import SavedBytes


@dataclass(frozen=True, slots=True)
class Look:
    """One run as an analyser sees it. `settings` are those of the group "insights"."""

    scope: Scope
    settings: Mapping[str, Any]
    now: datetime
    savings: Savings

    @property
    def films(self) -> QuerySet[AnalysisFact]:
        return AnalysisFact.objects.order_by("pk")

    @property
    def free_films(self) -> QuerySet[AnalysisFact]:
        """Those that may be encoded."""
        return self.films.filter(is_free=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """What to say of each row of a query. Severity or confidence 0: by savings and their basis."""

    severity: Combinable | int = 0
    confidence_pct: Combinable | int = 0
    weight_pct: int = 100
    saved: SavedBytes | None = None
    figures: Mapping[str, Combinable] = field(default_factory=dict)


def add_films(kind: AnalysisKind, films: QuerySet[AnalysisFact], finding: Finding) -> int:
    """One finding for each film of the query. Returns how many."""
    columns = _columns(kind, finding) | {
        "library_id": F("library_id"),
        "file_id": F("pk"),
        "size_bytes": F("size_bytes"),
    }
    return fill(AnalysisFinding, films, columns)


def add_groups(
    kind: AnalysisKind, groups: QuerySet[Any], finding: Finding, columns: Mapping[str, Combinable]
) -> int:
    """One finding for each row of a grouped query; `columns` give library, key, count, size."""
    return fill(AnalysisFinding, groups, _columns(kind, finding) | dict(columns))


def _columns(kind: AnalysisKind, finding: Finding) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "kind": _value("kind", kind.slug),
        "group_key": _value("group_key", ""),
        "member_count": _value("member_count", 1),
        "severity": _or_value("severity", finding.severity),
        "confidence_pct": _or_value("confidence_pct", finding.confidence_pct),
        "weight_pct": _value("weight_pct", finding.weight_pct),
        "figures": JSONObject(**finding.figures) if finding.figures else _value("figures", {}),
    }
    saved = finding.saved
    if saved is None:
        zero = Value(0, output_field=BigIntegerField())
        names = ("savings_bytes", "savings_low_bytes", "savings_high_bytes")
        return columns | dict.fromkeys(names, zero) | {"basis": _value("basis", "")}
    return columns | {
        "savings_bytes": saved.expected,
        "savings_low_bytes": saved.low,
        "savings_high_bytes": saved.high,
        "basis": saved.basis,
    }


def _or_value(name: str, value: Combinable | int) -> Any:
    return _value(name, value) if isinstance(value, int) else value


def _value(name: str, value: Any) -> Value:
    """A constant of the column's type."""
    field_of = AnalysisFinding._meta.get_field(name)
    assert isinstance(field_of, Field)
    assert not isinstance(field_of, JSONField) or value == {}
    return Value(value, output_field=field_of)


def last_finding() -> int:
    """The newest id; 0 for none."""
    newest: int | None = AnalysisFinding.objects.aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def worth_it(saved: SavedBytes, settings: Mapping[str, Any]) -> Q:
    """Whether a film would get smaller by enough to be worth a sentence.

    The saving is a long expression: it is named once.
    """
    least_bytes = max(1, settings["insights_min_saving_mb"] * 1_000_000)
    share = F("size_bytes") * Value(settings["insights_min_saving_pct"]) + Value(99)
    return Q(GreaterThanOrEqual(saved.expected, Greatest(Value(least_bytes), share / Value(100))))


def days_ago(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def idle_films(look: Look, candidates: Q, saved: SavedBytes) -> QuerySet[AnalysisFact]:
    """Films that may be encoded, would get smaller and were not played for long."""
    return look.free_films.filter(
        candidates,
        worth_it(saved, look.settings),
        idle_since__lte=days_ago(look.now, look.settings["insights_idle_days"]),
    )


def found_by(kind: AnalysisKind) -> QuerySet[AnalysisFinding]:
    """The films that an analyser before this one has written down."""
    return AnalysisFinding.objects.filter(kind=kind.slug, file__isnull=False)
