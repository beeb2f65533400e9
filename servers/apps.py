from django.apps import AppConfig
from django.db.models.signals import post_migrate

from mediaflow.base.hooks import register_hook


class ServersConfig(AppConfig):
    name = "servers"
    verbose_name = "Servers"

    def ready(self) -> None:
        from servers import slots

        register_hook("slot_provider", slots.local_slots)
        register_hook("leased_rows", slots.slot_leases)
        post_migrate.connect(slots.ensure_local_server, sender=self, dispatch_uid="local-server")
