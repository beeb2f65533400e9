"""Progress on standard error: a bar where a person looks, a line per event where nobody does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from transcode.models import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from rich.progress import TaskID

    from mediaflow.base.models import Operation
    from transcode.models import Job


class ProgressDisplay:
    """Shows a scan, then jobs. Silent when `is_quiet`."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=is_quiet, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=is_quiet or not self._console.is_terminal,
            transient=True,
        )
        self._bars: dict[int, TaskID] = {}
        self._seen: dict[int, str] = {}
        self._scan_bar: TaskID | None = None

    @contextmanager
    def shown(self) -> Iterator[ProgressDisplay]:
        with self._progress:
            yield self

    def say(self, line: str) -> None:
        self._console.print(escape(line), soft_wrap=True)

    def show_scan(self, operation: Operation) -> None:
        if self._scan_bar is None:
            self._scan_bar = self._progress.add_task(escape(operation.title), note="", total=None)
        self._progress.update(
            self._scan_bar,
            completed=operation.done_count,
            total=operation.total_count,
            note=escape(operation.current[-60:]),
        )

    def end_scan(self) -> None:
        if self._scan_bar is not None:
            self._progress.remove_task(self._scan_bar)
            self._scan_bar = None

    def show_jobs(self, jobs: QuerySet[Job]) -> None:
        """Bars of the running ones; a line for each that ends or waits."""
        rows = jobs.values_list(
            "pk", "file_path", "status", "phase", "progress_pct", "progress_note", "reason"
        )
        for pk, path, status, phase, pct, note, reason in rows:
            self._show_job(pk, path, status, phase, pct, note)
            if self._seen.get(pk) != status:
                self._seen[pk] = status
                if status != JobStatus.QUEUED:
                    self.say(f"{status}: {path}" + (f": {reason}" if reason else ""))

    def _show_job(
        self, pk: int, path: str, status: str, phase: str, pct: float | None, note: str
    ) -> None:
        if status != JobStatus.RUNNING:
            bar = self._bars.pop(pk, None)
            if bar is not None:
                self._progress.remove_task(bar)
            return
        if pk not in self._bars:
            self._bars[pk] = self._progress.add_task("", note="", total=100)
        name = path.rsplit("/", 1)[-1][-50:]
        values: dict[str, Any] = {"completed": pct or 0, "note": escape(note[:40])}
        self._progress.update(self._bars[pk], description=escape(f"{phase} {name}"), **values)
