"""What queueing a selection would do: how many, how large, what is left out, what it saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mediaflow.base.film_hooks import SavingsEstimate, total_savings
from transcode.models import OutputMode, Preset
from transcode.pages.stream_words import TrackRow, planned_tracks
from transcode.planning.dry_run import dry_run
from transcode.prediction.savings_hook import estimate_file
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.queue.enqueue import REASONS, EnqueueOrder, count_verdicts, find_eligible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.listing.selection import FileSelection
    from library.models import MediaFile
    from transcode.planning.dry_run import DryRun

# So many films are estimated one by one; of more, this many stand for all.
ESTIMATE_UP_TO: Final = 2_000
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
class Preview:
    """Nothing of it is done. `count` None: more than is counted on a page."""

    preset: Preset
    selected: int | None
    count: int | None
    size_bytes: int
    skipped: tuple[SkippedGroup, ...]
    saving: SavingsEstimate | None
    sampled: int  # films that the saving was reckoned from; 0: all of them
    problem: str
    single: SinglePlan | None

    @property
    def skipped_count(self) -> int:
        return sum(group.count for group in self.skipped)


def make_order(
    preset: Preset, selection: FileSelection, *, output_mode: str = "", priority: int = 0
) -> EnqueueOrder:
    """As `services.enqueue_files` will make it."""
    return EnqueueOrder(
        preset=preset,
        output_mode=output_mode or str(preset.spec.get("output", OutputMode.REPLACE)),
        priority=priority,
        includes_ignored=names_one_film(selection),
    )


def names_one_film(selection: FileSelection) -> bool:
    """A person named this film and no other: an ignored one is meant, too."""
    return not selection.is_all and len(selection.ids) == 1


def make_preview(selection: FileSelection, order: EnqueueOrder) -> Preview:
    """A few statements; beyond 10,000 films only a part of them is looked at."""
    selected = selection.count
    files = selection.queryset
    verdicts = count_verdicts(files, order) if selected is not None else {}
    count, size = verdicts.pop("", (0, 0)) if selected is not None else (None, 0)
    problem, spec = "", None
    try:
        spec = PresetSpec.from_json(order.preset.spec)
    except PresetProblem as raised:
        problem = f"This preset cannot be used: {raised.field_name} {raised.text}"
    sample = list(find_eligible(files, order)[:ESTIMATE_UP_TO]) if spec else []
    saving = _saving(sample, spec, count) if spec else None
    return Preview(
        preset=order.preset,
        selected=selected,
        count=count,
        size_bytes=size,
        skipped=tuple(
            SkippedGroup(code, REASONS[code], films)
            for code, (films, _size) in sorted(verdicts.items(), key=lambda pair: -pair[1][0])
        ),
        saving=saving,
        sampled=len(sample) if count is None or count > len(sample) else 0,
        problem=problem,
        single=_single(selection, order, spec) if spec and selected == 1 else None,
    )


def _saving(
    sample: Sequence[MediaFile], spec: PresetSpec, count: int | None
) -> SavingsEstimate | None:
    """The sum; scaled up where the sample stands for more films."""
    found = (estimate_file(file, spec) for file in sample)
    total = total_savings(saving for saving in found if saving is not None)
    if total is None or not sample or not count or count <= len(sample):
        return total
    factor = count / len(sample)
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
