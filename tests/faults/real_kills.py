"""What must hold of a real job that is run whole, or killed at a failpoint and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.harness import FaultInstance


def run_whole(instance: FaultInstance, make: str) -> set[str]:
    """The failpoints that a job which ends well has passed."""
    reached = instance.act("run_real", prepare=(make,)).reached
    found = instance.act("check_real").answer
    assert found["status"] == "completed", found
    assert found["is_film_output"]
    return set(reached)


def kill_and_go_on(instance: FaultInstance, make: str, point: str) -> None:
    """Nothing is touched by the kill, and the next runner ends the job."""
    assert instance.act("run_real", prepare=(make,), kill_at=point).was_killed
    after = instance.act("check_real").answer
    assert after["is_film_original"], after
    assert after["parts"] == []
    ended = instance.act("restart_real", "check_real").answer
    assert ended["status"] == "completed", ended
    assert ended["is_film_output"]
    assert ended["is_original_there"]
    assert (ended["parts"], ended["swaps"], ended["work_folders"]) == ([], 1, 0)
