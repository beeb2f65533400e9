"""A mount that does not answer: whoever asks about what lies there waits."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Nobody waits for ever: a test of code that asks without a bound fails then.
LONGEST_S = 3.0


class DeadDisk:
    def __init__(self, root: bytes) -> None:
        self.root = root
        self.asked = 0
        self.is_back = threading.Event()

    def hang(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any, *args: Any, **kwargs: Any) -> Any:
            if os.fsencode(path).startswith(self.root):
                self.asked += 1
                self.is_back.wait(LONGEST_S)
            return call(path, *args, **kwargs)

        return ask


@contextmanager
def dead_disk(root: bytes) -> Iterator[DeadDisk]:
    disk = DeadDisk(root)
    with (
        mock.patch("os.path.isdir", disk.hang(os.path.isdir)),
        mock.patch("os.path.realpath", disk.hang(os.path.realpath)),
        mock.patch("library.places.ANSWERS_S", 0.05),
    ):
        try:
            yield disk
        finally:
            disk.is_back.set()
