"""After a restore nothing is encoded, swapped or purged until disk and database were compared."""

from typing import Final

from mediaflow.base.models import Setting

# Set by `restore`, removed by `doctor --library` (mediaflow/recovery/reconcile.py).
PENDING_KEY: Final = "reconcile_pending"


def is_reconcile_pending() -> bool:
    """A backup was restored and the comparison with the disks is still to be done."""
    return Setting.objects.filter(key=PENDING_KEY).exists()
