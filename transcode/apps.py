from typing import TYPE_CHECKING

from django.apps import AppConfig

from mediaflow.base.hooks import register_hook
from mediaflow.base.wake import register_ringer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from library.models import Library
    from mediaflow.base.film_hooks import SavingsExpression
    from mediaflow.base.operations import OperationContext
    from mediaflow.base.periodic import PeriodicTask


class TranscodeConfig(AppConfig):
    name = "transcode"
    verbose_name = "Transcode"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from mediaflow.base.operations import register_operation
        from transcode.after_swap import outbox
        from transcode.pages import hooks as page_hooks
        from transcode.prediction.savings_hook import estimate_for_files
        from transcode.presets.builtin import sync_after_migrate
        from transcode.queue import bulk_work, job_queue

        register_ringer(_ring_consumer)
        register_hook("leased_rows", job_queue.job_leases)
        register_hook("leased_rows", outbox.outbox_leases)
        register_hook("file_swapped", _ring_for_outbox)
        register_hook("film_in_use", _film_in_use)
        register_hook("before_swap", _before_swap)
        register_hook("before_original_leaves", _before_original_leaves)
        register_hook("periodic_tasks", _periodic_tasks)
        register_hook("library_removal_blockers", _removal_blockers)
        register_operation("enqueue", bulk_work.run_enqueue)
        register_operation(bulk_work.COUNT_KIND, bulk_work.run_enqueue_count)
        register_operation("undo", _run_undo)
        register_operation("rule_run", _run_rule)
        register_hook("library_changed", _after_library_change)
        register_hook("savings_estimator", estimate_for_files)
        register_hook("savings_expression", _savings_expression)
        page_hooks.register()
        post_migrate.connect(sync_after_migrate, sender=self, dispatch_uid="builtin_presets")


def _ring_consumer() -> None:
    from transcode.tasks import wake

    wake()


def _ring_for_outbox(replacement_id: int) -> None:
    """The swap has committed with its outbox row: the consumer may tell others now."""
    from mediaflow.base.wake import ring

    ring()


def _savings_expression(preset_slug: str) -> "SavingsExpression | None":
    from transcode.prediction.savings_sql import savings_for_preset

    return savings_for_preset(preset_slug)


def _film_in_use(file_id: int, deadline_s: float) -> str:
    from transcode.after_swap.plex_before import watched_by

    return watched_by(file_id, deadline_s)


def _before_swap(replacement_id: int, deadline_s: float) -> None:
    from transcode.after_swap.plex_note import note_what_plex_knows

    note_what_plex_knows(replacement_id, deadline_s)


def _before_original_leaves(
    replacement_id: int, deadline_s: float, is_stopping: "Callable[[], bool]"
) -> bool:
    from transcode.after_swap.plex_before import wait_for_plex

    return wait_for_plex(replacement_id, deadline_s, is_stopping)


def _run_undo(context: "OperationContext") -> None:
    # Loaded only where it runs: a start of every command would pay for it.
    from transcode.replacing.undo import run_undo_operation

    run_undo_operation(context)


def _run_rule(context: "OperationContext") -> None:
    from transcode.rules.schedule import run_rule_operation

    run_rule_operation(context)


def _after_library_change(library_id: int) -> None:
    from transcode.rules.schedule import after_library_change

    after_library_change(library_id)


def _removal_blockers(library: "Library") -> list[str]:
    from transcode.replacing.journal import removal_blockers

    return removal_blockers(library)


def _periodic_tasks() -> "Iterable[PeriodicTask]":
    from mediaflow.base.periodic import PeriodicTask
    from transcode.after_swap.outbox import prune
    from transcode.prediction.records import close_finished
    from transcode.quality.pictures import sweep_pictures
    from transcode.replacing.undo import finish_open_undos
    from transcode.rules.schedule import CHECK_S, prune_log, run_due_rules
    from transcode.running.work_folders import sweep_work_folders
    from transcode.trash.sweep import sweep_trash

    return [
        PeriodicTask("undo", 60, finish_open_undos),
        PeriodicTask("predictions", 3600, close_finished),
        PeriodicTask("work_folders", 3600, sweep_work_folders),
        PeriodicTask("pictures", 3600, sweep_pictures),
        PeriodicTask("trash", 3600, sweep_trash),
        PeriodicTask("rules", CHECK_S, run_due_rules),
        PeriodicTask("rule_log", 24 * 3600, prune_log),
        PeriodicTask("outbox.prune", 86_400, prune),
    ]
