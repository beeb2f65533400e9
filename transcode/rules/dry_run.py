"""What a run would do now, without doing it: the same verdicts and limits, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Sum

from library.models import MediaFile
from transcode.rules.limits import LIMIT_SIZE, fit, read_use, room_left
from transcode.rules.plan import QUEUED, VERDICT_WORDS, VERDICTS, RuleProblem, make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from transcode.models import Rule
    from transcode.rules.limits import Choice, Room
    from transcode.rules.plan import RulePlan

EXAMPLES: Final = 5
WOULD_QUEUE: Final = "would_queue"


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """The films of one verdict: how many, how large, the first of them."""

    code: str
    word: str
    reason: str
    files: int
    size_bytes: int
    examples: tuple[MediaFile, ...]

    @property
    def more(self) -> int:
        """How many are not among the examples."""
        return self.files - len(self.examples)


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """`queue` None: nothing would be queued. `problem`: why the rule cannot run at all."""

    problem: str = ""
    matched: int = 0
    queue: VerdictGroup | None = None
    left_out: tuple[VerdictGroup, ...] = ()


def forecast(rule: Rule, now: datetime) -> RuleForecast:
    """Also for a rule that is not saved yet. Its hours do not count: as when they are open."""
    try:
        plan = make_plan(rule, now)
    except RuleProblem as problem:
        return RuleForecast(problem=problem.text)
    judged = plan.judged()
    counts = _count(judged)
    room = room_left(rule, read_use(rule, now))
    open_films, open_bytes = counts.pop("", (0, 0))
    groups = [_judged_group(judged, code, *figures) for code, figures in counts.items()]
    queue = None
    if open_films:
        queue, rest = _split_by_room(plan, judged, room, open_films, open_bytes)
        groups += rest
    return RuleForecast(
        matched=open_films + sum(group.files for group in groups if group.code in counts),
        queue=queue,
        left_out=tuple(sorted(groups, key=lambda group: -group.files)),
    )


def _count(judged: QuerySet[Any]) -> dict[str, tuple[int, int]]:
    rows = judged.order_by().values("verdict").annotate(films=Count("pk"), size=Sum("size_bytes"))
    return {row["verdict"]: (row["films"], row["size"] or 0) for row in rows}


def _judged_group(judged: QuerySet[Any], code: str, files: int, size_bytes: int) -> VerdictGroup:
    return _group(code, files, size_bytes, judged.filter(verdict=code).order_by("sort_key", "pk"))


def _group(code: str, files: int, size: int, films: QuerySet[MediaFile]) -> VerdictGroup:
    word, reason = VERDICT_WORDS.get(code, code), VERDICTS.get(code, "")
    return VerdictGroup(code, word, reason, files, size, tuple(films[:EXAMPLES]))


def _split_by_room(
    plan: RulePlan, judged: QuerySet[Any], room: Room, films: int, size: int
) -> tuple[VerdictGroup | None, list[VerdictGroup]]:
    """What fits, and what waits for tomorrow or for a larger limit."""
    fitting = judged.filter(verdict="").order_by(*plan.order.order_by)
    rows = list(fitting.values_list("pk", "size_bytes"))
    choice = fit(rows, room)
    chosen = set(choice.ids)
    chosen_bytes = sum(file_size for pk, file_size in rows if pk in chosen)
    queue = None
    if choice.ids:
        first = MediaFile.objects.filter(pk__in=choice.ids[:EXAMPLES]).order_by("added_at", "pk")
        reason = "They would be queued now."
        queue = VerdictGroup(
            WOULD_QUEUE, "To be queued", reason, len(chosen), chosen_bytes, tuple(first)
        )
    return queue, _waiting_groups(rows, chosen, choice, room)


def _waiting_groups(
    rows: Sequence[tuple[int, int]], chosen: set[int], choice: Choice, room: Room
) -> list[VerdictGroup]:
    by_code: dict[str, list[tuple[int, int]]] = {}
    for pk, size in rows:
        if pk not in chosen:
            is_huge = room.largest is not None and size > room.largest
            by_code.setdefault(LIMIT_SIZE if is_huge else choice.rest_code, []).append((pk, size))
    return [
        _group(
            code,
            len(films),
            sum(size for _pk, size in films),
            MediaFile.objects.filter(pk__in=[pk for pk, _size in films[:EXAMPLES]]),
        )
        for code, films in by_code.items()
    ]


__all__ = ["QUEUED", "RuleForecast", "VerdictGroup", "forecast"]
