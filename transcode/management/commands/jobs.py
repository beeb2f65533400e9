"""`mediaflow jobs`: what is in the queue and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "List jobs: all, those in one state, or some by their numbers."
    requires_system_checks = ("mediaflow",)  # not of the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("ids", nargs="*", metavar="ID")
        parser.add_argument("--state", default="", help="queued, running, completed, failed, …")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import bad_input, read_job_ids
        from transcode.console.job_report import job_line, report_jobs
        from transcode.models import JobStatus

        state = options["state"]
        if state and state not in JobStatus.values:
            raise bad_input(
                f"{state[:40]!r} is no state; use one of {', '.join(JobStatus.values)}."
            )
        ids = read_job_ids(options["ids"])
        jobs = report_jobs(ids or None, state=state)
        missing = sorted(set(ids) - {job["id"] for job in jobs})
        if missing and not state:
            raise bad_input(f"There is no job {missing[0]}.")
        if options["is_json"]:
            self.stdout.write(json.dumps({"jobs": jobs}, ensure_ascii=False, indent=1))
            return
        for job in jobs:
            self.stdout.write(job_line(job))
        if not jobs:
            self.stdout.write("No jobs." if not state else f"No jobs are {state}.")
