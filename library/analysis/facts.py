"""What the analysers of a run read: the films of its libraries, copied into a narrow table once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import BooleanField, Case, DateTimeField, F, FloatField, Q, Value, When
from django.db.models.functions import Coalesce, Greatest

from library.analysis.analysers import codec, overkill, storage
from library.analysis.fallback import fallback_savings
from library.analysis.findings import days_ago
from library.analysis.scratch import analyze, fill
from library.models import (
    AnalysisFact,
    Availability,
    FileKind,
    FileState,
    Library,
    LibraryKind,
    MediaFile,
)
from mediaflow.base.film_hooks import savings_expression

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from mediaflow.base.film_hooks import SavedBytes, SavingsExpression

# Presets that analysers suggest for the sake of space, and the prefix of their columns.
PRESETS: Final[Mapping[str, str]] = {"balanced": "balanced_", "storage-saver": "saver_"}
# For all films that no analyser asks about: as those that no encode helps
# (`SavingsExpression.parts`).
NO_ENCODE: Final = -1.0
_PLAIN: Final = (
    *("id", "library_id", "availability", "size_bytes", "duration_ms", "bit_rate_kbps"),
    *("video_codec", "video_profile", "width", "height", "resolution", "frame_rate_milli"),
    *("is_interlaced", "bit_depth", "hdr", "dolby_vision_profile", "container"),
    *("audio_codec", "audio_label", "audio_channels", "audio_languages", "subtitle_languages"),
    *("show_title", "season", "is_in_plex", "play_count"),
)
# In these states a film may be encoded; all others wait, are done, or were set aside by a person.
_FREE_STATES: Final = (FileState.NEW, FileState.FAILED)
_SET_ASIDE: Final = (FileState.IGNORED, FileState.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Scope:
    """The libraries of a run: `analysed` are read; what is open of `closed` (disabled ones) ends.

    A frozen library is in neither: what was found of it stays until its disk is back.
    """

    analysed: tuple[int, ...]
    closed: tuple[int, ...] = ()

    @property
    def libraries(self) -> tuple[int, ...]:
        return self.analysed + self.closed


def scope_of(library: Library | None) -> Scope:
    """Of one library or of all."""
    rows = Library.objects.all() if library is None else Library.objects.filter(pk=library.pk)
    found = list(rows.order_by("pk").only("is_enabled", "frozen_reason"))
    return Scope(
        tuple(row.pk for row in found if row.is_enabled and not row.is_frozen),
        tuple(row.pk for row in found if not row.is_enabled),
    )


def fill_facts(scope: Scope, settings: Mapping[str, Any], now: datetime) -> int:
    """One look at every film of the run. Returns how many there are."""
    columns: dict[str, Any] = {name: F(name) for name in _PLAIN}
    columns |= {
        "is_free": _is(_can_be_encoded()),
        "is_probed": _is(Q(probed_at__isnull=False)),
        "idle_since": _idle_since(),
    }
    asked_for = _asked_for(settings, now)
    for slug, prefix in PRESETS.items():
        columns |= _parts(slug, prefix, asked_for[slug])
    count = fill(AnalysisFact, analysed_files(scope), columns)
    analyze(AnalysisFact)
    return count


def _asked_for(settings: Mapping[str, Any], now: datetime) -> dict[str, Q]:
    """By preset the films that an analyser may suggest it for: its estimate is costly."""
    limit = days_ago(now, settings["insights_idle_days"])
    is_idle = Q(added_at__lte=limit) & (Q(last_played_at=None) | Q(last_played_at__lte=limit))
    is_large = overkill.candidates(settings) | storage.candidates(settings)
    return {
        codec.KIND.preset: codec.candidates(settings),
        overkill.KIND.preset: is_large & is_idle,
    }


def _parts(slug: str, prefix: str, asked_for: Q) -> dict[str, Any]:
    expression = savings_expression(slug)
    parts = expression.parts if expression else {}
    unknown = Value(None, output_field=FloatField())
    return {
        f"{prefix}{name}": Case(
            When(asked_for, then=parts.get(name, unknown)),
            default=Value(NO_ENCODE, output_field=FloatField()),
            output_field=FloatField(),
        )
        for name in ("video", "before", "after")
    }


def analysed_files(scope: Scope) -> QuerySet[MediaFile]:
    """Films that are listed and that nobody has set aside."""
    rows = MediaFile.objects.filter(
        library_id__in=scope.analysed, kind=FileKind.VIDEO, removed_from_list_at=None
    )
    return rows.exclude(state__in=_SET_ASIDE).order_by("pk")


class Savings:
    """What each preset would save, over the columns of the facts; read once per run."""

    def __init__(self) -> None:
        self._by_preset: dict[str, SavingsExpression | None] = {}

    def of(self, preset_slug: str) -> SavedBytes:
        """By the preset's own estimate; without such a preset by bit rate, else by size alone."""
        if preset_slug not in self._by_preset:
            self._by_preset[preset_slug] = savings_expression(preset_slug)
        expression = self._by_preset[preset_slug]
        if expression is None:
            return fallback_savings()
        return expression.finish(PRESETS[preset_slug])


def _is(condition: Q) -> Case:
    return Case(
        When(condition, then=Value(True)), default=Value(False), output_field=BooleanField()
    )


def _can_be_encoded() -> Q:
    """There, not waiting, and not made by MediaFlow. What only Plex knows is never touched."""
    return Q(
        state__in=_FREE_STATES,
        mediaflow_tag="",
        availability=Availability.PRESENT,
        library_id__in=list(
            Library.objects.filter(kind=LibraryKind.FOLDER).values_list("pk", flat=True)
        ),
    )


def _idle_since() -> Greatest:
    played = Coalesce("last_played_at", "added_at", output_field=DateTimeField())
    return Greatest(played, F("added_at"))
