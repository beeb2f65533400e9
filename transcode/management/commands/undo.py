"""`mediaflow undo`: puts originals back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Put the originals of completed jobs back."
    requires_system_checks = ("mediaflow",)  # not of the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("ids", nargs="+", metavar="ID")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from mediaflow.base.audit import record_audit
        from transcode.console.command_input import bad_input, read_job_ids
        from transcode.console.foreground import others_told
        from transcode.models import Job
        from transcode.replacing.undo import undo_job

        ids = read_job_ids(options["ids"])
        paths = dict(Job.objects.filter(pk__in=ids).values_list("pk", "file_path"))
        for job_id in ids:
            if job_id not in paths:
                raise bad_input(f"There is no job {job_id}; nothing was undone.")
        undone: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        with others_told():
            for job_id in ids:
                result = undo_job(job_id, actor=None)
                if result.ok:
                    undone.append({"id": job_id, "file": paths[job_id]})
                else:
                    refused.append({"id": job_id, "reason": result.reason})
        record_audit("job.undo", subject=f"{len(undone)} jobs", actor_name="command line")
        if options["is_json"]:
            document = {"undone": undone, "refused": refused}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=1))
        else:
            for entry in undone:
                self.stdout.write(f"{entry['id']}: the original of {entry['file']} is back.")
            for entry in refused:
                self.stdout.write(f"{entry['id']}: refused. {entry['reason']}")
        if refused:
            raise SystemExit(1)
