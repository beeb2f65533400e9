"""kill -9 at every failpoint of plan, encode, assemble and verify, with a real encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import transcode.running.phases
import transcode.verify  # noqa: F401  # declares its failpoints
from mediaflow.base.failpoints import DECLARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.harness import FaultInstance

pytestmark = [pytest.mark.ffmpeg, pytest.mark.thorough]
ROOMS = ("prepare.", "encode.", "assemble.", "verify.")
# What a preset without a score does not reach.
ELSEWHERE: frozenset[str] = frozenset()


def test_every_failpoint_before_the_swap_lies_on_the_way_of_a_job(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = new_instance()
    reached = instance.act("run_real", prepare=("make_real",)).reached
    found = instance.act("check_real").answer
    assert found["status"] == "completed", found
    assert found["is_film_output"]
    declared = {name for name in DECLARED if name.startswith(ROOMS)}
    assert declared - set(reached) == ELSEWHERE


@pytest.mark.parametrize("point", sorted(n for n in DECLARED if n.startswith(ROOMS)))
def test_a_kill_before_the_swap_leaves_the_film_and_the_next_runner_finishes(
    new_instance: Callable[[], FaultInstance], point: str
) -> None:
    instance = new_instance()
    assert instance.act("run_real", prepare=("make_real",), kill_at=point).was_killed
    after = instance.act("check_real").answer
    assert after["is_film_original"]
    assert after["parts"] == []
    ended = instance.act("restart_real", "check_real").answer
    assert ended["status"] == "completed", ended
    assert ended["is_film_output"]
    assert ended["is_original_there"]
    assert (ended["parts"], ended["swaps"], ended["work_folders"]) == ([], 1, 0)
