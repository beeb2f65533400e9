"""The dispatcher: claims jobs and operations, starts their processes, buries them, sweeps leases.

One in each consumer (started by Huey's first worker, transcode/tasks.py) and one in `work` and
`optimize`. It holds nothing that only it knows: killed at any moment, another one goes on.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mediaflow.base.children import Child, force_end, say_goodbye, start_command
from mediaflow.base.failpoints import declare, reach
from mediaflow.base.heartbeat import Pulse
from mediaflow.base.hooks import hooked
from mediaflow.base.leases import Sweeper, own_identity
from mediaflow.base.operations import claim_operation, requeue_lost
from mediaflow.base.periodic import run_due_tasks
from transcode.models import Job, JobStatus, Replacement
from transcode.queue import job_queue
from transcode.queue.slots import parallel_limit
from transcode.states import PAST_NO_RETURN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)
LOOK_S: Final = 1.0  # how often it looks by itself; the bell makes it look at once
FAULT_PAUSE_S: Final = 5.0  # after a fault no bell makes it look sooner: the log must not run over
SWEEP_S: Final = 3.0
PULSE_S: Final = 5.0
PERIODIC_S: Final = 30.0
OPERATION_LIMIT: Final = 2
GOODBYE_S: Final = 5.0
SPARE_DELAY_S: Final = 2.0
SPARE_RETRY_S: Final = 20.0  # for one that did not start or died
CLAIMED: Final = declare("queue.claimed", "a job is claimed, its runner is not started")


@dataclass(slots=True)
class _Running:
    child: Child
    key: int
    token: str
    take_over: Callable[[int, str], bool]


@dataclass(slots=True)
class DispatchOptions:
    """What one dispatcher is there for."""

    limit: Callable[[], int] = parallel_limit  # films at once on this machine
    only_jobs: Collection[int] | None = None  # None: the whole queue
    has_operations: bool = True
    is_consumer: bool = False  # has a pulse that /healthz sees, periodic tasks, a spare runner
    child_env: Mapping[str, str] = field(default_factory=dict)
    spare: Child | None = None  # from `start_spare`; the dispatcher ends it if no job comes


class Dispatcher:
    """See the module. `run` returns after `stop`; everything else is thread-safe or private."""

    def __init__(self, options: DispatchOptions | None = None) -> None:
        self._options = options or DispatchOptions()
        self._owner = own_identity()
        self._host_prefix = "/".join(self._owner.split("/")[:-2]) + "/"
        self._jobs: list[_Running] = []
        self._operations: list[_Running] = []
        self._spare = self._options.spare
        self._spare_due = 0.0
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._sweeper = Sweeper([callee() for callee in hooked("leased_rows")])
        self._next: dict[str, float] = {}
        self._pulse = Pulse("consumer") if self._options.is_consumer else None
        self._periodic: threading.Thread | None = None

    def wake(self) -> None:
        """Look for work now."""
        self._bell.set()

    def stop(self) -> None:
        """End the loop and its children; returns when they are gone (they hand their work back)."""
        self._stopping.set()
        self._bell.set()
        self._stopped.wait(timeout=GOODBYE_S + 10)

    def run(self) -> None:
        """Loop until `stop`. A database that is away is waited for."""
        try:
            while not self._stopping.is_set():
                self._bell.clear()
                if self.step():
                    self._bell.wait(LOOK_S)
                else:
                    self._stopping.wait(FAULT_PAUSE_S)
        finally:
            self._say_goodbye()
            connection.close()
            self._stopped.set()

    @property
    def is_idle(self) -> bool:
        return not self._jobs and not self._operations

    def step(self) -> bool:
        """One round: bury, sweep, pulse, start. False: a part met a fault that nobody foresaw.

        What fails is logged and tried again in the next round, and holds up no other part.
        """
        has_no_fault = True
        for part in self._parts():
            try:
                part()
            except (DatabaseError, InterfaceError):
                log.warning("the database is not there; trying again", exc_info=True)
                connection.close()
                break  # the other parts would wait for it as well
            except OSError:
                log.exception("a process could not be started; trying again")
            except Exception:  # the edge of the process: without this thread the queue stands still
                log.exception("a fault in the dispatcher; trying again")
                has_no_fault = False
        return has_no_fault

    def _parts(self) -> Iterator[Callable[[], object]]:
        yield close_old_connections
        yield self._bury
        if self._is_time("sweep", SWEEP_S):
            yield self._sweep
        if self._pulse and self._is_time("pulse", PULSE_S):
            yield self._beat
        if self._options.is_consumer and self._is_time("periodic", PERIODIC_S):
            yield self._start_periodic
        yield self._start_jobs
        yield self._start_operations
        yield self._keep_spare

    def _sweep(self) -> None:
        for name in self._sweeper.sweep():
            log.warning("%s was left by its process and goes on", name)

    def _beat(self) -> None:
        assert self._pulse is not None
        self._pulse.beat(jobs=len(self._jobs), operations=len(self._operations))

    def _is_time(self, name: str, interval_s: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(name, 0.0):
            return False
        self._next[name] = now + interval_s
        return True

    def _bury(self) -> None:
        """Collect children that have ended; what they did not finish goes on elsewhere."""
        for running in (self._jobs, self._operations):
            for entry in [e for e in running if e.child.has_ended]:
                entry.child.say_goodbye()
                try:
                    is_taken = entry.take_over(entry.key, entry.token)
                except (DatabaseError, InterfaceError):
                    raise  # asked again in the next round
                except Exception:  # one that fails keeps no place; the sweep finds its lease
                    log.exception("taking over %s", entry.key)
                    is_taken = False
                if is_taken:
                    code = entry.child.process.returncode
                    log.warning("the process of %s ended with %s", entry.key, code)
                running.remove(entry)

    def _start_jobs(self) -> None:
        while not self._stopping.is_set() and self._free_places() > 0:
            claim = self._claim_job()
            if claim is None:
                return
            reach(CLAIMED)
            child = self._hand_to_spare(claim) or start_command(
                ["run_job", str(claim.job_id), "--token", claim.token],
                env=self._options.child_env,
                log_file=_process_log(),
            )
            self._jobs.append(_Running(child, claim.job_id, claim.token, job_queue.take_over))
            self._spare_due = time.monotonic() + SPARE_DELAY_S

    def _free_places(self) -> int:
        """Free places on this machine, whoever runs the others."""
        here = Job.objects.filter(
            status=JobStatus.RUNNING, lease_owner__startswith=self._host_prefix
        )
        return self._options.limit() - max(here.count(), len(self._jobs))

    def _claim_job(self) -> job_queue.Claim | None:
        return job_queue.claim_next(self._owner, among=self._options.only_jobs)

    def _start_operations(self) -> None:
        while (
            self._options.has_operations
            and not self._stopping.is_set()
            and len(self._operations) < OPERATION_LIMIT
        ):
            operation = claim_operation(self._owner)
            if operation is None:
                return
            child = start_command(
                ["run_operation", str(operation.pk), "--token", operation.lease_token],
                env=self._options.child_env,
                log_file=_process_log(),
            )
            entry = _Running(child, operation.pk, operation.lease_token, requeue_lost)
            self._operations.append(entry)

    def _keep_spare(self) -> None:
        """A runner that has loaded everything and waits: a click starts ffmpeg a second earlier."""
        if not self._options.is_consumer or self._stopping.is_set():
            return
        if self._spare is not None and self._spare.has_ended:
            self._spare.say_goodbye()
            self._spare = None
            self._spare_due = time.monotonic() + SPARE_RETRY_S
        if self._spare is None and time.monotonic() >= self._spare_due:
            self._spare_due = time.monotonic() + SPARE_RETRY_S  # should it not start
            self._spare = start_spare()

    def _hand_to_spare(self, claim: job_queue.Claim) -> Child | None:
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        if not spare.has_ended and spare.send(f"{claim.job_id} {claim.token}"):
            return spare
        spare.say_goodbye()
        return None

    def _start_periodic(self) -> None:
        """In a thread of its own: a trash on a dead mount must not stop the queue."""
        if self._periodic is None or not self._periodic.is_alive():
            self._periodic = threading.Thread(target=_run_periodic, name="periodic", daemon=True)
            self._periodic.start()

    def _say_goodbye(self) -> None:
        """Let everything be handed back. A runner past its point of no return is left alone: it
        finishes its swap and ends by itself; killed, recovery would do the same later."""
        entries = [*self._jobs, *self._operations]
        children = [entry.child for entry in entries]
        if self._spare is not None:
            children.append(self._spare)
        say_goodbye(children, patience_s=GOODBYE_S)
        try:
            swapping = self._swapping_children()
            force_end([child for child in children if child not in swapping])
            self._bury()
            if self._pulse:
                self._pulse.end()
        except (DatabaseError, InterfaceError):
            log.warning("the database is not there; the next start takes over", exc_info=True)

    def _swapping_children(self) -> list[Child]:
        living = {entry.key: entry.child for entry in self._jobs if not entry.child.has_ended}
        rows = Replacement.objects.filter(job_id__in=living, state__in=PAST_NO_RETURN)
        return [living[job_id] for job_id in rows.values_list("job_id", flat=True)]


def start_spare() -> Child:
    """A runner that loads everything and waits for its job. Raises OSError."""
    return start_command(["run_job", "--spare"], log_file=_process_log())


def _run_periodic() -> None:
    try:
        close_old_connections()
        run_due_tasks()
    except (DatabaseError, InterfaceError):
        log.warning("periodic tasks: the database is not there", exc_info=True)
    finally:
        connection.close()


def _process_log() -> Path:
    """Where the children's own output goes; the attempts have logs of their own."""
    folder: Path = settings.DATA_DIR / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "runners.log"


_lock = threading.Lock()
_consumer_dispatcher: Dispatcher | None = None


def consumer_dispatcher() -> Dispatcher | None:
    """The dispatcher of this consumer process, once started."""
    return _consumer_dispatcher


def start_consumer_dispatcher() -> Dispatcher:
    """Start the one dispatcher of this process in a thread; later calls return the same."""
    global _consumer_dispatcher
    with _lock:
        if _consumer_dispatcher is None:
            dispatcher = Dispatcher(DispatchOptions(is_consumer=True))
            log.info("dispatcher started on %s, process %s", socket.gethostname(), os.getpid())
            threading.Thread(target=dispatcher.run, name="dispatcher", daemon=True).start()
            _consumer_dispatcher = dispatcher
        return _consumer_dispatcher
