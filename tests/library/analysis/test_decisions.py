"""What people decide: which states may change, what is remembered, and that the sums follow."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.analysis import decisions, sums
from library.analysis.decisions import Decision, DecisionProblem
from library.models import Library, Recommendation
from mediaflow.base.models import AuditEvent
from tests.library.analysis.recommendation_rows import (
    GB,
    kept_sums,
    make_recommendation,
    plain_sums,
)
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


def test_a_dismissal_keeps_its_reason_and_who_it_was(library: Library, operator: User) -> None:
    row = make_recommendation(make_file(library, "Up"))
    assert decisions.dismiss([row.pk], actor=operator, reason="Looks best as it is") == 1
    row.refresh_from_db()
    assert (row.state, row.dismissed_reason) == ("dismissed", "Looks best as it is")
    assert row.decided_by == operator
    assert row.decided_at is not None
    event = AuditEvent.objects.get()
    assert (event.action, event.subject) == ("recommendation.dismiss", "1 recommendation")


def test_a_second_person_changes_nothing_and_is_not_audited(
    library: Library, operator: User
) -> None:
    row = make_recommendation(make_file(library, "Up"))
    decisions.dismiss([row.pk], actor=operator, reason="first")
    assert decisions.dismiss([row.pk], actor=operator, reason="second") == 0
    assert decisions.accept([row.pk], actor=operator) == 0
    row.refresh_from_db()
    assert row.dismissed_reason == "first"
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("state", ["gone", "dismissed"])
def test_what_is_gone_or_dismissed_is_not_accepted(
    library: Library, operator: User, state: str
) -> None:
    row = make_recommendation(make_file(library, "Up"), state=state)
    assert decisions.accept([row.pk], actor=operator) == 0


def test_a_snooze_ends_by_itself(library: Library, operator: User) -> None:
    row = make_recommendation(make_file(library, "Up"))
    other = make_recommendation(make_file(library, "Down"))
    until = timezone.now() + timedelta(days=7)
    decisions.snooze([row.pk, other.pk], until=until, actor=operator)
    assert decisions.wake_snoozed(until - timedelta(minutes=1)) == 0
    assert decisions.wake_snoozed(until) == 2
    row.refresh_from_db()
    assert (row.state, row.snoozed_until) == ("open", None)


def test_a_snooze_into_the_past_is_refused(library: Library, operator: User) -> None:
    row = make_recommendation(make_file(library, "Up"))
    with pytest.raises(DecisionProblem, match="ahead"):
        decisions.snooze([row.pk], until=timezone.now() - timedelta(1), actor=operator)
    with pytest.raises(DecisionProblem, match="when"):
        decisions.decide([row.pk], Decision("snoozed"), actor=operator)
    row.refresh_from_db()
    assert row.state == "open"


def test_reopening_forgets_the_reason(library: Library, operator: User) -> None:
    row = make_recommendation(make_file(library, "Up"))
    decisions.dismiss([row.pk], actor=operator, reason="no")
    assert decisions.reopen([row.pk], actor=operator) == 1
    row.refresh_from_db()
    assert (row.state, row.dismissed_reason) == ("open", "")


def test_a_film_with_two_recommendations_is_counted_once_with_the_larger_saving(
    library: Library,
) -> None:
    up = make_file(library, "Up")
    make_recommendation(up, "codec", 4 * GB)
    make_recommendation(up, "overkill", 6 * GB)
    sums.recount()
    total = sums.tally(row for row in sums.read_tallies() if row.kind == sums.ALL_KINDS)
    assert (total.count, total.savings_bytes, total.file_bytes) == (1, 6 * GB, up.size_bytes)


@pytest.mark.parametrize("times", [1, sums.RECOUNT_TRIES])
def test_a_decision_made_during_a_recount_is_in_its_sums(
    library: Library, operator: User, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Once, and each time: then the last count keeps the writer, and nobody can come between."""
    rows = [make_recommendation(make_file(library, f"Film {n}")) for n in range(times + 1)]
    sums.recount()
    measure, waiting = sums.measure, rows[:times]

    def measure_while_somebody_decides(films: QuerySet[Recommendation]) -> dict[Any, Any]:
        found = measure(films)
        if waiting and films.count() > 1:
            with monkeypatch.context() as patch:
                patch.setattr(sums, "measure", measure)
                decisions.decide([waiting.pop().pk], Decision("dismissed"), actor=operator)
        return found

    monkeypatch.setattr(sums, "measure", measure_while_somebody_decides)
    sums.recount()
    assert waiting == []
    assert kept_sums() == plain_sums()


def test_the_kept_sums_follow_every_decision(operator: User) -> None:
    """Random rows and decisions against a plain recount, row by row."""
    numbers = random.Random(20)
    libraries = [make_library("Films"), make_library("Shows")]
    for number in range(40):
        file = make_file(numbers.choice(libraries), f"Film {number}")
        for kind in numbers.sample(["codec", "overkill", "storage", "audio"], 2):
            make_recommendation(
                file,
                kind,
                numbers.randrange(0, 9 * GB),
                confidence_pct=numbers.randrange(101),
                basis=numbers.choice(["rule", "learned"]),
                state=numbers.choice(["open", "open", "open", "dismissed", "gone"]),
            )
    sums.recount()
    assert kept_sums() == plain_sums()
    ids = list(Recommendation.objects.values_list("pk", flat=True))
    until = timezone.now() + timedelta(days=1)
    for state in ("dismissed", "snoozed", "accepted", "open", "dismissed"):
        some = numbers.sample(ids, 25)
        decisions.decide(some, Decision(state, until=until), actor=operator)
        assert kept_sums() == plain_sums()


def test_many_are_decided_in_batches(
    library: Library, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "BATCH", 2)
    rows = [make_recommendation(make_file(library, f"Film {n}")) for n in range(5)]
    sums.recount()
    chosen = Recommendation.objects.filter(state="open")
    assert list(
        decisions.decide_in_batches(chosen, Decision("dismissed"), actor=operator)
    ) == [2, 2, 1]  # fmt: skip
    assert kept_sums() == plain_sums()
    assert len(rows) == 5
