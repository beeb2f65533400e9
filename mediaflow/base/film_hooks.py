"""What upper rooms add to the library's pages, through hooks of `mediaflow.base.hooks`.

| hook | callee | returns |
|---|---|---|
| `film_panels` | `(request, file)` | `FilmPanel`, or None for nothing |
| `bulk_actions` | `(user)` | `BulkAction`, or None where the user may not |
| `savings_estimator` | `(files, preset_slug)` | `SavingsEstimate` by file id |
| `savings_expression` | `(preset_slug)` | `SavingsExpression`, or None without such a preset |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mediaflow.base.hooks import hooked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from django.db.models import Model
    from django.db.models.expressions import Combinable
    from django.http import HttpRequest

    from mediaflow.accounts.models import User


@dataclass(frozen=True, slots=True)
class SavingsEstimate:
    """Bytes that encoding a film would save: expected, and the range 9 of 10 lie in."""

    expected: int
    low: int
    high: int
    basis: str  # "sampled", "learned" or "rule"
    text: str = ""  # one sentence: where the figure comes from


@dataclass(frozen=True, slots=True)
class SavedBytes:
    """What a film would save, as expressions of the database. Where `expected` is 0 it would not
    get smaller (enough), and the others mean nothing."""

    expected: Combinable
    low: Combinable
    high: Combinable
    basis: Combinable  # "learned", "rule", "bitrate" or "fallback"


@dataclass(frozen=True, slots=True)
class SavingsExpression:
    """The same estimate as `savings_estimator`, for a million films in one statement.

    `parts` are the costly half, over the columns of MediaFile: annotate or store each as
    `<prefix><name>`. `finish(prefix)` is the cheap half: it needs these, and the columns
    `size_bytes`, `video_codec` and `resolution` of the same row.
    """

    parts: Mapping[str, Combinable]
    finish: Callable[[str], SavedBytes]


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A button of the bar that appears with a selection. Posts the selection (`ids`, or
    `select=all` and `q`) to `url`, which shows a preview and changes nothing."""

    label: str  # a verb: "Queue"
    url: str
    icon: str = ""
    is_primary: bool = False
    presets: tuple[dict[str, Any], ...] = ()  # value, label, is_default; posted as `preset`
    note: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a film's history; the fields of `components/_timeline.html`."""

    at: datetime
    title: str
    kind: str = ""  # "ok", "bad" or ""
    icon: str = ""
    sub: str = ""
    link: str = ""
    link_text: str = ""
    undo_url: str = ""
    undo_note: str = ""
    log_url: str = ""


@dataclass(frozen=True, slots=True)
class FilmPanel:
    """A part of the film page: a card (`template`), lines of its history, figures on top."""

    template: str = ""  # rendered with `context`; brings its own <section class="card">
    context: dict[str, Any] = field(default_factory=dict)
    place: str = "side"  # or "main"
    timeline: tuple[TimelineEntry, ...] = ()
    stats: tuple[dict[str, Any], ...] = ()  # label, figure, note, tone: `components/_stat.html`


def film_panels(request: HttpRequest, file: Model) -> list[FilmPanel]:
    """What all rooms show of a film, in the order in which they registered."""
    found = (callee(request, file) for callee in hooked("film_panels"))
    return [panel for panel in found if panel is not None]


def bulk_actions(user: User) -> list[BulkAction]:
    """What may be done to a selection, the primary action first."""
    found = (callee(user) for callee in hooked("bulk_actions"))
    actions = [action for action in found if action is not None]
    return sorted(actions, key=lambda action: not action.is_primary)


def estimate_savings(
    files: Sequence[Model], preset_slug: str = ""
) -> Mapping[int, SavingsEstimate]:
    """Per file id what encoding would save; files without an estimate are left out."""
    estimates: dict[int, SavingsEstimate] = {}
    for callee in hooked("savings_estimator"):
        estimates.update(callee(files, preset_slug))
    return estimates


def savings_expression(preset_slug: str) -> SavingsExpression | None:
    """What a preset would save, for statements over many films; None where nobody can say."""
    found = (callee(preset_slug) for callee in hooked("savings_expression"))
    return next((expression for expression in found if expression is not None), None)


def total_savings(estimates: Iterable[SavingsEstimate]) -> SavingsEstimate | None:
    """The sum; None for nothing. Its basis is the weakest of them."""
    rows = list(estimates)
    if not rows:
        return None
    found = {row.basis for row in rows}
    weakest = next((basis for basis in ("rule", "learned", "sampled") if basis in found), "")
    return SavingsEstimate(
        expected=sum(row.expected for row in rows),
        low=sum(row.low for row in rows),
        high=sum(row.high for row in rows),
        basis=weakest,
    )
