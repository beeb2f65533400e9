"""The backup that the settings page starts, as an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from mediaflow.base.operations import OperationProblem
from mediaflow.recovery.backup import (
    BackupProblem,
    forget_old_backups,
    next_backup_path,
    write_backup,
)

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext


def run_backup(context: OperationContext) -> None:
    """Write one backup into the data directory; a second run after a crash writes a new one."""
    context.report(0, None, "Copying the database")
    target = next_backup_path()
    try:
        write_backup(target, checkpoint=context.checkpoint)
    except BackupProblem as problem:
        raise OperationProblem(str(problem)) from None
    except OSError as error:
        reason = f"The backup cannot be written: {error.strerror}. Make room in the data folder."
        raise OperationProblem(reason) from None
    forget_old_backups()
    context.set_result({"name": target.name, "url": reverse("settings"), "url_text": "Backups"})
