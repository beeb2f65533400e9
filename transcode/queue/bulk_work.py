"""Operations of the queue: what a page starts and does not wait for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from django.contrib.auth import get_user_model

from library.listing.exact_count import id_windows, matching_or_problem
from library.models import MediaFile
from mediaflow.base.operations import OperationProblem
from transcode.models import Preset
from transcode.queue.enqueue import REASONS, EnqueueOrder, count_verdicts
from transcode.services import QueueProblem, enqueue_files

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext

BATCH: Final = 5_000
COUNT_KIND: Final = "enqueue_count"


def run_enqueue(context: OperationContext) -> None:
    """Queue what a filter matches, 5,000 at a time. After a crash it skips what is queued."""
    args = context.args
    preset = _preset_or_problem(args["preset"])
    matching = matching_or_problem(args["query"])
    actor = get_user_model().objects.filter(pk=args.get("actor_id") or 0).first()
    # The ids at the start: a film that is queued may stop matching the filter.
    ids = list(matching.order_by("sort_key", "pk").values_list("pk", flat=True))
    queued, why = 0, Counter[str]()
    for start in range(0, len(ids), BATCH):
        context.checkpoint()
        try:
            result = enqueue_files(
                files=MediaFile.objects.filter(pk__in=ids[start : start + BATCH]),
                preset=preset,
                actor=actor,
                origin="by filter",
                output_mode=args.get("output_mode") or None,
                priority=args.get("priority", 0),
                cause=args.get("cause", ""),
            )
        except QueueProblem as problem:
            raise OperationProblem(problem.text) from None
        queued += len(result.jobs)
        why.update(skipped.code for skipped in result.skipped)
        context.report(min(start + BATCH, len(ids)), len(ids), message=f"{queued:,} queued")
    skipped = [{"reason": REASONS[code], "count": n} for code, n in why.most_common()]
    context.report(len(ids), len(ids), message=f"{queued:,} queued, {sum(why.values()):,} skipped")
    context.set_result({"queued": queued, "skipped": skipped})


def run_enqueue_count(context: OperationContext) -> None:
    """Count what queueing a filter would do: films and bytes by verdict, "" for those queued."""
    args = context.args
    order = EnqueueOrder(_preset_or_problem(args["preset"]), output_mode=args["output_mode"])
    verdicts: dict[str, tuple[int, int]] = {}
    for window in id_windows(matching_or_problem(args["query"])):
        context.checkpoint()
        for code, (films, size) in count_verdicts(window, order).items():
            before = verdicts.get(code, (0, 0))
            verdicts[code] = (before[0] + films, before[1] + size)
        context.report(sum(films for films, _size in verdicts.values()))
    context.set_result({"verdicts": verdicts})


def _preset_or_problem(slug: str) -> Preset:
    preset = Preset.objects.filter(slug=slug).first()
    if preset is None:
        raise OperationProblem(f"The preset {slug!r} does not exist any more.")
    return preset
