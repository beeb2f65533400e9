"""How full the disks are, without ever waiting for one: a hanging NAS must not stop a page."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

REFRESH_S = 30.0
FIRST_LOOK_S = 0.25  # local disks answer in far less
HANGS_AFTER_S = 10.0
LOW_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class DiskUse:
    used_bytes: int
    total_bytes: int
    # Which disk it is, for this start of the machine only; 0: not known.
    device: int = 0

    @property
    def free_bytes(self) -> int:
        return self.total_bytes - self.used_bytes


def measure(path: str | bytes | Path) -> DiskUse:
    """Ask the file system now. Raises OSError; may block for ever on a dead network mount."""
    usage = shutil.disk_usage(path)
    # `used` as df counts it: what root keeps for itself is not free for us.
    return DiskUse(usage.total - usage.free, usage.total, Path(os.fsdecode(path)).stat().st_dev)


class DiskGauge:
    """The last known use of one path; asks again in a thread, never twice at once."""

    def __init__(
        self, path: str | bytes | Path, *, ask: Callable[[str | bytes | Path], DiskUse] = measure
    ) -> None:
        self._path = path
        self._ask = ask
        self._lock = threading.Lock()
        self._known: DiskUse | None = None
        self._asked_at: float | None = None
        self._is_asking = False

    @property
    def is_hanging(self) -> bool:
        """The question was asked long ago and has not been answered."""
        asked_at = self._asked_at
        return (
            self._is_asking and asked_at is not None and time.monotonic() - asked_at > HANGS_AFTER_S
        )

    def read(self) -> DiskUse | None:
        """At once, but for the first look, which waits FIRST_LOOK_S at most. None: not known."""
        with self._lock:
            now = time.monotonic()
            is_due = self._asked_at is None or now - self._asked_at > REFRESH_S
            is_first = self._asked_at is None
            if is_due and not self._is_asking:
                self._is_asking, self._asked_at = True, now
                thread = threading.Thread(target=self._look, name="disk-gauge", daemon=True)
                thread.start()
                if is_first:
                    thread.join(FIRST_LOOK_S)
        return self._known

    def _look(self) -> None:
        try:
            self._known = self._ask(self._path)
        except OSError:
            self._known = None
        finally:
            self._is_asking = False


_gauges: dict[bytes, DiskGauge] = {}


def gauge_of(path: bytes) -> DiskGauge:
    """The gauge of a folder, the same one for the life of the process."""
    return _gauges.setdefault(path, DiskGauge(path))


def low_disks() -> list[tuple[str, DiskUse]]:
    """MediaFlow's own folders with little space left: (what it is, its use)."""
    folders = {"data": settings.DATA_DIR, "work": settings.WORK_DIR}
    found: dict[DiskUse, str] = {}
    for name, folder in folders.items():
        use = gauge_of(os.fsencode(folder)).read()
        if use is not None and use.free_bytes < LOW_BYTES:
            found.setdefault(use, name)
    return [(name, use) for use, name in found.items()]
