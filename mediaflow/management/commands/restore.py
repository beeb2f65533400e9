"""`restore FILE`: the database as a backup has it. Not while `serve` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mediaflow.base.audit import record_audit
from mediaflow.recovery.backup import BackupProblem
from mediaflow.recovery.restore import restore_backup
from mediaflow.supervisor.preflight import StartProblem, lock_instance, prepare_folders


class Command(BaseCommand):
    help = (
        "Put a backup back. The queue stays paused until `doctor --library` has compared the"
        " database with the disks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file that `backup` wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"]).expanduser().absolute()
        if not path.is_file():
            raise CommandError(f"{path} is not there, or is no file.", returncode=2)
        try:
            prepare_folders(settings.DATA_DIR, settings.WORK_DIR)
            lock = lock_instance(settings.DATA_DIR)
        except StartProblem as problem:
            raise CommandError(str(problem), returncode=2) from None
        try:
            restored = restore_backup(path)
        except BackupProblem as problem:
            raise CommandError(str(problem), returncode=2) from None
        finally:
            lock.release()
        record_audit("restore", subject=path.name, detail=f"made at {restored.manifest.made_at}")
        self.stdout.write(f"Restored the backup of {restored.manifest.made_at}.")
        if restored.kept_database:
            self.stdout.write(f"The database as it was is kept in {restored.kept_database}.")
        if not restored.has_keys:
            self.stdout.write("It holds no keys: people sign in again, secrets are entered again.")
        self.stdout.write("Now run `mediaflow doctor --library`; until then the queue is paused.")
