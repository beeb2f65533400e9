"""The process behind `manage.py run_job`: signals, the consumer's end, threads, the way out."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, InterfaceError, connection

from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.hooks import hooked
from mediaflow.base.lazy import load
from mediaflow.base.leases import ParentWatch, own_identity
from mediaflow.base.settings_store import get_settings
from transcode.encoding.process import ChildLimits, set_child_limits
from transcode.models import JobAttempt, Replacement
from transcode.queue import job_queue
from transcode.running.attempt_log import AttemptLog
from transcode.running.control import RunControl
from transcode.running.runner import Runner
from transcode.states import PAST_NO_RETURN

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger(__name__)
# After the consumer's end: time to stop ffmpeg and hand back, then the process ends hard (ffmpeg
# dies with it, the reaper requeues). Past the point of no return a swap gets longer.
HAND_BACK_S: Final = 4.5
FINISH_SWAP_S: Final = 120.0
ADOPTED: Final = declare("runner.adopted", "the runner owns the job, nothing is done")


def run_claimed_job(job_id: int, token: str, parent_fd: int | None) -> bool:
    """Run one attempt in this process. False when the lease was not ours (any more)."""
    if not retry_on_busy(lambda: job_queue.adopt(job_id, token=token, owner=own_identity())):
        return False
    reach(ADOPTED)
    attempt = JobAttempt.objects.get(lease_token=token)
    attempt_log = AttemptLog(attempt.log_name)
    control = RunControl(job_id, token)
    set_child_limits(_chosen_limits())
    attempt_log(f"attempt {attempt.number} of job {job_id}, process {os.getpid()}")
    _hand_back_on_signals(control)
    ParentWatch(parent_fd, lambda: _end_with_parent(control, job_id)).start()
    control.start()
    try:
        Runner(job_id, token, control, attempt_log).run()
    finally:
        control.stop()
        attempt_log.close()
    return True


def _chosen_limits() -> ChildLimits:
    chosen = get_settings(
        "ffmpeg_nice", "ffmpeg_disk_priority", "ffmpeg_cores", "ffmpeg_memory_mib"
    )
    return ChildLimits(
        nice_step=chosen["ffmpeg_nice"],
        disk_priority=chosen["ffmpeg_disk_priority"],
        cores=chosen["ffmpeg_cores"] or 0,
        memory_mib=chosen["ffmpeg_memory_mib"] or 0,
    )


def _hand_back_on_signals(control: RunControl) -> None:
    def hand_back(_number: int, _frame: FrameType | None) -> None:
        control.request_hand_back("MediaFlow was stopped; the job goes on later.")

    signal.signal(signal.SIGTERM, hand_back)
    signal.signal(signal.SIGINT, hand_back)


def _end_with_parent(control: RunControl, job_id: int) -> None:
    """In the watching thread: ask, wait, and end hard when nothing happens."""
    control.request_hand_back("MediaFlow was stopped; the job goes on later.")
    time.sleep(HAND_BACK_S)
    if _is_swapping(job_id):
        time.sleep(FINISH_SWAP_S)
    logging.shutdown()
    os._exit(1)  # the threads of a stuck read on a dead mount would never end


def _is_swapping(job_id: int) -> bool:
    try:
        swapping = Replacement.objects.filter(job_id=job_id, state__in=PAST_NO_RETURN)
        return swapping.exists()
    except (DatabaseError, InterfaceError):
        return True  # not known: rather wait than interrupt a swap
    finally:
        connection.close()


def wait_as_spare(parent_fd: int) -> tuple[int, str] | None:
    """Load what a job needs, then wait for "job-id token" on the pipe. None: the consumer ended."""
    # Loaded here and not above: the consumer itself, which imports this module's room, stays small.
    import transcode.replacing.swap
    import transcode.running.phases
    import transcode.verify  # noqa: F401  # loading it is all

    load(hooked("slot_provider"))
    connection.close()
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(parent_fd, 256)
        if not part:
            return None
        line += part
    job_id, token = line.decode("ascii").split()
    return int(job_id), token


def end_process(is_ok: bool) -> None:
    """Leave without waiting for daemon threads; buffers are flushed."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.close()
    if threading.active_count() > 1:
        os._exit(0 if is_ok else 1)
    sys.exit(0 if is_ok else 1)
