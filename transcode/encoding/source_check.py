"""The film once more, after ffmpeg has read it: is it there, and still the one that was planned."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from library.scanning.marker import read_marker
from mediaflow.base.fs import fs
from transcode.outcomes import JobFailed
from transcode.replacing.snapshot import SourceChange, compare_snapshots, take_source_snapshot

if TYPE_CHECKING:
    from transcode.running.context import RunContext


def source_changed() -> JobFailed:
    return JobFailed(
        "source_changed",
        "The film was changed or replaced while it was being encoded. It was left alone.",
        is_retryable=True,
    )


def refuse_missing(ctx: RunContext) -> None:
    """A film that is gone explains why ffmpeg failed. Raises JobFailed.

    Says nothing when the whole library is away: the next attempt waits for it.
    """
    with suppress(OSError):
        if fs.lstat_or_none(ctx.source) is None and read_marker(ctx.library_root) is not None:
            raise JobFailed("source_missing", "The film was deleted or renamed meanwhile.")


def refuse_replaced(ctx: RunContext) -> None:
    """Whether ffmpeg read the planned bytes cannot be told then. Raises JobFailed.

    A film that is gone, or whose ctime alone moved, is left to rung 11 and S5 of the swap.
    """
    with suppress(OSError):
        now = take_source_snapshot(ctx.source)
        if compare_snapshots(ctx.snapshot, now) is SourceChange.CHANGED:
            raise source_changed()
