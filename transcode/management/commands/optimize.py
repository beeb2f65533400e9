"""`mediaflow optimize PATH …`: scan, queue, encode, prove, swap in; without a browser."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from transcode.console.foreground import SpareRunner
    from transcode.console.optimize import Queued
    from transcode.console.progress_display import ProgressDisplay
    from transcode.models import Preset

SETTLE_TRIES: Final = 3
SETTLE_S: Final = 3.0


class Command(BaseCommand):
    help = "Make the films at PATH smaller: in place, or with --output-dir into another folder."
    requires_system_checks = ("mediaflow",)  # not of the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("paths", nargs="+", metavar="PATH")
        parser.add_argument("--preset", default="balanced", metavar="SLUG")
        parser.add_argument(
            "--target-vmaf", metavar="N", help="a quality instead of the preset's own"
        )
        parser.add_argument("--output-dir", metavar="DIR", help="write there, replace nothing")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import (
            existing_path,
            find_preset,
            output_folder,
        )
        from transcode.console.foreground import runner_in_waiting
        from transcode.console.progress_display import ProgressDisplay
        from transcode.console.target_quality import with_target

        preset = with_target(find_preset(options["preset"]), options["target_vmaf"])
        paths = [existing_path(text) for text in options["paths"]]
        folder = output_folder(options["output_dir"]) if options["output_dir"] else None
        signal.signal(signal.SIGTERM, _as_interrupt)
        display = ProgressDisplay(is_quiet=options["is_json"] and not sys.stderr.isatty())
        try:
            with display.shown(), runner_in_waiting() as waiting:
                problems = self._scan(paths, display)
                queued = self._queue(paths, preset, folder, display)
                self._run(queued, waiting, display)
        except KeyboardInterrupt:
            display.say("Stopped. What was queued stays in the queue; `mediaflow work` goes on.")
            raise
        self._tell(queued, problems, is_json=options["is_json"], display=display)

    def _scan(self, paths: list[bytes], display: ProgressDisplay) -> list[str]:
        from transcode.console.optimize import libraries_for, scan, unsettled

        libraries = {library.pk: library for _path, library in libraries_for(paths)}
        problems = [
            text for library in libraries.values() if (text := scan(library, display.show_scan))
        ]
        for _ in range(SETTLE_TRIES):
            if problems or not unsettled(paths):
                break
            display.say("Some films are still growing; looking again.")
            time.sleep(SETTLE_S)
            problems = [t for lib in libraries.values() if (t := scan(lib, display.show_scan))]
        display.end_scan()
        return problems

    def _queue(
        self, paths: list[bytes], preset: Preset, folder: bytes | None, display: ProgressDisplay
    ) -> Queued:
        from transcode.console.optimize import queue

        queued = queue(paths, preset, output_dir=folder)
        display.say(f"Queued: {len(queued.jobs)}. Not queued: {len(queued.skipped)}.")
        return queued

    def _run(self, queued: Queued, waiting: SpareRunner, display: ProgressDisplay) -> None:
        from transcode.console.foreground import somebody_dispatches, wait_until_done
        from transcode.models import Job

        jobs = Job.objects.filter(pk__in=queued.jobs)
        with somebody_dispatches(queued.jobs, waiting):
            drained = wait_until_done(jobs, look=lambda: display.show_jobs(jobs))
        if drained.stopped_by:
            display.say(drained.stopped_by)

    def _tell(
        self, queued: Queued, problems: list[str], *, is_json: bool, display: ProgressDisplay
    ) -> None:
        from transcode.console.job_report import report_jobs
        from transcode.console.optimize import summary
        from transcode.models import JobStatus

        jobs = report_jobs(queued.jobs)
        if is_json:
            document = {"jobs": jobs, "skipped": queued.skipped, "problems": problems}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=1))
        else:
            for line in [*problems, *summary(jobs, queued.skipped)]:
                self.stdout.write(line)
        good = {JobStatus.COMPLETED, JobStatus.SKIPPED}
        if problems or any(job["state"] not in good for job in jobs):
            raise SystemExit(1)


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
