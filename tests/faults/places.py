"""Mounts, other users and watchers for tests of faults that are tried for real."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mediaflow.base import failpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mediaflow.base.fs import FsCall, Watcher

NOBODY = 65534


def mount(*arguments: str) -> None:
    """Raises pytest's skip, by name, where mounting is not permitted."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs mounts, which are not permitted here: {done.stderr.strip()}")


def unmount(target: Path) -> None:
    subprocess.run(["umount", "-l", str(target)], capture_output=True, check=False)


@contextmanager
def small_disk(target: Path, size: str) -> Iterator[None]:
    target.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(target))
    try:
        yield
    finally:
        unmount(target)


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """`source` also at `target`: one disk, one device number, and yet no links between them."""
    source.mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    mount("--bind", str(source), str(target))
    try:
        yield
    finally:
        unmount(target)


@contextmanager
def as_user(uid: int, *groups: int) -> Iterator[None]:
    """This process as another user: root is never refused anything."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The kernel refuses to make a file larger than this (EFBIG), as a quota may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Killed(BaseException):
    """Stands for SIGKILL in a test that has to go on."""


def journal_says(state: str) -> bool:
    """Whether any journal is in this state; "" is any."""
    from transcode.models import Replacement

    return not state or Replacement.objects.filter(state=state).exists()


@contextmanager
def at_point(point: str, function: Callable[[], object] | None = None) -> Iterator[None]:
    """Call `function` the first time that a failpoint is reached; without one: killed there."""
    is_done = False

    def on_reach(reached: str) -> None:
        nonlocal is_done
        if reached != point or is_done:
            return
        is_done = True
        if function is None:
            raise Killed
        function()

    failpoints.watch(on_reach)
    try:
        yield
    finally:
        failpoints.watch(None)
    assert is_done, f"{point} was not reached"


class Together:
    """Several watchers, one after the other."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def before(self, call: FsCall) -> None:
        for watcher in self._watchers:
            watcher.before(call)

    def after(self, call: FsCall) -> None:
        for watcher in self._watchers:
            watcher.after(call)


class Before:
    """Calls `function` once, before the first call named `name` (with `suffix` in a path)."""

    def __init__(
        self,
        name: str,
        function: Callable[[FsCall], object],
        suffix: bytes = b"",
        *,
        state: str = "",
    ) -> None:
        self._name = name
        self._function = function
        self._suffix = suffix
        self._state = state
        self.is_done = False

    def before(self, call: FsCall) -> None:
        paths = call.path + b"\0" + call.other
        if self.is_done or call.name != self._name or self._suffix not in paths:
            return
        if journal_says(self._state):
            self.is_done = True
            self._function(call)

    def after(self, call: FsCall) -> None:
        pass


class Refusing:
    """Every call of these names fails (on paths with `suffix` in them, in a state of a journal)."""

    def __init__(
        self, *names: str, code: int = errno.EOPNOTSUPP, suffix: bytes = b"", state: str = ""
    ) -> None:
        self._names = names
        self._code = code
        self._suffix = suffix
        self._state = state

    def before(self, call: FsCall) -> None:
        if call.name not in self._names or self._suffix not in call.path + b"\0" + call.other:
            return
        if journal_says(self._state):
            raise OSError(self._code, os.strerror(self._code), call.path)

    def after(self, call: FsCall) -> None:
        pass
