"""Huey's part: a bell. The task carries nothing; it may run twice or never."""

from __future__ import annotations

import atexit

from huey.contrib.djhuey import on_startup, task

from transcode.after_swap.worker import outbox_worker
from transcode.queue.dispatch import consumer_dispatcher, start_consumer_dispatcher


@task()  # type: ignore[untyped-decorator]  # huey has no types
def wake() -> None:
    """Runs in the consumer: let its dispatcher and its outbox look for work now."""
    outbox_worker.wake()
    dispatcher = consumer_dispatcher()
    if dispatcher is not None:
        dispatcher.wake()


@on_startup()  # type: ignore[untyped-decorator]  # huey has no types
def start_dispatcher() -> None:
    """Huey calls this in each of its workers; the first one starts the dispatcher."""
    dispatcher = start_consumer_dispatcher()
    # At a normal end of the interpreter the children hand back while we wait. After a kill they
    # notice the end of their pipes by themselves.
    atexit.unregister(dispatcher.stop)
    atexit.register(dispatcher.stop)
    outbox_worker.start()
    atexit.unregister(outbox_worker.stop)
    atexit.register(outbox_worker.stop)
