from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.db.models.signals import post_migrate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mediaflow.base.operations import OperationContext
    from mediaflow.base.periodic import PeriodicTask


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = "Library"

    def ready(self) -> None:
        from library.analysis import figures, services
        from library.listing.bulk import OPERATION_KIND, run_bulk_change
        from library.listing.exact_count import COUNT_KIND, run_count
        from library.listing.text_index import ensure_text_index
        from library.pages.plex_panel import plex_panel
        from library.plex.looking import LOOK_KIND, run_look
        from library.plex.looking import periodic_tasks as look_tasks
        from library.plex.mapping_test import MAPPING_TEST_KIND, run_mapping_test
        from library.plex.sync_operation import SYNC, run_sync
        from library.plex.sync_operation import periodic_tasks as sync_tasks
        from library.scanning.rechecks import RECHECK_KIND, run_recheck
        from library.scanning.rescans import periodic_tasks
        from library.services import SCAN, run_scan_operation
        from library.webhooks.work import periodic_tasks as webhook_tasks
        from mediaflow.base.hooks import register_hook
        from mediaflow.base.operations import register_operation

        post_migrate.connect(
            ensure_text_index, sender=self, dispatch_uid="library.listing.text_index"
        )
        register_operation(SCAN, run_scan_operation)
        register_operation("plex_edit", _run_plex_edit)
        register_operation("plex_edit_undo", _run_plex_edit_undo)
        register_operation("plex_collections", _run_plex_collections)
        register_hook("library_changed", _keep_collections)
        register_operation(OPERATION_KIND, run_bulk_change)
        register_operation(COUNT_KIND, run_count)
        register_operation(RECHECK_KIND, run_recheck)
        register_operation(LOOK_KIND, run_look)
        register_operation(MAPPING_TEST_KIND, run_mapping_test)
        register_operation(SYNC, run_sync)
        register_hook("periodic_tasks", periodic_tasks)
        register_hook("periodic_tasks", webhook_tasks)
        register_hook("film_panels", plex_panel)
        register_hook("periodic_tasks", look_tasks)
        register_hook("periodic_tasks", sync_tasks)
        register_operation(figures.COUNT_KIND, figures.run_count)
        register_operation(services.ANALYZE, services.run_analysis_operation)
        register_hook("periodic_tasks", _analysis_tasks)


def _analysis_tasks() -> "Iterable[PeriodicTask]":
    from library.analysis.decisions import wake_snoozed
    from library.analysis.figures import count_when_due
    from library.analysis.services import start_due_analyses
    from mediaflow.base.periodic import PeriodicTask

    return [
        PeriodicTask("storage_figures", 300, count_when_due),
        PeriodicTask("snoozed", 300, wake_snoozed),
        PeriodicTask("analysis", 60, start_due_analyses),
    ]


# Loaded only where they run: a start of every command would pay for them.
def _run_plex_edit(context: "OperationContext") -> None:
    from library.plex.edits import run_edit

    run_edit(context)


def _run_plex_edit_undo(context: "OperationContext") -> None:
    from library.plex.edits import run_undo

    run_undo(context)


def _run_plex_collections(context: "OperationContext") -> None:
    from library.plex.collections import run_build

    run_build(context)


def _keep_collections(library_id: int) -> None:
    from library.plex.collections import after_library_change

    after_library_change(library_id)
