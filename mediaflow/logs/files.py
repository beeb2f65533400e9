"""Reads the log files backwards: newest record first, however large they have grown."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mediaflow.base.logging_setup import FILES_KEPT, SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BLOCK_BYTES = 64 * 1024
# One page looks at no more than this; the next page goes on where it stopped.
SCAN_LIMIT_BYTES = 16 * 1024**2
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_HEAD = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+) "
    r"(?P<source>\w+)\[(?P<pid>\d+)\] (?P<logger>[^ :]+): (?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record; `detail` holds the indented lines under it (a traceback)."""

    at: datetime
    stamp: str
    level: str
    source: str
    logger: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What to look for. `before`: the stamp of the last record of the page before; "" newest."""

    sources: Sequence[str] = SOURCES
    min_level: str = "INFO"
    text: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records, newest first. `next_before` is "" at the end of everything."""

    records: list[LogRecord]
    next_before: str
    is_partial: bool  # the scan limit was reached first


class ScanBudget:
    """Counts bytes read over all files of one page."""

    def __init__(self, limit_bytes: int = SCAN_LIMIT_BYTES) -> None:
        self.left_bytes = limit_bytes

    @property
    def is_used_up(self) -> bool:
        return self.left_bytes <= 0


def read_page(log_dir: Path, query: LogQuery, *, size: int = 200) -> LogPage:
    """The newest `size` records that match."""
    budget = ScanBudget()
    streams = [_source_records(log_dir, source, budget) for source in query.sources]
    found: list[LogRecord] = []
    last_seen = ""
    for record in heapq.merge(*streams, key=lambda r: r.stamp, reverse=True):
        if query.before and record.stamp >= query.before:
            continue
        if len(found) == size:
            return LogPage(found, last_seen, False)
        last_seen = record.stamp
        if _matches(record, query):
            found.append(record)
    if budget.is_used_up and last_seen:
        return LogPage(found, last_seen, True)
    return LogPage(found, "", False)


def _matches(record: LogRecord, query: LogQuery) -> bool:
    level = LEVELS.index(record.level) if record.level in LEVELS else len(LEVELS)
    if level < LEVELS.index(query.min_level):
        return False
    if not query.text:
        return True
    wanted = query.text.casefold()
    return any(wanted in part.casefold() for part in (record.text, record.logger, record.detail))


def source_files(log_dir: Path, source: str) -> list[Path]:
    """The file of a source and its older ones, newest first."""
    if source not in SOURCES:
        return []
    current = log_dir / f"{source}.log"
    older = [current.with_name(f"{current.name}.{n}") for n in range(1, FILES_KEPT + 1)]
    return [path for path in (current, *older) if path.is_file()]


def _source_records(log_dir: Path, source: str, budget: ScanBudget) -> Iterator[LogRecord]:
    for path in source_files(log_dir, source):
        below: list[str] = []
        for line in lines_backwards(path, budget):
            head = _HEAD.fullmatch(line)
            if head is None:
                below.append(line.removeprefix("    "))
                continue
            yield _record(head, "\n".join(reversed(below)))
            below = []


def _record(head: re.Match[str], detail: str) -> LogRecord:
    at = datetime.strptime(head["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return LogRecord(
        at, head["at"], head["level"], head["source"], head["logger"], head["text"], detail
    )


def lines_backwards(path: Path, budget: ScanBudget) -> Iterator[str]:
    """Lines from the last to the first, until the budget is used up. A vanished file has none."""
    try:
        handle = path.open("rb")
    except OSError:
        return
    with handle:
        position = handle.seek(0, 2)
        rest = b""
        while position > 0 and not budget.is_used_up:
            step = min(BLOCK_BYTES, position)
            position -= step
            handle.seek(position)
            budget.left_bytes -= step
            first, *lines = (handle.read(step) + rest).split(b"\n")
            for line in reversed(lines):
                if line:
                    yield line.decode("utf-8", "replace")
            rest = first
        if position == 0 and rest:
            yield rest.decode("utf-8", "replace")
