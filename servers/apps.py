from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from mediaflow.base.hooks import register_hook

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext
    from mediaflow.base.periodic import PeriodicTask


class ServersConfig(AppConfig):
    name = "servers"
    verbose_name = "Servers"

    def ready(self) -> None:
        from mediaflow.base.operations import register_operation
        from servers import slots

        register_hook("slot_provider", slots.local_slots)
        register_hook("leased_rows", slots.slot_leases)
        register_hook("periodic_tasks", _PeriodicTasks())
        register_operation("encoder_check", _run_encoder_check)
        post_migrate.connect(slots.ensure_local_server, sender=self, dispatch_uid="local-server")


def _run_encoder_check(context: "OperationContext") -> None:
    # Loaded only where it runs: a start of every command would pay for it.
    from servers.encoder_check import run_encoder_check

    run_encoder_check(context)


class _PeriodicTasks:
    """Holds the one `StartCheck` of this process, made when the consumer first asks."""

    def __init__(self) -> None:
        self._tasks: list[PeriodicTask] = []

    def __call__(self) -> "list[PeriodicTask]":
        if not self._tasks:
            from mediaflow.base.periodic import PeriodicTask
            from servers.encoder_check import StartCheck

            self._tasks = [PeriodicTask("encoder_check", 30, StartCheck())]
        return self._tasks
