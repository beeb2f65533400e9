"""Huey's part: watching begins with the consumer, and a call of a webhook is worked on at once."""

from __future__ import annotations

import atexit
import threading

from huey.contrib.djhuey import on_startup, task

from library.scanning.watch import LibraryWatcher

_watcher = LibraryWatcher()
_lock = threading.Lock()


@on_startup()  # type: ignore[untyped-decorator]  # huey has no types
def start_watching() -> None:
    """Huey calls this in each of its workers; the first one starts the thread."""
    with _lock:
        _watcher.start()
    atexit.unregister(_watcher.stop)
    atexit.register(_watcher.stop)


@task()  # type: ignore[untyped-decorator]  # huey has no types
def work_on_webhooks() -> None:
    """May run twice or never: a periodic task does the same."""
    from library.webhooks.work import work_on_events

    work_on_events()
