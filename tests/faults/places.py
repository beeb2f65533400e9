"""Mounts, other users and watchers for tests of faults that are tried for real."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mediaflow.base.fs import FsCall

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


class Before:
    """Calls `function` once, before the first call named `name` (with `suffix` in a path)."""

    def __init__(
        self, name: str, function: Callable[[FsCall], object], suffix: bytes = b""
    ) -> None:
        self._name = name
        self._function = function
        self._suffix = suffix
        self.is_done = False

    def before(self, call: FsCall) -> None:
        paths = call.path + b"\0" + call.other
        if not self.is_done and call.name == self._name and self._suffix in paths:
            self.is_done = True
            self._function(call)

    def after(self, call: FsCall) -> None:
        pass


class Refusing:
    """Every call of these names fails (on paths with `suffix` in them)."""

    def __init__(self, *names: str, code: int = errno.EOPNOTSUPP, suffix: bytes = b"") -> None:
        self._names = names
        self._code = code
        self._suffix = suffix

    def before(self, call: FsCall) -> None:
        if call.name in self._names and self._suffix in call.path + b"\0" + call.other:
            raise OSError(self._code, os.strerror(self._code), call.path)

    def after(self, call: FsCall) -> None:
        pass
