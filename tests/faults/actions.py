"""What a child of the zygote can be asked to do, by name. Each takes the instance's folder."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from library.probing import pool as probe_pool
from library.probing.probe import probe_file
from mediaflow.base.fs import FsCall, fs
from mediaflow.base.hooks import register_hook
from tests.faults.real_runs import (
    check_chunks,
    check_real,
    make_chunked,
    make_real,
    restart_real,
    run_real,
)
from tests.transcode.replace import world as worlds
from tests.transcode.replace.invariants import broken_invariants
from transcode.models import Job, JournalState, Replacement, TrashEntry
from transcode.queue.job_queue import release, take_over
from transcode.replacing.journal import hold_journal
from transcode.replacing.undo import finish_open_undos, undo_job
from transcode.trash.purge import purge_entry, resume_purges
from transcode.verify import swapped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A child process per look at a film would be most of the time of these tests.
setattr(swapped, "probe_in_worker", probe_file)  # noqa: B010  # not exported
setattr(probe_pool, "probe_in_worker", probe_file)  # noqa: B010


class Lacking:
    """A file system that cannot do some calls at all."""

    def __init__(self, names: list[str]) -> None:
        self._names = frozenset(names)

    def before(self, call: FsCall) -> None:
        if call.name in self._names:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), call.path)

    def after(self, call: FsCall) -> None:
        pass


def warm_up(folder: Path) -> None:
    """Do everything once, so that the children find caches filled and the clip made."""
    make(folder, name="film.avi")
    run(folder)
    restart(folder)
    check(folder)
    undo(folder)


def make(data_dir: Path, **values: Any) -> None:
    if "name" in values:
        values["name"] = values["name"].encode("latin-1")
    worlds.make_world(data_dir, **values)


def lack(data_dir: Path, names: list[str]) -> None:
    fs.watcher = Lacking(names) if names else None


def run(data_dir: Path) -> str:
    return worlds.load_world(data_dir).run()


def restart(data_dir: Path) -> str:
    """What happens when MediaFlow starts again: jobs, undos and purges that were cut short."""
    finish_open_undos()
    resume_purges()
    return worlds.load_world(data_dir).restart()


def recover(data_dir: Path) -> str:
    """Only what the next runner does first; the swap is not tried again."""
    world = worlds.load_world(data_dir)
    job = Job.objects.get()
    take_over(job.pk, job.lease_token)
    return world.run_recovery()


def run_under_a_held_lock(data_dir: Path) -> str:
    """Another process is at work on this job's journal and does not come back."""
    world = worlds.load_world(data_dir)
    with hold_journal(world.job.pk):
        return world.run()


def undo(data_dir: Path) -> list[Any]:
    result = undo_job(Job.objects.get().pk, actor=None)
    return [result.ok, result.reason]


def undo_while_published(data_dir: Path) -> None:
    """Somebody undoes while the original waits for its leave."""

    def listener(replacement_id: int, deadline_s: float, is_stopping: object) -> bool:
        undo_job(Replacement.objects.get(pk=replacement_id).job_id, actor=None)
        return True

    register_hook("before_original_leaves", listener)


def purge(data_dir: Path) -> list[Any]:
    result = purge_entry(TrashEntry.objects.get().pk)
    return [result.ok, result.reason]


def spoil_output(data_dir: Path) -> None:
    """The disk changes the new file's bytes once it has its final name, as a bad NAS does."""

    class Spoiler:
        def before(self, call: FsCall) -> None:
            row = Replacement.objects.first()
            if call.name == "sha256" and row and row.state == JournalState.SWAPPING:
                found = os.lstat(call.path)
                with open(call.path, "r+b") as handle:
                    handle.write(b"spoiled")
                os.utime(call.path, ns=(found.st_atime_ns, found.st_mtime_ns))

        def after(self, call: FsCall) -> None:
            pass

    fs.watcher = Spoiler()


class Failing:
    """The N-th call fails (all from there on when `is_lasting`), before or after its effect."""

    def __init__(self, number: int, code: int, *, is_after: bool, is_lasting: bool) -> None:
        self._left = number
        self._error = code
        self._is_after = is_after
        self._is_lasting = is_lasting
        self.has_failed = False

    def before(self, call: FsCall) -> None:
        if not self._is_after:
            self._count(call)

    def after(self, call: FsCall) -> None:
        if self._is_after:
            self._count(call)

    def _count(self, call: FsCall) -> None:
        self._left -= 1
        if self._left == 0 or (self._is_lasting and self._left < 0):
            self.has_failed = True
            raise OSError(self._error, os.strerror(self._error), call.path)


def fail_every_call(
    data_dir: Path,
    make: dict[str, Any],
    code: int,
    is_undo: bool = False,
    is_after: bool = False,
    is_lasting: bool = False,
) -> dict[str, Any]:
    """Fail call 1, 2, 3, … each in a world of its own, until a run makes no failing call."""
    values = {**make, "name": make["name"].encode()}
    problems: list[str] = []
    ends: dict[str, int] = {}
    for number in range(1, 400):
        world = worlds.make_world(data_dir / f"world{number}", **values)
        failing = Failing(number, code, is_after=is_after, is_lasting=is_lasting)
        if is_undo:
            world.run()
            with worlds.watched_by(failing):
                undo_job(world.job.pk, actor=None)
        else:
            world.run(failing)
        first_end = Job.objects.get(pk=world.job.pk).reason_code
        finish_open_undos()
        status = world.restart()
        if status == "held":  # a person gave MediaFlow the right to write, and lets it go on
            release(world.job.pk)
            status = world.restart()
        broken = broken_invariants(world)
        problems += [f"call {number} ({first_end}): {text}" for text in broken]
        ends[f"{first_end} → {status}"] = ends.get(f"{first_end} → {status}", 0) + 1
        if not failing.has_failed:
            return {"calls": number - 1, "problems": problems, "ends": ends}
    raise AssertionError("the calls never end")


def check(data_dir: Path) -> dict[str, Any]:
    world = worlds.load_world(data_dir)
    row = Replacement.objects.filter(job=world.job).first()
    entry = TrashEntry.objects.first()
    return {
        "broken": broken_invariants(world),
        "status": world.status(),
        "reason": Job.objects.get().reason,
        "state": row.state if row else None,
        "detail": row.detail if row else "",
        "trash": entry.state if entry else None,
        "done_swaps": Replacement.objects.filter(state=JournalState.DONE).count(),
    }


ACTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        make,
        lack,
        run,
        restart,
        recover,
        run_under_a_held_lock,
        undo,
        undo_while_published,
        purge,
        spoil_output,
        fail_every_call,
        make_real,
        make_chunked,
        run_real,
        restart_real,
        check_real,
        check_chunks,
        check,
    )
}
