"""`backup FILE`: one archive with everything but the films, made while MediaFlow runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mediaflow.base.audit import record_audit
from mediaflow.recovery.backup import BackupProblem, write_backup


class Command(BaseCommand):
    help = "Write a backup of the database. Consistent while MediaFlow runs. Films are not in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="where to write it (.tar.gz)")
        parser.add_argument(
            "--with-keys", action="store_true", help="also the keys: store such a file safely"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target = Path(options["file"]).expanduser().absolute()
        try:
            manifest = write_backup(target, with_keys=options["with_keys"])
        except BackupProblem as problem:
            raise CommandError(str(problem), returncode=2) from None
        except OSError as error:
            raise CommandError(
                f"{target} cannot be written: {error.strerror or error}.", returncode=2
            ) from None
        record_audit("backup.write", subject=target.name, detail=f"keys: {manifest.has_keys}")
        self.stdout.write(f"Backup written to {target} ({target.stat().st_size:,} bytes).")
