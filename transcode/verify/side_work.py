"""Costly work for later rungs, begun early in threads beside the cheap rungs.

The walk itself stays in its order: a rung takes the result when its turn comes, and a rung that
fails before ends what was begun. What was not begun is done when it is taken.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
LOOK_S = 0.05


class _Ended(Exception):
    """Nobody will take the result any more."""


@dataclass(slots=True)
class _Task:
    """One thread; it starts a child process, so it must live until the child has ended."""

    work: Callable[[], Any]
    value: Any = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def run(self) -> None:
        try:
            self.value = self.work()
        except BaseException as error:  # noqa: BLE001  # raised again where the result is taken
            self.error = error
        finally:
            self.done.set()


class SideWork:
    """Used by the thread that made it, but for `checkpoint`, which the work itself calls."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._owner = threading.get_ident()
        self._stop = threading.Event()
        self._orders = threading.Lock()
        self._tasks: dict[str, _Task] = {}

    @property
    def is_owner(self) -> bool:
        return threading.get_ident() == self._owner

    def checkpoint(self) -> None:
        """The job's orders; beside it, whether anybody still waits.

        While an order holds the owner up (a frozen job), the work beside stands still, too.
        """
        with self._orders:
            if self.is_owner:
                self._checkpoint()
        if not self.is_owner and self._stop.is_set():
            raise _Ended

    def begin(self, name: str, work: Callable[[], Any]) -> None:
        """`work` may start children, and must call `checkpoint` often. Once for each name."""
        task = _Task(work)
        task.thread = threading.Thread(target=task.run, name=f"ladder-{name}", daemon=True)
        task.thread.start()
        self._tasks[name] = task

    def take(self, name: str, work: Callable[[], T]) -> T:
        """What the begun work gave or raised; else `work` is done now. Raises as `checkpoint`."""
        task = self._tasks.pop(name, None)
        if task is None:
            return work()
        try:
            while not task.done.wait(LOOK_S):
                self.checkpoint()
        except BaseException:
            self._tasks[name] = task  # `end` waits for it
            raise
        if task.error is not None:
            raise task.error
        value: T = task.value
        return value

    def end(self) -> None:
        """End what nobody took; returns when its children are gone."""
        self._stop.set()
        for task in self._tasks.values():
            task.thread.join()
        self._tasks.clear()
