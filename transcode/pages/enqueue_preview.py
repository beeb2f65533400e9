"""What queueing a selection would do: how many, how large, what is left out, what it saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse

from library.listing.exact_count import Counting, ask_count
from mediaflow.base.film_hooks import SavingsEstimate, total_savings
from transcode.models import OutputMode, Preset
from transcode.pages.job_words import FilmName, film_name
from transcode.pages.stream_words import TrackRow, planned_tracks
from transcode.planning.dry_run import dry_run
from transcode.prediction.lessons import current_lessons
from transcode.prediction.savings_hook import estimate_file
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.queue.bulk_work import COUNT_KIND
from transcode.queue.enqueue import (
    REASONS,
    EnqueueOrder,
    count_verdicts,
    find_eligible,
    find_left_out,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.listing.selection import FileSelection
    from library.models import MediaFile
    from mediaflow.accounts.models import User
    from transcode.planning.dry_run import DryRun

# So many films are estimated one by one; of more, this many stand for all.
ESTIMATE_UP_TO: Final = 2_000
SHOWN_FILMS: Final = 20
PRIORITIES: Final = ((0, "In turn"), (10, "Before the others"), (-10, "After the others"))


@dataclass(frozen=True, slots=True)
class SkippedGroup:
    code: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class SinglePlan:
    """The dry run of the only film."""

    file: MediaFile
    run: DryRun
    tracks: tuple[TrackRow, ...]


@dataclass(frozen=True, slots=True)
class ShownFilm:
    """A line of the preview: what is queued with its saving, what is left out with its reason."""

    url: str
    name: FilmName
    size_bytes: int
    saving: SavingsEstimate | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """Nothing of it is done. `count` None: an operation still counts more than 10,000 films."""

    preset: Preset
    selected: int | None
    count: int | None
    size_bytes: int
    skipped: tuple[SkippedGroup, ...]
    films: tuple[ShownFilm, ...]  # the first of those that are queued
    left_out: tuple[ShownFilm, ...]  # the first of those that are not
    saving: SavingsEstimate | None
    sampled: int  # films that the saving was reckoned from; 0: all of them
    problem: str
    single: SinglePlan | None

    @property
    def skipped_count(self) -> int:
        return sum(group.count for group in self.skipped)

    @property
    def more_films(self) -> int:
        return (self.count or 0) - len(self.films)

    @property
    def more_left_out(self) -> int:
        return self.skipped_count - len(self.left_out)


def make_order(
    preset: Preset, selection: FileSelection, *, output_mode: str = "", priority: int = 0
) -> EnqueueOrder:
    """As `services.enqueue_selection` will make it."""
    return EnqueueOrder(
        preset=preset,
        output_mode=output_mode or str(preset.spec.get("output", OutputMode.REPLACE)),
        priority=priority,
        includes_ignored=selection.names_one_film,
    )


def count_order(
    selection: FileSelection, order: EnqueueOrder, counted: str, user: User
) -> Counting:
    """What queueing all that match would do, exactly: as an operation, for more than 10,000."""
    args = {
        "query": selection.query,
        "preset": order.preset.slug,
        "output_mode": str(order.output_mode),
        # A preset that was changed may leave other films out.
        "preset_changed_at": order.preset.changed_at.isoformat(),
    }
    return ask_count(COUNT_KIND, args, counted, title="Count films to queue", actor=user)


def make_preview(
    selection: FileSelection, order: EnqueueOrder, counting: Counting | None = None
) -> Preview:
    """A few statements; beyond 10,000 films the figures are those of `counting`."""
    verdicts = _read_verdicts(selection, order, counting)
    is_known = verdicts is not None
    selected = sum(films for films, _size in verdicts.values()) if verdicts is not None else None
    count, size = (verdicts or {}).pop("", (0, 0))
    groups = sorted((verdicts or {}).items(), key=lambda pair: -pair[1][0])
    problem, spec = "", None
    try:
        spec = PresetSpec.from_json(order.preset.spec)
    except PresetProblem as raised:
        problem = f"This preset cannot be used: {raised.field_name} {raised.text}"
    sample = _read_sample(selection, order, is_ordered=counting is None) if spec else []
    lessons = current_lessons()
    savings = [estimate_file(file, spec, lessons) for file in sample] if spec else []
    shown_count = count if is_known else None
    return Preview(
        preset=order.preset,
        selected=selected,
        count=shown_count,
        size_bytes=size,
        skipped=tuple(SkippedGroup(code, REASONS[code], films) for code, (films, _size) in groups),
        films=tuple(_shown(file, saving) for file, saving in zip(sample, savings, strict=True))[
            :SHOWN_FILMS
        ],
        left_out=_read_left_out(selection, order, is_ordered=counting is None) if groups else (),
        saving=_sum_up(savings, shown_count),
        sampled=len(sample) if shown_count is None or shown_count > len(sample) else 0,
        problem=problem,
        single=_single(selection, order, spec) if spec and selected == 1 else None,
    )


def _read_verdicts(
    selection: FileSelection, order: EnqueueOrder, counting: Counting | None
) -> dict[str, tuple[int, int]] | None:
    """Films and bytes by verdict; None while they are counted."""
    if counting is None:
        return count_verdicts(selection.queryset, order)
    if not counting.is_done:
        return None
    found = counting.result["verdicts"]
    return {code: (films, size) for code, (films, size) in found.items() if code in ("", *REASONS)}


def _read_sample(
    selection: FileSelection, order: EnqueueOrder, *, is_ordered: bool
) -> list[MediaFile]:
    """In the order of the list; any of them where sorting would mean to look at everything."""
    files = find_eligible(selection.queryset, order)
    return list((files.order_by("sort_key", "pk") if is_ordered else files)[:ESTIMATE_UP_TO])


def _read_left_out(
    selection: FileSelection, order: EnqueueOrder, *, is_ordered: bool
) -> tuple[ShownFilm, ...]:
    files = find_left_out(selection.queryset, order)
    rows = (files.order_by("sort_key", "pk") if is_ordered else files)[:SHOWN_FILMS]
    return tuple(_shown(file, None, REASONS[file.verdict]) for file in rows)


def _shown(file: MediaFile, saving: SavingsEstimate | None, reason: str = "") -> ShownFilm:
    url = reverse("library:file_detail", args=[file.pk])
    return ShownFilm(url, film_name(file, file.path), file.size_bytes, saving, reason)


def _sum_up(savings: Sequence[SavingsEstimate | None], count: int | None) -> SavingsEstimate | None:
    """The sum; scaled up where the sample stands for more films."""
    total = total_savings(saving for saving in savings if saving is not None)
    if total is None or not count or count <= len(savings):
        return total
    factor = count / len(savings)
    return SavingsEstimate(
        round(total.expected * factor),
        round(total.low * factor),
        round(total.high * factor),
        total.basis,
    )


def _single(selection: FileSelection, order: EnqueueOrder, spec: PresetSpec) -> SinglePlan | None:
    file = selection.queryset.select_related("library").first()
    if file is None:
        return None
    run = dry_run(file, spec, order.preset.slug, output_mode=order.output_mode)
    return SinglePlan(file, run, planned_tracks(run.plan) if run.plan else ())
