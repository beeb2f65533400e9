"""Batches: many films alike that can be queued together, a season or a kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, CharField, Count, F, Func, Max, Sum, Value, When
from django.db.models.functions import Cast, Left

from library.analysis.analysers import codec
from library.analysis.findings import Finding, add_groups, found_by
from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words
from library.listing.labels import container_label, resolution_label, video_codec_label
from library.models import Recommendation, RecommendationState
from mediaflow.base.film_hooks import SavedBytes

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

    from library.analysis.findings import Look

# A show's name may be longer than a key.
_SHOW_LENGTH = 120
# Named one by one, for an index by state.
DECIDED: Final = (
    RecommendationState.ACCEPTED, RecommendationState.DISMISSED, RecommendationState.SNOOZED
)  # fmt: skip


def group_key(prefix: str = "") -> Combinable:
    """What is alike: library, codec, size, container, and for episodes show and season.

    `prefix` leads to the columns of a file, which are named alike in the facts of a run.
    """
    return _Joined(
        Cast(f"{prefix}library_id", CharField()),
        F(f"{prefix}video_codec"),
        Cast(f"{prefix}resolution", CharField()),
        F(f"{prefix}container"),
        _season(prefix),
        Left(f"{prefix}show_title", _SHOW_LENGTH),
        output_field=CharField(),
    )


class _Joined(Func):
    """Texts that are never null, with a bar between. Django's Concat asks of each whether it is."""

    template = "(%(expressions)s)"
    arg_joiner = " || '|' || "


def _season(prefix: str) -> Case:
    return Case(
        When(**{f"{prefix}show_title": ""}, then=Value("")),
        default=Cast(f"{prefix}season", CharField()),
        output_field=CharField(),
    )


def sentence(found: Recommendation) -> str:
    figures = found.figures
    kind = " ".join(
        part
        for part in (
            video_codec_label(figures["codec"]),
            resolution_label(figures["resolution"]),
            container_label(figures["container"]),
        )
        if part
    )
    if figures.get("show"):
        season = f" season {figures['season']}" if figures.get("season") else ""
        what = f"{found.member_count:,} episodes of “{figures['show']}”{season}, all {kind}"
    else:
        what = f"{found.member_count:,} films alike: {kind}"
    gain = gain_words(found, of_bytes=figures["bytes"]).replace("It would", "Together they would")
    return f"{what}. One preset fits them all. {gain}"


KIND = AnalysisKind(
    slug="batch",
    title="Batches of similar films",
    icon="rows",
    blurb="Seasons and films alike whose codec is old or wasteful, to be queued together.",
    order=8,
    sentence=sentence,
    preset="balanced",
    is_group=True,
)


def find(look: Look) -> int:
    """Of the films whose codec is worth changing; those that somebody decided of are left out."""
    decided = Recommendation.objects.filter(
        kind=codec.KIND.slug, file__isnull=False, state__in=DECIDED
    )
    groups = (
        found_by(codec.KIND)
        .exclude(file_id__in=decided.values("file_id"))
        .order_by()
        .annotate(key=group_key("file__"))
        .values("key")
        .annotate(films=Count("pk"))
        .filter(films__gte=look.settings["insights_batch_films"])
        .order_by("key")
    )
    whole = SavedBytes(
        expected=Sum("savings_bytes"),
        low=Sum("savings_low_bytes"),
        high=Sum("savings_high_bytes"),
        basis=_weakest(),
    )
    columns: dict[str, Any] = {
        "library_id": Max("library_id"),
        "group_key": F("key"),
        "member_count": F("films"),
        "size_bytes": Sum("size_bytes"),
    }
    figures: dict[str, Any] = {
        "codec": Max("file__video_codec"),
        "resolution": Max("file__resolution"),
        "container": Max("file__container"),
        "show": Max("file__show_title"),
        "season": Max("file__season"),
        "bytes": Sum("size_bytes"),
    }
    return add_groups(KIND, groups, Finding(saved=whole, figures=figures), columns)


def _weakest() -> Combinable:
    """The basis of most doubt: the names happen to fall in that order but for one."""
    return Max("basis")
