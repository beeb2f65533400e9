"""A disk that may lose in a power cut whatever was not synced, replayed from recorded calls.

Names and contents are kept apart, as on a disk: a name leads to an inode. A change of names lasts
once the folders it touches were synced; the bytes of a file last once the file was. At a power cut
any of the changes that do not last yet may be missing, in any combination.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from mediaflow.base.fs import FsCall, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME_CALLS = frozenset(
    {"open_exclusive", "link", "rename_noreplace", "rename_exchange", "rename_over", "unlink"}
)
TORN = "torn"  # bytes that were written and never synced
EMPTY = "empty"
RANDOM_LOSSES = 6  # tried beside none, all and each single one


@dataclass
class Recorder:
    """A watcher: every change in its order, with notes of what the journal said in between."""

    journal: Callable[[], str]
    calls: list[tuple[FsCall, str]] = field(default_factory=list)

    def before(self, call: FsCall) -> None:
        pass

    def after(self, call: FsCall) -> None:
        if call.name in NAME_CALLS | {"write", "fsync_file", "fsync_folder"}:
            self.calls.append((call, self.journal()))


@dataclass
class Disk:
    """What a power cut would leave: names to inodes, inodes to contents."""

    names: dict[bytes, int]
    contents: dict[int, str]

    def at(self, path: bytes) -> str | None:
        inode = self.names.get(path)
        return None if inode is None else self.contents.get(inode, TORN)


@dataclass
class _Change:
    """One change of names; it lasts once every folder in `unsynced` was synced."""

    call: FsCall
    inode: int
    unsynced: set[bytes]


def power_cuts(
    calls: list[tuple[FsCall, str]], start: Disk, new_content: str
) -> Iterator[tuple[int, str, Disk]]:
    """Every disk that a cut after each call may leave: (number of calls, journal state, disk)."""
    dice = random.Random(1)  # the same every time
    changes: list[_Change] = []
    synced_files: set[int] = set()
    written: set[int] = set()
    live = Disk(dict(start.names), dict(start.contents))
    next_inode = max(start.contents) + 1
    for number, (call, journal) in enumerate(calls, 1):
        if call.name in NAME_CALLS:
            changes.append(_Change(call, next_inode, _folders(call)))
            _apply(live, changes[-1])
            next_inode += 1
        elif call.name == "fsync_folder":
            for change in changes:
                change.unsynced.discard(call.path)
        elif call.name == "write":
            written.add(live.names[call.path])
        elif call.name == "fsync_file" and call.path in live.names:
            synced_files.add(live.names[call.path])
        for lost in _losses([c for c in changes if c.unsynced], dice):
            whole = synced_files & (written | set(start.contents))
            disk = _after_cut(start, changes, lost, whole, new_content)
            disk.contents.update(dict.fromkeys(synced_files - whole, EMPTY))
            yield number, journal, disk


def _folders(call: FsCall) -> set[bytes]:
    """The folders in which names change."""
    if call.name == "link":
        return {parent_of(call.other)}
    return {parent_of(path) for path in (call.path, call.other) if path}


def _losses(pending: list[_Change], dice: random.Random) -> Iterator[list[_Change]]:
    yield []
    if not pending:
        return
    yield pending
    if len(pending) <= 4:
        for size in range(1, len(pending)):
            yield from (list(chosen) for chosen in combinations(pending, size))
        return
    for change in pending:
        yield [change]
    for _ in range(RANDOM_LOSSES):
        yield [change for change in pending if dice.random() < 0.5]


def _after_cut(
    start: Disk,
    changes: list[_Change],
    lost: list[_Change],
    synced_files: set[int],
    new_content: str,
) -> Disk:
    disk = Disk(dict(start.names), dict(start.contents))
    disk.contents.update(dict.fromkeys(synced_files - set(start.contents), new_content))
    for change in changes:
        if not any(change is missing for missing in lost):
            _apply(disk, change)
    return disk


def _apply(disk: Disk, change: _Change) -> None:
    """The effect, as far as what it stands on is there."""
    call, names = change.call, disk.names
    if call.name == "open_exclusive":
        names[call.path] = change.inode
    elif call.name == "unlink":
        names.pop(call.path, None)
    elif call.path not in names:
        return
    elif call.name == "link":
        names[call.other] = names[call.path]
    elif call.name == "rename_exchange":
        if call.other in names:
            names[call.path], names[call.other] = names[call.other], names[call.path]
    elif names.get(call.other) != names[call.path]:
        names[call.other] = names.pop(call.path)
