"""kill -9 at every failpoint of plan, encode, assemble and verify, with a real encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import transcode.running.phases
import transcode.verify  # noqa: F401  # declares its failpoints
from mediaflow.base.failpoints import DECLARED
from tests.faults.real_kills import kill_and_go_on, run_whole

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
    reached = run_whole(instance, "make_real")
    declared = {name for name in DECLARED if name.startswith(ROOMS)}
    assert declared - reached == ELSEWHERE


@pytest.mark.parametrize("point", sorted(n for n in DECLARED if n.startswith(ROOMS)))
def test_a_kill_before_the_swap_leaves_the_film_and_the_next_runner_finishes(
    new_instance: Callable[[], FaultInstance], point: str
) -> None:
    kill_and_go_on(new_instance(), "make_real", point)
