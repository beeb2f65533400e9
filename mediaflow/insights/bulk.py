"""Decisions of many recommendations at once: now, or as an operation when they are very many."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.http import QueryDict

from library.analysis.decisions import VERBS, Decision, decide, decide_in_batches
from library.listing.filters import FilterProblem
from library.models import RecommendationState
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import OperationContext, OperationProblem, start_operation
from mediaflow.insights.listing import EXACT_UP_TO, read_query

if TYPE_CHECKING:
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.insights.listing import InsightSelection

DECIDE_KIND: Final = "recommendation_decision"


def apply_decision(selection: InsightSelection, decision: Decision, actor: User) -> int | Operation:
    """How many changed, or the operation that changes them. Raises DecisionProblem."""
    rows = selection.queryset
    if not selection.is_all or rows.order_by()[: EXACT_UP_TO + 1].count() <= EXACT_UP_TO:
        return decide(rows, decision, actor=actor)
    verb = VERBS[RecommendationState(decision.state)]
    decision.checked()
    return start_operation(
        kind=DECIDE_KIND,
        title=f"{verb.capitalize()} recommendations",
        args={
            "query": selection.query,
            "state": decision.state,
            "reason": decision.reason,
            "until": decision.until.isoformat() if decision.until else "",
            "actor_id": actor.pk,
        },
        unit="recommendations",
        actor=actor,
    )


def run_decision(context: OperationContext) -> None:
    """Handler of the operation. Run again after a crash it goes on with what is left."""
    args: dict[str, Any] = context.args
    until = datetime.fromisoformat(args["until"]) if args["until"] else None
    decision = Decision(args["state"], reason=args["reason"], until=until)
    actor = get_user_model().objects.filter(pk=args.get("actor_id") or 0).first()
    try:
        rows = read_query(QueryDict(args["query"])).rows()
    except FilterProblem as problem:
        raise OperationProblem(f"The filter cannot be used any more: {problem}") from None
    total = rows.count()
    done = 0
    for changed in decide_in_batches(rows, decision, actor=actor):
        context.checkpoint()
        done += changed
        context.report(done, total)
    verb = VERBS[RecommendationState(decision.state)]
    record_audit(
        f"recommendation.{verb}",
        actor=actor,
        subject=f"{done:,} recommendations",
        detail=decision.reason,
    )
    context.set_result({"changed": done})
    context.report(done, done, message=f"{done:,} changed.")
