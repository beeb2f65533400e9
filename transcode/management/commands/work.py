"""`mediaflow work`: runs the queue in the foreground."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser

MAX_SLOTS: Final = 64


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


class Command(BaseCommand):
    help = "Run the queue in the foreground. Ctrl-C hands back what runs; nothing is lost."
    requires_system_checks = ("mediaflow",)  # not of the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("--drain", action="store_true", help="return when nothing is left")
        parser.add_argument("--slots", type=int, metavar="N", help="films at once")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import bad_input
        from transcode.console.foreground import dispatching, wait_until_done
        from transcode.models import Job
        from transcode.queue.dispatch import DispatchOptions

        slots = options["slots"]
        if slots is not None and not 1 <= slots <= MAX_SLOTS:
            raise bad_input(f"--slots is {slots}; give it a whole number from 1 to {MAX_SLOTS}.")
        chosen = DispatchOptions()
        if slots is not None:
            chosen = DispatchOptions(limit=lambda: slots, child_env={"MEDIAFLOW_JOBS": str(slots)})
        if not options["is_json"]:
            self.stderr.write("Working. Ctrl-C stops; what runs is handed back.")
        signal.signal(signal.SIGTERM, _as_interrupt)
        try:
            with dispatching(chosen):
                while not options["drain"]:
                    time.sleep(1)
                drained = wait_until_done(Job.objects.all())
        except KeyboardInterrupt:
            self.stderr.write("Stopped. What ran is in the queue again.")
            raise
        if options["is_json"]:
            self.stdout.write(json.dumps(asdict(drained)))
        else:
            self.stdout.write(
                f"{drained.completed} completed, {drained.skipped} skipped, {drained.failed}"
                f" failed in {drained.seconds:.0f} s; {drained.left} left in the queue."
            )
        if drained.stopped_by:
            self.stderr.write(drained.stopped_by)
        if drained.failed or drained.left:
            raise SystemExit(1)
