"""Huey carries a bell and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import Mock, patch

import pytest
from huey.contrib.djhuey import HUEY
from huey.serializer import SignedSerializer

from mediaflow.base import wake as bell
from tests.services import redis_url  # noqa: F401  # a fixture
from tests.transcode.live_queue import live_queue
from transcode import tasks
from transcode.queue import dispatch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Instance


def test_a_message_carries_no_arguments_and_is_signed() -> None:
    HUEY.storage.flush_queue()
    bell.ring()
    assert isinstance(HUEY.serializer, SignedSerializer)
    message = HUEY.storage.dequeue()
    task = HUEY.deserialize_task(message)
    assert (task.name, task.args, task.kwargs) == ("wake", (), {})
    with pytest.raises(ValueError, match="mismatch"):
        HUEY.serializer.deserialize(message[:-1] + b"0" if message[-1:] != b"0" else message[:-1])


def test_nothing_runs_inside_the_process_that_rings_and_no_result_is_kept() -> None:
    assert HUEY.immediate is False
    assert HUEY.results is False


def test_the_bell_costs_no_fsync() -> None:
    assert HUEY.storage.conn.execute("pragma synchronous").fetchone() == (1,)


def test_the_bell_wakes_the_dispatcher_of_this_process_when_there_is_one() -> None:
    tasks.wake.call_local()
    dispatcher = Mock()
    with patch.object(dispatch, "_consumer_dispatcher", dispatcher):
        tasks.wake.call_local()
    dispatcher.wake.assert_called_once_with()


@pytest.mark.ffmpeg
@pytest.mark.service("redis")
def test_redis_can_carry_the_bell(
    instance: Instance,
    tmp_path: Path,
    redis_url: str,  # noqa: F811
) -> None:
    instance.env["MEDIAFLOW_REDIS_URL"] = redis_url
    with live_queue(instance, tmp_path / "films") as queue:
        queue.prepare(1)
        queue.consumer()
        queue.wait_until("completed")
