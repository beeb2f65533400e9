from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.db.models.signals import post_migrate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Model
    from django.http import HttpRequest

    from mediaflow.accounts.models import User
    from mediaflow.base.film_hooks import BulkAction, FilmPanel
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
        from library.scanning.rechecks import RECHECK_KIND, run_recheck
        from library.scanning.rescans import periodic_tasks
        from library.services import SCAN, run_scan_operation
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
        register_hook("bulk_actions", _edit_in_plex)
        register_operation(OPERATION_KIND, run_bulk_change)
        register_operation(COUNT_KIND, run_count)
        register_operation(RECHECK_KIND, run_recheck)
        register_operation("plex_look", _run_plex_look)
        register_operation("plex_mapping_test", _run_plex_mapping_test)
        register_operation("plex_sync", _run_plex_sync)
        register_operation("plex_server_remove", _run_plex_server_remove)
        register_hook("periodic_tasks", periodic_tasks)
        register_hook("periodic_tasks", _webhook_tasks)
        register_hook("film_panels", _plex_panel)
        register_hook("periodic_tasks", _plex_tasks)
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
def _run_plex_look(context: "OperationContext") -> None:
    from library.plex.looking import run_look

    run_look(context)


def _run_plex_mapping_test(context: "OperationContext") -> None:
    from library.plex.mapping_check import run_mapping_test

    run_mapping_test(context)


def _run_plex_sync(context: "OperationContext") -> None:
    from library.plex.sync_operation import run_sync

    run_sync(context)


def _run_plex_server_remove(context: "OperationContext") -> None:
    from library.plex.removal import run_removal

    run_removal(context)


def _plex_tasks() -> "Iterable[PeriodicTask]":
    from library.plex import looking, sync_operation

    return [*looking.periodic_tasks(), *sync_operation.periodic_tasks()]


def _webhook_tasks() -> "Iterable[PeriodicTask]":
    from library.webhooks.work import periodic_tasks

    return periodic_tasks()


def _plex_panel(request: "HttpRequest", file: "Model") -> "FilmPanel | None":
    from library.pages.plex_panel import plex_panel

    return plex_panel(request, file)


def _run_plex_edit(context: "OperationContext") -> None:
    from library.plex.edit_steps import run_edit

    run_edit(context)


def _run_plex_edit_undo(context: "OperationContext") -> None:
    from library.plex.edit_steps import run_undo

    run_undo(context)


def _run_plex_collections(context: "OperationContext") -> None:
    from library.plex.collection_steps import run_build

    run_build(context)


def _edit_in_plex(user: "User") -> "BulkAction | None":
    from library.pages.views_plex_edits import bulk_action

    return bulk_action(user)


def _keep_collections(library_id: int) -> None:
    from library.plex.collections import after_library_change

    after_library_change(library_id)
