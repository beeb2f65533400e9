"""`manage.py run_operation ID`: one long operation; started by the consumer."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

from mediaflow.base.leases import ParentWatch, own_identity
from mediaflow.base.operations import (
    OperationContext,
    adopt_operation,
    claim_operation,
    run_claimed,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser

HAND_BACK_S: Final = 4.5


class Command(BaseCommand):
    help = "Run one operation (scan, export, …). The consumer starts it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("operation_id", type=int, metavar="ID")
        parser.add_argument("--token", default="", help="the claim's token, given by the consumer")
        parser.add_argument(
            "--parent-fd", type=int, help="end of a pipe that closes when the consumer ends"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        operation_id, token = options["operation_id"], options["token"]
        if not 0 < operation_id < 2**63:
            raise CommandError("Name one operation: manage.py run_operation ID.", returncode=2)
        operation = (
            adopt_operation(operation_id, token, own_identity())
            if token
            else claim_operation(own_identity(), operation_id)
        )
        if operation is None:
            raise CommandError(
                f"Operation {operation_id} does not exist or is not waiting.", returncode=2
            )
        context = OperationContext(operation)
        _hand_back_at_end(context, options["parent_fd"])
        threading.Thread(target=_beat, args=(context,), daemon=True, name="beat").start()
        run_claimed(operation, context)


def _hand_back_at_end(context: OperationContext, parent_fd: int | None) -> None:
    def hand_back(*_args: object) -> None:
        context.should_hand_back = True

    def end_with_parent() -> None:
        hand_back()
        time.sleep(HAND_BACK_S)
        logging.shutdown()
        os._exit(1)  # handlers are idempotent: the reaper starts it again

    signal.signal(signal.SIGTERM, hand_back)
    signal.signal(signal.SIGINT, hand_back)
    ParentWatch(parent_fd, end_with_parent).start()


def _beat(context: OperationContext) -> None:
    """Heartbeats while a handler is busy between two checkpoints."""
    while True:
        time.sleep(5)
        try:
            context.beat_when_due()
        except (DatabaseError, InterfaceError):
            connection.close()
