"""`migrate`, with a snapshot before it changes anything and write-ahead logging set once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate

from mediaflow.supervisor.database import (
    DatabaseIsNewer,
    has_pending_migrations,
    refuse_newer_database,
    set_wal_once,
    snapshot_before_migration,
)


class Command(DjangoMigrate):
    """Django's command; a database newer than the code stops it (exit code 2)."""

    def handle(self, *args: Any, **options: Any) -> None:
        is_only_looking = options["plan"] or options["check_unapplied"]
        if not is_only_looking and options["database"] == "default":
            try:
                refuse_newer_database()
            except DatabaseIsNewer as problem:
                raise CommandError(str(problem), returncode=2) from None
            if has_pending_migrations() or options["migration_name"]:
                snapshot_before_migration(settings.DATA_DIR / "backups")
            set_wal_once()
        super().handle(*args, **options)
