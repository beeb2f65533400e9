"""The log of one attempt: `<data>/logs/jobs/<uuid>-<n>.log`, shown on the job's page."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from django.conf import settings

MAX_BYTES: Final = 8 * 1024 * 1024  # a flood of ffmpeg lines must not fill the disk


def attempt_log_path(log_name: str) -> Path:
    """Where the log of an attempt lies. `log_name` is JobAttempt.log_name."""
    return Path(settings.DATA_DIR) / "logs" / "jobs" / Path(log_name).name


class AttemptLog:
    """Appends lines with the time in UTC. A disk that takes no log costs the log, never the job."""

    def __init__(self, log_name: str) -> None:
        self.path = attempt_log_path(log_name)
        self._lock = threading.Lock()
        self._written = 0
        self._handle: TextIO | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = self.path.open("a", encoding="utf-8", errors="backslashreplace")
            self._written = self.path.stat().st_size
        except OSError:
            self._handle = None

    def __call__(self, line: str) -> None:
        with self._lock:
            if self._handle is None or self._written > MAX_BYTES:
                return
            stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            text = "".join(f"{stamp} {part}\n" for part in line.splitlines() or [""])
            self._written += len(text)
            if self._written > MAX_BYTES:
                text = f"{stamp} … the log ends here: it has reached {MAX_BYTES} bytes\n"
            try:
                self._handle.write(text)
                self._handle.flush()
            except OSError:
                self._drop()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # what it still holds does not fit on the disk either
                handle.close()
