from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = "Library"

    def ready(self) -> None:
        from library.listing.bulk import OPERATION_KIND, run_bulk_change
        from library.listing.exact_count import COUNT_KIND, run_count
        from library.listing.text_index import ensure_text_index
        from library.scanning.rechecks import RECHECK_KIND, run_recheck
        from library.scanning.rescans import periodic_tasks
        from library.services import SCAN, run_scan_operation
        from mediaflow.base.hooks import register_hook
        from mediaflow.base.operations import register_operation

        post_migrate.connect(
            ensure_text_index, sender=self, dispatch_uid="library.listing.text_index"
        )
        register_operation(SCAN, run_scan_operation)
        register_operation(OPERATION_KIND, run_bulk_change)
        register_operation(COUNT_KIND, run_count)
        register_operation(RECHECK_KIND, run_recheck)
        register_hook("periodic_tasks", periodic_tasks)
