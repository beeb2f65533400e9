"""When rules run by themselves: due, in their hours, after scans; none stops another."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError

from library.models import Library
from mediaflow.base.hooks import hooked
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.dead_disk import LONGEST_S, dead_disk
from tests.transcode.makers import make_file, make_library
from tests.transcode.rules.makers import NOON, later, make_rule, verdicts
from transcode.models import Job, Rule, RuleDecision, RuleRun
from transcode.rules import schedule
from transcode.rules.dry_run import forecast
from transcode.rules.engine import run_rule
from transcode.rules.schedule import prune_log, run_due_rules, run_rules_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.django_db


def test_what_is_due_runs_once_a_minute(library: Library) -> None:
    make_rule("On")
    make_rule("Off", is_enabled=False)
    make_rule("Later", hours="22:00-06:00")
    assert run_due_rules(NOON) == 1
    assert run_due_rules(NOON + timedelta(seconds=30)) == 0
    assert run_due_rules(later()) == 1
    assert run_due_rules(NOON - timedelta(days=1)) == 1  # the clock went back


def test_a_large_library_is_looked_at_less_often(library: Library) -> None:
    Library.objects.update(file_count=150_000)
    make_rule(ran_at=NOON)
    assert run_due_rules(later(1)) == 0
    assert run_due_rules(later(2)) == 1


@pytest.mark.parametrize("defect", [RuntimeError, IntegrityError])
def test_one_that_breaks_stops_no_other(
    library: Library, monkeypatch: pytest.MonkeyPatch, defect: type[Exception]
) -> None:
    make_file(library)
    broken = make_rule("A broken one")
    make_rule("B")

    def run(rule: Rule, now: datetime, **kwargs: Any) -> RuleRun:
        if rule == broken:
            raise defect("a defect")
        return run_rule(rule, now, **kwargs)

    monkeypatch.setattr(schedule, "run_rule", run)
    run_due_rules(NOON)
    assert Job.objects.get().origin == "rule: B"
    broken.refresh_from_db()
    assert broken.error == f"Internal error ({defect.__name__}); see the log."


def test_a_disk_that_does_not_answer_stops_no_other_and_is_asked_once(
    tmp_path: Path, library: Library
) -> None:
    make_file(library)
    disks = make_library("Dead", bytes(tmp_path))
    dead = make_rule("A dead one", kind="folder", library=disks, folder_raw=b"in", folder="in")
    make_rule("B")
    with dead_disk(bytes(tmp_path)) as disk:
        begun = time.monotonic()
        assert run_due_rules(NOON) == 2
        assert run_due_rules(later()) == 2
        assert time.monotonic() - begun < LONGEST_S
        assert "does not answer" in forecast(dead, NOON).problem
        assert disk.asked == 1  # who hangs is not joined by one more each minute
    assert Job.objects.get().origin == "rule: B"
    dead.refresh_from_db()
    assert dead.error == f"Its folder {tmp_path}/in does not answer; see to its disk."


def test_a_scan_wakes_the_rules_of_its_library(library: Library) -> None:
    other = make_library("Other", b"/other")
    make_file(library)
    make_file(other, "b.mkv")
    rule = make_rule(query=f"library={library.pk}", ran_at=NOON)
    run_rules_of(library.pk, NOON + timedelta(seconds=1))
    assert verdicts(rule) == {"a.mkv": "queued"}
    folder = make_rule("Folder", kind="folder", library=other, folder_raw=b"x")
    run_rules_of(library.pk, later())
    folder.refresh_from_db()
    assert folder.ran_at is None  # not its library


def test_a_scan_or_sync_that_ends_runs_rules(library: Library) -> None:
    make_file(library)
    make_rule()
    for callee in hooked("library_changed"):
        callee(library.pk)
    assert Job.objects.get().origin == "rule: Old codecs"


def test_a_large_run_is_an_operation_and_says_what_it_queued(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "DIRECT_FILES", 0)
    Library.objects.update(file_count=1)
    make_file(library)
    make_rule()
    run_due_rules(NOON)
    operation = run_operation_here(Operation.objects.get(kind="rule_run"))
    assert (operation.status, operation.result) == ("completed", {"matched": 1, "queued": 1})


def test_an_operation_of_a_deleted_rule_says_so(library: Library) -> None:
    rule = make_rule()
    operation = schedule.start_run(rule, actor=None)
    rule.delete()
    assert run_operation_here(operation).message == "The rule was deleted."


def test_old_decisions_go_and_the_latest_stay(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PRUNE_BATCH", 1)
    file = make_file(library, availability="missing")
    rule = make_rule()
    run_rule(rule, NOON)
    for n, availability in enumerate(("growing", "unreadable", "growing"), start=1):
        type(file).objects.update(availability=availability)
        run_rule(rule, NOON + timedelta(days=n))
    assert (RuleDecision.objects.count(), RuleRun.objects.count()) == (4, 4)
    prune_log(NOON + timedelta(days=365))
    assert list(RuleDecision.objects.values_list("verdict", flat=True)) == ["growing"]
    assert RuleRun.objects.count() == 1
