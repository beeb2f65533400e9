from django.apps import AppConfig

from mediaflow.base.hooks import register_hook


class BaseConfig(AppConfig):
    name = "mediaflow.base"
    label = "base"
    verbose_name = "Foundation"

    def ready(self) -> None:
        from mediaflow.base.operations import operation_leases

        register_hook("leased_rows", operation_leases)
