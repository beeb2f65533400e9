"""kill -9 at every failpoint of every way through; then a restart, and I1 to I5 hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import transcode.replacing.recovery
import transcode.replacing.undo  # noqa: F401  # declares its failpoints
from mediaflow.base.failpoints import DECLARED
from tests.faults.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.harness import FaultInstance

pytestmark = [pytest.mark.ffmpeg, pytest.mark.thorough]
# Reached only when somebody else changes the films in the instant of our step or after a kill: the
# tests in test_crashes.py and test_races.py bring that about.
ONLY_IN_RACES = ("step.unswap_names", "step.return_part", "recovery.unstuck")
# Points after which the names on the disk are neither as before nor as they shall be.
RISKY = ("step.", "replace.published", "undo.marked", "back.unverified")
RISKY_LATER = ("step.", "back.", "recovery.looked", "undo.names_back", "replace.folders_synced")


def _lack(scenario: Scenario) -> tuple[str, dict[str, list[str]]]:
    return ("lack", {"names": list(scenario.lacks)})


def _prepare(scenario: Scenario) -> tuple[Any, ...]:
    return (("make", scenario.make), _lack(scenario), *scenario.setup, *scenario.before)


def numbered(reached: list[str]) -> list[str]:
    """`a, b, a` → `a:1, b:1, a:2`."""
    counts: Counter[str] = Counter()
    result = []
    for name in reached:
        counts[name] += 1
        result.append(f"{name}:{counts[name]}")
    return result


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_kill_at_any_point_loses_nothing_and_a_restart_ends_in_a_named_state(
    new_instance: Callable[[], FaultInstance], scenario: Scenario
) -> None:
    whole = new_instance()
    reached = whole.act(*scenario.killed, prepare=_prepare(scenario)).reached
    whole.check()
    assert reached
    for point in numbered(reached):
        instance = new_instance()
        killed = instance.act(*scenario.killed, prepare=_prepare(scenario), kill_at=point)
        assert killed.was_killed, point
        found = instance.check(_lack(scenario), "restart")
        assert found["status"] != "held", (point, found)


# The two ways of a swap, and the journals from which recovery has something to do.
KILLED_TWICE = ("same name", "new name", "same name, neither", "undo", "spoiled on the disk")


@pytest.mark.parametrize("name", KILLED_TWICE)
def test_a_kill_during_recovery_from_a_kill_loses_nothing(
    new_instance: Callable[[], FaultInstance], name: str
) -> None:
    scenario = next(s for s in SCENARIOS if s.name == name)
    whole = new_instance()
    reached = whole.act(*scenario.killed, prepare=_prepare(scenario)).reached
    for first in [p for p in numbered(reached) if p.startswith(RISKY)]:
        # Each first kill: once to see the way of the recovery, then killed at each point of it.
        probe = new_instance()
        probe.act(*scenario.killed, prepare=_prepare(scenario), kill_at=first)
        later = probe.act("restart", prepare=(_lack(scenario),)).reached
        for second in [p for p in numbered(later) if p.startswith(RISKY_LATER)]:
            instance = new_instance()
            instance.act(*scenario.killed, prepare=_prepare(scenario), kill_at=first)
            dead = instance.act("restart", prepare=(_lack(scenario),), kill_at=second)
            assert dead.was_killed, (first, second)
            found = instance.check(_lack(scenario), "restart")
            assert found["status"] != "held", (first, second, found)


def test_every_declared_failpoint_of_swap_undo_purge_and_recovery_was_walked(
    new_instance: Callable[[], FaultInstance],
) -> None:
    reached: set[str] = set()
    for scenario in SCENARIOS:
        instance = new_instance()
        walked = instance.act(*scenario.killed, prepare=_prepare(scenario)).reached
        reached.update(walked)
        points = numbered(walked)
        chosen = [next((p for p in points if p.startswith("step.")), "")]
        for point in [*chosen, *(p for p in points if p.startswith(("fs.", "replace.part_w")))]:
            if point:
                again = new_instance()
                again.act(*scenario.killed, prepare=_prepare(scenario), kill_at=point)
                reached.update(again.act(_lack(scenario), "restart").reached)
    rooms = ("replace.", "step.", "back.", "recovery.", "undo.", "purge.", "fs.")
    declared = {name for name in DECLARED if name.startswith(rooms)}
    assert declared - reached == set(ONLY_IN_RACES)
