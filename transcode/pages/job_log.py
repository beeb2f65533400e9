"""The end of an attempt's log, read without reading the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from transcode.running.attempt_log import attempt_log_path

if TYPE_CHECKING:
    from pathlib import Path

TAIL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogTail:
    """`text` is the end of the log; `is_whole` says that nothing precedes it."""

    text: str
    size_bytes: int
    is_whole: bool
    is_there: bool


def read_log_tail(log_name: str, *, tail_bytes: int = TAIL_BYTES) -> LogTail:
    """The last lines, whole. A log that is gone or unreadable is an empty tail, never an error."""
    path = attempt_log_path(log_name)
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            handle.seek(max(0, size - tail_bytes))
            raw = handle.read(tail_bytes)
    except OSError:
        return LogTail("", 0, True, False)
    is_whole = size <= tail_bytes
    if not is_whole:
        raw = raw.partition(b"\n")[2]
    return LogTail(raw.decode("utf-8", "backslashreplace"), size, is_whole, True)


def log_file(log_name: str) -> Path | None:
    """The file for downloading; None when there is none. The name is only ever a name."""
    path = attempt_log_path(log_name)
    return path if log_name and path.is_file() else None
