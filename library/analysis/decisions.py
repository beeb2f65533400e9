"""What people decide of recommendations: accept, dismiss, snooze, reopen. One function does it.

A decision changes only rows that are in a state it may change (`FROM_STATES`), so two people and a
run cannot undo each other by accident; the rows it did not change are not counted. What was
dismissed is remembered: no run opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from library.analysis.sums import measure, move_sums
from library.models import Recommendation, RecommendationState
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from django.contrib.auth.models import AbstractBaseUser

    Rows = QuerySet[Recommendation] | Iterable[int]

BATCH: Final = 2_000
REASON_LENGTH: Final = 300
State = RecommendationState
# To a state from which: no other change is made by a person.
FROM_STATES: Final[dict[str, frozenset[str]]] = {
    State.ACCEPTED: frozenset({State.OPEN, State.SNOOZED}),
    State.DISMISSED: frozenset({State.OPEN, State.SNOOZED, State.ACCEPTED}),
    State.SNOOZED: frozenset({State.OPEN, State.SNOOZED}),
    State.OPEN: frozenset({State.DISMISSED, State.SNOOZED, State.ACCEPTED}),
}
VERBS: Final = {
    State.ACCEPTED: "accept",
    State.DISMISSED: "dismiss",
    State.SNOOZED: "snooze",
    State.OPEN: "reopen",
}


class DecisionProblem(Exception):
    """A decision that cannot be taken; the text says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of recommendations. `reason` of a dismissal, `until` of a snooze."""

    state: str
    reason: str = ""
    until: datetime | None = None

    def checked(self) -> Decision:
        """Raises DecisionProblem for a snooze without an end or one that is over."""
        if self.state == State.SNOOZED:
            if self.until is None:
                raise DecisionProblem("Say until when.")
            if self.until <= timezone.now():
                raise DecisionProblem("The date must lie ahead.")
        return self


def accept(rows: Rows, *, actor: AbstractBaseUser | None) -> int:
    """Somebody said yes, or queued the film. Returns how many changed."""
    return decide(rows, Decision(State.ACCEPTED), actor=actor)


def dismiss(rows: Rows, *, actor: AbstractBaseUser | None, reason: str = "") -> int:
    """Not wanted; remembered with its reason. Returns how many changed."""
    return decide(rows, Decision(State.DISMISSED, reason=reason), actor=actor)


def snooze(rows: Rows, *, until: datetime, actor: AbstractBaseUser | None) -> int:
    """Not now; open again after a date. Returns how many changed. Raises DecisionProblem."""
    return decide(rows, Decision(State.SNOOZED, until=until), actor=actor)


def reopen(rows: Rows, *, actor: AbstractBaseUser | None) -> int:
    """Take a decision back. Returns how many changed."""
    return decide(rows, Decision(State.OPEN), actor=actor)


def decide(rows: Rows, decision: Decision, *, actor: AbstractBaseUser | None) -> int:
    """Decide of many, in batches of their own transactions. Raises DecisionProblem."""
    changed = sum(decide_in_batches(rows, decision, actor=actor))
    if changed:
        noun = "recommendation" if changed == 1 else "recommendations"
        until = f"until {decision.until:%Y-%m-%d}" if decision.until else ""
        record_audit(
            f"recommendation.{VERBS[State(decision.state)]}",
            actor=actor,
            subject=f"{changed:,} {noun}",
            detail=decision.reason or until,
        )
    return changed


def decide_in_batches(
    rows: Rows, decision: Decision, *, actor: AbstractBaseUser | None
) -> Iterator[int]:
    """As `decide`, without the audit; yields how many of each batch changed."""
    checked = decision.checked()
    # The ids are read first: a decision changes what a filter by state matches.
    all_ids = rows.values_list("pk", flat=True) if isinstance(rows, QuerySet) else rows
    ids = iter(list(all_ids))
    while batch := list(islice(ids, BATCH)):
        yield _change(batch, checked, actor)


def wake_snoozed(now: datetime | None = None) -> int:
    """Periodic: what was snoozed until now is open again. Returns how many."""
    due = Recommendation.objects.filter(
        state=State.SNOOZED, snoozed_until__lte=now or timezone.now()
    )
    return sum(decide_in_batches(due, Decision(State.OPEN), actor=None))


def _change(ids: list[int], decision: Decision, actor: AbstractBaseUser | None) -> int:
    """The one place where a person's decision becomes a state."""
    with transaction.atomic():
        chosen = Recommendation.objects.filter(
            pk__in=ids, state__in=FROM_STATES[State(decision.state)]
        )
        locked = list(chosen.select_for_update(of=("self",)).values_list("pk", "file_id"))
        if not locked:
            return 0
        changing = [pk for pk, _file in locked]
        files = {file_id for _pk, file_id in locked if file_id is not None}
        touched = Recommendation.objects.filter(Q(pk__in=changing) | Q(file_id__in=files))
        before = measure(touched)
        changed = Recommendation.objects.filter(pk__in=changing).update(**_values(decision, actor))
        move_sums(before, measure(touched))
    return changed


def _values(decision: Decision, actor: AbstractBaseUser | None) -> dict[str, Any]:
    return {
        "state": decision.state,
        "dismissed_reason": decision.reason[:REASON_LENGTH],
        "snoozed_until": decision.until if decision.state == State.SNOOZED else None,
        "decided_by_id": actor.pk if actor else None,
        "decided_at": timezone.now(),
    }
