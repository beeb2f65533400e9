"""One run of a rule: judge its films, choose what fits, queue it, record what was decided.

Films are judged without a lock. Who writes first has run the rule; a second runner sees that
`ran_at` moved under it, and stops without having written anything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from mediaflow.base.audit import record_audit
from transcode.models import Rule, RuleRun
from transcode.queue.enqueue import insert_jobs
from transcode.queue.opening import opens_at, text_is_open
from transcode.rules.limits import LIMIT_DAY, Choice, fit, read_use, room_left
from transcode.rules.plan import RuleProblem, make_plan
from transcode.rules.verdict_table import judged_films

if TYPE_CHECKING:
    from datetime import datetime

    from transcode.rules.plan import RulePlan
    from transcode.rules.verdict_table import VerdictTable

BEATEN: Final = "Another process ran it at the same time."


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a run is about to write."""

    choice: Choice
    counts: dict[str, tuple[int, int]]
    has_changes: bool


def run_rule(rule: Rule, now: datetime, *, is_asked: bool = False) -> RuleRun:
    """Queue what is new. Never raises for what is wrong with the rule: its `error` says so.

    The run is saved (has a key) where it decided anything or its note is new. `is_asked`: a person
    wants it now, so its hours do not count; its limits do.
    """
    begun = time.perf_counter()
    seen = Rule.objects.select_related("preset", "library").get(pk=rule.pk)
    if not is_asked and not text_is_open(seen.hours, now):
        return RuleRun(rule=seen, at=now, note=_hours_note(seen, now))
    try:
        plan = make_plan(seen, now)
    except RuleProblem as problem:
        return _fail(seen, now, problem.text)
    with judged_films(plan) as films:
        decided = _decide(seen, films, now)
        run = RuleRun(
            rule=seen,
            at=now,
            matched=sum(count for count, _size in decided.counts.values()),
            queued=len(decided.choice.ids),
            by_verdict=_by_verdict(decided),
        )
        return _write(run, plan, films, decided, begun)


def _decide(rule: Rule, films: VerdictTable, now: datetime) -> _Decided:
    """Without a lock. The room stays as it is: only a run of this rule can take of it."""
    counts = films.count()
    room = room_left(rule, read_use(rule, now))
    if "" not in counts:
        return _Decided(Choice((), ""), counts, films.has_changes(rule))
    is_full = room.files == 0
    choice = Choice((), LIMIT_DAY) if is_full else fit(films.eligible(), room)
    films.label_rest(choice.ids, choice.rest_code, room.largest)
    return _Decided(choice, films.count(), bool(choice.ids) or films.has_changes(rule))


def _write(
    run: RuleRun, plan: RulePlan, films: VerdictTable, decided: _Decided, begun: float
) -> RuleRun:
    with transaction.atomic():
        if not _claim(run):
            return RuleRun(rule=run.rule, at=run.at, note=BEATEN)
        if not (decided.has_changes or run.rule.error):
            run.seconds = time.perf_counter() - begun
            return run
        if decided.choice.ids:
            result = insert_jobs(decided.choice.ids, plan.order)
            run.queued = len(result.jobs)
            if result.skipped:
                films.drop_unqueued(run.rule)
            record_audit(
                "job.queue",
                subject=f"{run.queued} films with {plan.order.preset.slug}",
                detail=f"{plan.order.origin}; {plan.order.output_mode}",
            )
        run.save(force_insert=True)
        films.record(run.rule, run, run.at)
        run.seconds = time.perf_counter() - begun
        run.save(update_fields=["seconds"])
    return run


def _claim(run: RuleRun) -> bool:
    """False when somebody ran, changed or deleted the rule since it was read."""
    seen = run.rule
    rows = Rule.objects.filter(pk=seen.pk, ran_at=seen.ran_at, changed_at=seen.changed_at)
    # Always another value, also for two runs in one tick of the clock.
    ran_at = run.at if run.at != seen.ran_at else run.at + timedelta(microseconds=1)
    return bool(rows.update(ran_at=ran_at, error=""))


def _by_verdict(decided: _Decided) -> dict[str, int]:
    return {code: films for code, (films, _size) in sorted(decided.counts.items())}


def _fail(rule: Rule, now: datetime, text: str) -> RuleRun:
    """Remember why; on record only when it is news."""
    run = RuleRun(rule=rule, at=now, note=text[:300])
    is_news = rule.error != text[:500]
    with transaction.atomic():
        rows = Rule.objects.filter(pk=rule.pk, changed_at=rule.changed_at)
        if rows.update(ran_at=now, error=text[:500]) and is_news:
            run.save(force_insert=True)
    return run


def _hours_note(rule: Rule, now: datetime) -> str:
    again = opens_at(rule.hours, now)
    return f"Outside its hours ({rule.hours})" + (f"; next at {again:%a %H:%M}." if again else ".")
