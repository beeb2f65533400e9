"""Operations of the queue: what a page starts and does not wait for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from django.contrib.auth import get_user_model

from library.listing.filters import FilterProblem, files_matching
from library.models import MediaFile
from mediaflow.base.operations import OperationProblem
from transcode.models import Preset
from transcode.queue.enqueue import REASONS
from transcode.services import QueueProblem, enqueue_files

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext

BATCH: Final = 5_000


def run_enqueue(context: OperationContext) -> None:
    """Queue what a filter matches, 5,000 at a time. After a crash it skips what is queued."""
    args = context.args
    preset = Preset.objects.filter(slug=args["preset"]).first()
    if preset is None:
        raise OperationProblem(f"The preset {args['preset']!r} does not exist any more.")
    try:
        matching = files_matching(args["query"])
    except FilterProblem as problem:
        raise OperationProblem(f"The filter cannot be used: {problem}") from None
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
            )
        except QueueProblem as problem:
            raise OperationProblem(problem.text) from None
        queued += len(result.jobs)
        why.update(skipped.code for skipped in result.skipped)
        context.report(min(start + BATCH, len(ids)), len(ids), message=f"{queued:,} queued")
    skipped = [{"reason": REASONS[code], "count": n} for code, n in why.most_common()]
    context.report(len(ids), len(ids), message=f"{queued:,} queued, {sum(why.values()):,} skipped")
    context.set_result({"queued": queued, "skipped": skipped})
