"""Processes of the queue that end get minutes where the product gives seconds.

The product ends hard what has not handed its job back after five seconds, which must be so when a
machine is shut down. A test that looks at what was handed back would fail on a machine that is busy
with other things. What never hands back is still found: the tests wait for it in vain.
"""

from __future__ import annotations

import sys

from django.apps import AppConfig

from tests.warm_workers import take_offered_workers

PATIENCE_S = 60.0
QUEUE_COMMANDS = frozenset({"run_huey", "run_job", "run_operation", "work", "optimize"})


class Patience(AppConfig):
    name = "tests.patience"

    def ready(self) -> None:
        take_offered_workers()
        be_patient()


def be_patient() -> None:
    """Where this process is one of the queue's, by its command line."""
    if not QUEUE_COMMANDS & set(sys.argv[1:2]):
        return
    from mediaflow.base.management.commands import run_operation
    from transcode.queue import dispatch
    from transcode.running import process

    for module, constant in (
        (dispatch, "GOODBYE_S"),
        (process, "HAND_BACK_S"),
        (run_operation, "HAND_BACK_S"),
    ):
        assert hasattr(module, constant)
        setattr(module, constant, PATIENCE_S)
