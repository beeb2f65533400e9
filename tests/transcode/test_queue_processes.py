"""The queue with real processes: whatever is killed whenever, each film ends once and well."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.transcode.live_queue import LiveQueue, live_queue, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Instance

pytestmark = [pytest.mark.ffmpeg, pytest.mark.thorough]


@pytest.fixture
def queue(instance: Instance, tmp_path: Path) -> Iterator[LiveQueue]:
    with live_queue(instance, tmp_path / "films") as prepared:
        yield prepared


def assert_all_done(queue: LiveQueue, count: int = 1) -> None:
    queue.wait_until(*["completed"] * count)
    trash = [row["state"] for row in queue.rows("select state from transcode_trashentry")]
    assert trash == ["kept"] * count
    journals = [row["state"] for row in queue.rows("select state from transcode_replacement")]
    assert journals.count("done") == count
    states = {row["state"] for row in queue.rows("select state from library_mediafile")}
    assert states == {"completed"}
    wait_for(lambda: not queue.rows("select * from servers_slotlease"), "slots are free again")
    assert not list(queue.films.glob("**/.mf-*"))


def test_the_consumer_finishes_jobs_and_leaves_nothing_behind(queue: LiveQueue) -> None:
    queue.prepare(2)
    consumer = queue.consumer()
    assert_all_done(queue, 2)
    work = queue.instance.data_dir / "work" / "jobs"
    wait_for(lambda: not list(work.iterdir()), "the work folders are gone")
    assert queue.rows("select * from base_heartbeat where name like 'consumer:%'")
    consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(timeout=180) == 0
    queue.wait_until_alone()
    assert not queue.rows("select * from base_heartbeat where name like 'consumer:%'")


@pytest.mark.parametrize(
    "failpoint",
    [
        "queue.claimed",
        "runner.adopted",
        "prepare.done",
        "assemble.done",
        "replace.swapping",
    ],
)
def test_a_process_that_dies_in_any_phase_costs_no_film(queue: LiveQueue, failpoint: str) -> None:
    queue.prepare(1)
    first = queue.consumer(MEDIAFLOW_FAILPOINT=failpoint)
    if failpoint == "queue.claimed":
        assert first.wait(timeout=180) == -signal.SIGKILL
    else:
        lost = "select * from transcode_jobattempt where reason_code = 'runner_lost'"
        done = "select * from transcode_job where status = 'completed'"
        wait_for(lambda: queue.rows(lost) or queue.rows(done), "the runner's death is noticed")
        first.kill()
        first.wait()
    queue.wait_until_alone()
    queue.write("update transcode_job set not_before = null")
    queue.consumer()
    assert_all_done(queue)


def test_a_killed_consumer_takes_ffmpeg_with_it_and_the_next_one_goes_on(queue: LiveQueue) -> None:
    queue.prepare(1, queue="slow", seconds=2)
    consumer = queue.consumer()
    with queue.stopped_encoder():
        consumer.kill()
        consumer.wait()
    queue.wait_until_alone()
    assert queue.statuses() == ["queued"]  # handed back by the runner, which noticed
    (job,) = queue.jobs()
    assert job["attempt"] == 0
    queue.consumer()
    assert_all_done(queue)
    assert queue.jobs()[0]["attempt"] == 1


def test_a_killed_runner_is_noticed_at_once_and_its_job_starts_again(queue: LiveQueue) -> None:
    queue.prepare(1, queue="slow", seconds=2)
    queue.consumer()
    with queue.stopped_encoder():
        owner = queue.jobs()[0]["lease_owner"]
        os.kill(int(owner.split("/")[-2]), signal.SIGKILL)
    lost = "select * from transcode_jobattempt where reason_code = 'runner_lost'"
    wait_for(lambda: queue.rows(lost), "the runner's death")
    assert_all_done(queue)
    events = queue.rows("select from_status, to_status from transcode_jobevent order by id")
    assert [e["to_status"] for e in events] == ["running", "queued", "running", "completed"]


def test_sigterm_hands_the_job_back_without_counting_a_try(queue: LiveQueue) -> None:
    queue.prepare(1, queue="slow", seconds=2)
    consumer = queue.consumer()
    with queue.stopped_encoder():
        consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(timeout=180) == 0
    queue.wait_until_alone()
    (job,) = queue.jobs()
    assert (job["status"], job["attempt"], job["reason_code"]) == ("queued", 0, "handed_back")
    assert (queue.films / "Film 0.mkv").exists()


def test_a_cancel_stops_the_whole_process_tree(queue: LiveQueue) -> None:
    queue.prepare(1, queue="slow", seconds=2)
    queue.consumer()
    with queue.stopped_encoder():
        before = (queue.films / "Film 0.mkv").stat()
        queue.shell("from transcode.services import cancel_job; cancel_job(1, actor=None)")
    queue.wait_until("cancelled")
    wait_for(lambda: not queue.is_encoding(), "ffmpeg is gone")
    after = (queue.films / "Film 0.mkv").stat()
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    )
    assert queue.rows("select state from library_mediafile") == [{"state": "new"}]


def test_a_stopped_job_is_handed_back_and_goes_on_when_resumed(queue: LiveQueue) -> None:
    queue.prepare(1, queue="slow", seconds=2)
    queue.consumer()
    with queue.stopped_encoder():
        queue.shell("from transcode.services import stop_job; stop_job(1, actor=None)")
    queue.wait_until("queued")
    wait_for(lambda: not queue.is_encoding(), "ffmpeg is gone")
    queue.shell("from transcode.services import resume_job; resume_job(1, actor=None)")
    assert_all_done(queue)


def test_a_paused_queue_starts_nothing_and_many_bells_start_a_job_once(queue: LiveQueue) -> None:
    queue.prepare(1)
    queue.shell("from transcode.services import pause_queue; pause_queue('test')")
    queue.consumer()
    wait_for(lambda: queue.rows("select * from base_heartbeat"), "the consumer's pulse")
    queue.shell(
        "from transcode.tasks import wake\nfor _ in range(20): wake()\n"
        "from transcode.models import Job\nassert Job.objects.get().status == 'queued'\n"
        "from transcode.services import resume_queue; resume_queue()\n"
        "for _ in range(20): wake()\n"
    )
    assert_all_done(queue)
    assert len(queue.rows("select * from transcode_jobattempt")) == 1


def test_an_operation_is_run_by_the_consumer(queue: LiveQueue) -> None:
    queue.prepare(1, queue="")
    queue.consumer()
    queue.shell(
        "from transcode.services import start_enqueue; from transcode.models import Preset\n"
        "start_enqueue(query='', preset=Preset.objects.get(slug='fast'), actor=None)"
    )
    assert_all_done(queue)
    (operation,) = queue.rows("select * from base_operation where kind = 'enqueue'")
    assert operation["status"] == "completed"


def test_a_database_that_is_locked_for_a_while_loses_no_job(queue: LiveQueue) -> None:
    import sqlite3
    import time

    queue.prepare(1, queue="slow", seconds=2)
    queue.consumer()
    with queue.stopped_encoder():
        writer = sqlite3.connect(queue.instance.data_dir / "mediaflow.sqlite3", timeout=60)
        writer.isolation_level = None
        writer.execute("begin exclusive")
    time.sleep(4)  # the encode goes on and its runner finds the database locked meanwhile
    writer.execute("rollback")
    writer.close()
    assert_all_done(queue)
    assert len(queue.rows("select * from transcode_jobattempt")) == 1
