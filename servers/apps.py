from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from mediaflow.base.hooks import register_hook
from mediaflow.base.lazy import LoadedOnCall


class ServersConfig(AppConfig):
    name = "servers"
    verbose_name = "Servers"

    def ready(self) -> None:
        from mediaflow.base.operations import register_operation

        register_hook("slot_provider", LoadedOnCall("servers.slots.local_slots"))
        register_hook("leased_rows", LoadedOnCall("servers.slots.slot_leases"))
        register_hook("periodic_tasks", LoadedOnCall("servers.encoder_check.periodic_tasks"))
        register_operation("encoder_check", LoadedOnCall("servers.encoder_check.run_encoder_check"))
        post_migrate.connect(_ensure_local_server, sender=self, dispatch_uid="local-server")


def _ensure_local_server(**kwargs: Any) -> None:
    from servers.slots import ensure_local_server

    ensure_local_server(**kwargs)
