"""Logging: one rotating file for each kind of process, in UTC, without secrets."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_BYTES = 8 * 1024**2
FILES_KEPT = 5
SOURCES = ("web", "consumer", "runner", "command")
REDACTED = "[secret]"

# user:password@ in addresses, and what follows a word that announces a secret.
_IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
_ANNOUNCED = re.compile(
    r"(?i)\b(password|passwd|secret|api[_-]?key|token|authorization|cookie|sessionid)"
    r"(\"?'?\s*[=:]\s*\"?'?)(?:bearer\s+|basic\s+)?([^\s\"',;&]{4,})"
)
_ONE_TIME_LINK = re.compile(r"/(setup|password|hooks)/[A-Za-z0-9_-]{16,}")


class UtcFormatter(logging.Formatter):
    """`2026-11-21T01:02:03.123Z WARNING web[12] django.request: text`, then any traceback."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, source: str, secrets: Iterable[str] = ()) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {source}[%(process)d] %(name)s: %(message)s")
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 8)

    def format(self, record: logging.LogRecord) -> str:
        """The whole text, traceback included: a secret in an exception is caught as well."""
        text = redact(super().format(record), self._secrets)
        first, *rest = text.splitlines() or [""]
        # What follows is indented: no message can pass for a record of its own.
        return "\n".join([first, *(f"    {line}" for line in rest)])


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    text = _ONE_TIME_LINK.sub(rf"/\1/{REDACTED}", text)
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    text = _IN_URL.sub(REDACTED, text)
    return _ANNOUNCED.sub(rf"\1\2{REDACTED}", text)


class SharedRotatingFileHandler(WatchedFileHandler):
    """A rotating file that several processes write: appends are atomic, rotation is under a lock.

    A full disk costs the record, never the work.
    """

    def __init__(
        self, filename: str, *, max_bytes: int = MAX_BYTES, files_kept: int = FILES_KEPT
    ) -> None:
        super().__init__(filename, encoding="utf-8", delay=True)
        self._max_bytes = max_bytes
        self._files_kept = files_kept

    def emit(self, record: logging.LogRecord) -> None:
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            super().emit(record)
            if self.stream is not None and self.stream.tell() > self._max_bytes:
                self._rotate()
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing to be done: reporting it here would fail for the same reason."""

    def _rotate(self) -> None:
        """Shift name.4 to name.5 and so on; who finds the file changed meanwhile does nothing."""
        path = Path(self.baseFilename)
        descriptor = os.open(path.with_name(".rotate.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.stat().st_size <= self._max_bytes:
                return
            for number in range(self._files_kept - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            path.replace(path.with_name(f"{path.name}.1"))
        finally:
            os.close(descriptor)
        self.reopenIfNeeded()


def log_source(argv: Sequence[str]) -> str:
    """Which kind of process this is, by its command line."""
    program = "/".join(argv[:1])
    if "gunicorn" in program:
        return "web"
    command = argv[1] if len(argv) > 1 else ""
    return {
        "run_huey": "consumer",
        "run_job": "runner",
        "run_operation": "runner",
        "runserver": "web",
        "serve": "consumer",
    }.get(command, "command")


def logging_config(log_dir: Path, source: str, secrets: Sequence[str]) -> dict[str, Any]:
    """For Django's LOGGING. Warnings also go to standard error, where `serve` was started."""
    formatter = {"()": UtcFormatter, "source": source, "secrets": list(secrets)}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"utc": formatter},
        "handlers": {
            "file": {
                "()": SharedRotatingFileHandler,
                "filename": str(log_dir / f"{source}.log"),
                "formatter": "utc",
                "level": "INFO",
            },
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "utc",
                "level": "WARNING",
            },
        },
        "root": {"handlers": ["file", "console"], "level": "INFO"},
        "loggers": {
            # Django's own handlers would print everything twice.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # What strangers ask for and do not get is no event of ours.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.security.DisallowedHost": {"level": "ERROR"},
            # With handlers of its own, so that Huey's consumer does not add one that prints all.
            "huey": {"handlers": ["file", "console"], "level": "WARNING", "propagate": False},
            # Counts changes every few seconds; the scan that follows says what they were.
            "watchfiles": {"level": "WARNING"},
        },
    }
