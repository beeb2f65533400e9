from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from mediaflow.base.hooks import register_hook
from mediaflow.base.lazy import LoadedOnCall

OPERATIONS = {
    "scan": "library.services.run_scan_operation",
    "recheck": "library.scanning.rechecks.run_recheck",
    "library_bulk": "library.listing.bulk.run_bulk_change",
    "library_count": "library.listing.exact_count.run_count",
    "storage_figures": "library.analysis.figures.run_count",
    "analyze": "library.analysis.services.run_analysis_operation",
    "plex_look": "library.plex.looking.run_look",
    "plex_mapping_test": "library.plex.mapping_check.run_mapping_test",
    "plex_sync": "library.plex.sync_operation.run_sync",
    "plex_server_remove": "library.plex.removal.run_removal",
    "plex_edit": "library.plex.edit_steps.run_edit",
    "plex_edit_undo": "library.plex.edit_steps.run_undo",
    "plex_collections": "library.plex.collection_steps.run_build",
}
HOOKS = (
    ("library_changed", "library.plex.collections.after_library_change"),
    ("bulk_actions", "library.pages.views_plex_edits.bulk_action"),
    ("film_panels", "library.pages.plex_panel.plex_panel"),
    ("periodic_tasks", "library.scanning.rescans.periodic_tasks"),
    ("periodic_tasks", "library.webhooks.work.periodic_tasks"),
    ("periodic_tasks", "library.plex.looking.periodic_tasks"),
    ("periodic_tasks", "library.plex.sync_operation.periodic_tasks"),
    ("periodic_tasks", "library.analysis.periodic.periodic_tasks"),
)


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = "Library"

    def ready(self) -> None:
        from mediaflow.base.operations import register_operation

        for kind, path in OPERATIONS.items():
            register_operation(kind, LoadedOnCall(path))
        for hook, path in HOOKS:
            register_hook(hook, LoadedOnCall(path))
        post_migrate.connect(
            _ensure_text_index, sender=self, dispatch_uid="library.listing.text_index"
        )


def _ensure_text_index(**kwargs: Any) -> None:
    from library.listing.text_index import ensure_text_index

    ensure_text_index(**kwargs)
