"""The thread of the consumer that works on the outbox: a slow Plex holds nothing else up."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from transcode.after_swap.outbox import work_on_due

log = logging.getLogger(__name__)
LOOK_S: Final = 5.0  # how often it looks by itself
STOP_PATIENCE_S: Final = 3.0


class OutboxWorker:
    """One for each consumer process. Several consumers share the work: entries are claimed."""

    def __init__(self) -> None:
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._bell.set()

    def stop(self) -> None:
        """A call that is under way is left alone: its entry is taken over by the next start."""
        self._stopping.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join(STOP_PATIENCE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._bell.clear()
            pause = self._bell
            try:
                close_old_connections()
                work_on_due(self._stopping.is_set)
            except (DatabaseError, InterfaceError):
                log.warning("the outbox waits for the database", exc_info=True)
            except Exception:  # the edge of the process: without this thread nobody is told
                log.exception("a fault in the outbox; trying again")
                pause = self._stopping  # no bell cuts it short: the log must not run over
            finally:
                connection.close()
            pause.wait(LOOK_S)


outbox_worker = OutboxWorker()
