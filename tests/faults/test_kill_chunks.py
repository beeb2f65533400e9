"""kill -9 at every failpoint of the chunks, with real encodes: at most one chunk a slot is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import transcode.chunks.film  # noqa: F401  # declares its failpoints
from mediaflow.base.failpoints import DECLARED
from tests.faults.real_kills import kill_and_go_on, run_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.harness import FaultInstance

pytestmark = [pytest.mark.ffmpeg, pytest.mark.thorough]
ROOMS = ("chunk.", "join.")
CHUNKS, SLOTS = 3, 2
# All chunks are proven when one of these is reached.
AFTER_THE_CHUNKS = ("chunk.all", "join.started", "join.finished", "join.recorded")


def test_every_failpoint_of_the_chunks_lies_on_the_way_of_a_job(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = new_instance()
    reached = run_whole(instance, "make_chunked")
    chunks = instance.act("check_chunks").answer
    assert chunks["whole_reason"] == ""
    assert (chunks["total"], chunks["done"], chunks["resumed"]) == (CHUNKS, CHUNKS, 0)
    assert chunks["tries"] == [1] * CHUNKS
    declared = {name for name in DECLARED if name.startswith(ROOMS)}
    assert declared <= reached


@pytest.mark.parametrize("point", sorted(n for n in DECLARED if n.startswith(ROOMS)))
def test_a_kill_costs_at_most_one_chunk_for_each_slot(
    new_instance: Callable[[], FaultInstance], point: str
) -> None:
    instance = new_instance()
    kill_and_go_on(instance, "make_chunked", point)
    chunks = instance.act("check_chunks").answer
    assert (chunks["proven"], chunks["done"], chunks["frames"]) == (CHUNKS, CHUNKS, 75)
    assert sum(chunks["tries"]) <= CHUNKS + SLOTS
    assert max(chunks["tries"]) <= 2
    if point in AFTER_THE_CHUNKS:
        assert chunks["resumed"] == CHUNKS
        assert chunks["tries"] == [1] * CHUNKS
