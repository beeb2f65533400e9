"""A scan's progress on standard error: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from mediaflow.base.models import Operation

_SHOWN_LETTERS = 60


class ScanDisplay:
    """One bar per scan, one scan at a time."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        console = Console(stderr=True, quiet=is_quiet, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[current]}"),
            TimeElapsedColumn(),
            console=console,
            disable=is_quiet or not console.is_terminal,
            transient=True,
        )
        self._bar: TaskID | None = None

    @contextmanager
    def shown(self) -> Iterator[ScanDisplay]:
        with self._progress:
            yield self

    def show(self, operation: Operation) -> None:
        """`on_progress` of an operation."""
        if self._bar is None:
            self._bar = self._progress.add_task(
                escape(operation.title), total=None, rate="", current=""
            )
        rate = f"{operation.rate_per_s:.0f} files/s" if operation.rate_per_s else ""
        self._progress.update(
            self._bar,
            completed=operation.done_count,
            total=operation.total_count,
            rate=rate,
            current=escape(operation.current[-_SHOWN_LETTERS:]),
        )

    def end(self) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
            self._bar = None
