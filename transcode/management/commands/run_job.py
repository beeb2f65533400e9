"""`manage.py run_job ID`: one attempt of one job; started by the consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Run one attempt of one job. The consumer starts it; by hand it takes a waiting job."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job_id", nargs="?", type=int, metavar="ID")
        parser.add_argument("--token", default="", help="the claim's token, given by the consumer")
        parser.add_argument(
            "--parent-fd", type=int, help="end of a pipe that closes when the consumer ends"
        )
        parser.add_argument(
            "--spare", action="store_true", help="wait for a job on the pipe (consumer only)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.running.process import end_process, run_claimed_job, wait_as_spare

        job_id, token, parent_fd = options["job_id"], options["token"], options["parent_fd"]
        if options["spare"]:
            if parent_fd is None:
                raise CommandError(
                    "--spare needs --parent-fd; the consumer gives it.", returncode=2
                )
            order = wait_as_spare(parent_fd)
            if order is None:
                return
            job_id, token = order
        elif not token:
            token = self._claim(job_id)
        end_process(run_claimed_job(job_id, token, parent_fd))

    def _claim(self, job_id: int | None) -> str:
        from mediaflow.base.leases import own_identity
        from transcode.models import Job
        from transcode.queue import job_queue

        # A number beyond 64 bits would be an error of the database's driver.
        if job_id is None or not 0 < job_id < 2**63:
            raise CommandError("Name one job: manage.py run_job ID.", returncode=2)
        claim = job_queue.claim_job(job_id, own_identity())
        if claim is None:
            job = Job.objects.filter(pk=job_id).first()
            text = (
                f"is {job.get_status_display().lower()}, not waiting" if job else "does not exist"
            )
            raise CommandError(f"Job {job_id} {text}; see `mediaflow jobs`.", returncode=2)
        return claim.token
