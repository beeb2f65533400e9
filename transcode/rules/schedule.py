"""When rules run by themselves: every minute, after each scan or sync, and how long they remember.

Any number of consumers may do this at once: of two that run one rule, one writes (engine.py).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Max, Q, Sum
from django.utils import timezone

from library.models import Library
from mediaflow.base.operations import OperationProblem, start_operation
from transcode.models import Rule, RuleDecision, RuleKind, RuleRun
from transcode.queue.opening import text_is_open
from transcode.rules.engine import run_rule

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)

CHECK_S: Final = 60
# A look at 100,000 films takes a part of a second: larger libraries are looked at less often.
FILES_A_CHECK: Final = 100_000
# A run over more is an operation of its own, with progress and a process that may take its time.
DIRECT_FILES: Final = 200_000
RUN_KIND: Final = "rule_run"
KEPT_DECISIONS: Final = timedelta(days=180)
KEPT_RUNS: Final = timedelta(days=90)
PRUNE_BATCH: Final = 5_000


def run_due_rules(now: datetime | None = None) -> int:
    """Run every rule that is due and in its hours. One that breaks does not stop the others."""
    moment = now or timezone.now()
    files = _listed_files()
    ran = 0
    for rule in Rule.objects.filter(is_enabled=True).select_related("library"):
        if not _is_due(rule, files, moment) or not text_is_open(rule.hours, moment):
            continue
        ran += 1
        if _size_of(rule, files) > DIRECT_FILES:
            start_run(rule, actor=None)
        else:
            _run_guarded(rule, moment)
    return ran


def run_rules_of(library_id: int, now: datetime | None = None) -> None:
    """After a scan or a sync of this library: what has just arrived is queued now."""
    moment = now or timezone.now()
    files = _listed_files()
    rules = Rule.objects.filter(is_enabled=True).select_related("library")
    for rule in rules.filter(Q(kind=RuleKind.FILTER) | Q(library_id=library_id)):
        if text_is_open(rule.hours, moment) and _size_of(rule, files) <= DIRECT_FILES:
            _run_guarded(rule, moment)


def _run_guarded(rule: Rule, now: datetime, *, is_asked: bool = False) -> RuleRun | None:
    try:
        return run_rule(rule, now, is_asked=is_asked)
    except Rule.DoesNotExist:
        return None  # deleted meanwhile
    except Exception as error:  # the edge: one rule must not stop the others
        if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
            raise  # the database itself: it would be the same for every rule
        log.exception("rule %s failed", rule.name)
        text = f"Internal error ({type(error).__name__}); see the log."
        Rule.objects.filter(pk=rule.pk).update(error=text, ran_at=now)
        return None


def _is_due(rule: Rule, files: int, now: datetime) -> bool:
    if rule.ran_at is None or rule.ran_at > now:  # the clock went back
        return True
    # A little less than a check, or every second one would come too early.
    wait_s = CHECK_S * max(0.9, _size_of(rule, files) / FILES_A_CHECK)
    return now - rule.ran_at >= timedelta(seconds=wait_s)


def _size_of(rule: Rule, files: int) -> int:
    return rule.library.file_count if rule.library is not None else files


def _listed_files() -> int:
    return Library.objects.aggregate(files=Sum("file_count"))["files"] or 0


def is_large(rule: Rule) -> bool:
    """Whether a run is an operation of its own."""
    return _size_of(rule, _listed_files()) > DIRECT_FILES


def start_run(rule: Rule, *, actor: User | None) -> Operation:
    """Run it as an operation; the one that waits or runs already when there is one."""
    return start_operation(
        kind=RUN_KIND,
        title=f"Run the rule {rule.name}",
        args={"rule": rule.pk, "is_asked": actor is not None},
        lock_key=f"rule:{rule.pk}",
        actor=actor,
    )


def run_rule_operation(context: OperationContext) -> None:
    """Handler of RUN_KIND. May run twice: what is queued is queued once."""
    rule = Rule.objects.filter(pk=context.args["rule"]).first()
    if rule is None:
        raise OperationProblem("The rule was deleted.")
    context.report(0, None, message="Looking at the films")
    run = run_rule(rule, timezone.now(), is_asked=context.args["is_asked"])
    if run.note and not run.matched:
        raise OperationProblem(run.note)
    context.report(run.matched, run.matched, message=f"{run.queued:,} queued")
    context.set_result({"matched": run.matched, "queued": run.queued})


def prune_log(now: datetime | None = None) -> int:
    """Forget old runs, and decisions that were replaced by later ones long ago."""
    moment = now or timezone.now()
    old = RuleDecision.objects.filter(is_latest=False, at__lt=moment - KEPT_DECISIONS)
    removed = _delete_in_parts(old)
    newest = Rule.objects.annotate(newest=Max("runs__pk")).values("newest")
    runs = RuleRun.objects.filter(at__lt=moment - KEPT_RUNS).exclude(
        pk__in=newest.filter(newest__isnull=False)
    )
    return removed + _delete_in_parts(runs)


def _delete_in_parts(rows: QuerySet[Any]) -> int:
    """Some thousand at a time, so that nobody waits long for the database."""
    removed = 0
    while ids := list(rows.values_list("pk", flat=True)[:PRUNE_BATCH]):
        with transaction.atomic():
            rows.model.objects.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed


def after_library_change(library_id: int) -> None:
    """For the hook `library_changed`. A busy database costs seconds: the next check comes."""
    try:
        run_rules_of(library_id)
    except DatabaseError:
        log.warning("rules after a scan: the database is not there", exc_info=True)
