import sys
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from mediaflow.base.hooks import register_hook
from mediaflow.base.lazy import LoadedOnCall
from mediaflow.base.wake import register_ringer, ring

OPERATIONS = {
    "enqueue": "transcode.queue.bulk_work.run_enqueue",
    "enqueue_count": "transcode.queue.bulk_work.run_enqueue_count",
    "undo": "transcode.replacing.undo.run_undo_operation",
    "rule_run": "transcode.rules.schedule.run_rule_operation",
    "estimate": "transcode.prediction.estimate_operation.run_estimate",
    "cancel_jobs": "transcode.pages.queue_work.run_cancel",
    "purge_trash": "transcode.pages.queue_work.run_purge",
}
HOOKS = (
    ("leased_rows", "transcode.queue.job_queue.job_leases"),
    ("leased_rows", "transcode.after_swap.outbox.outbox_leases"),
    ("film_in_use", "transcode.after_swap.plex_before.watched_by"),
    ("before_swap", "transcode.after_swap.plex_note.note_what_plex_knows"),
    ("before_original_leaves", "transcode.after_swap.plex_before.wait_for_plex"),
    ("periodic_tasks", "transcode.periodic.periodic_tasks"),
    ("library_removal_blockers", "transcode.replacing.journal.removal_blockers"),
    ("library_changed", "transcode.rules.schedule.after_library_change"),
    ("savings_estimator", "transcode.prediction.savings_hook.estimate_for_files"),
    ("savings_expression", "transcode.prediction.savings_sql.savings_for_preset"),
    ("nav_counts", "transcode.pages.hooks.nav_counts"),
    ("bulk_actions", "transcode.pages.hooks.bulk_action"),
    ("film_panels", "transcode.pages.hooks.film_panel"),
    ("film_panels", "transcode.pages.estimate_panel.estimate_panel"),
    ("film_panels", "transcode.pages.quality_panel.quality_panel"),
    ("film_panels", "transcode.pages.chromecast_panel.chromecast_panel"),
)


class TranscodeConfig(AppConfig):
    name = "transcode"
    verbose_name = "Transcode"

    def ready(self) -> None:
        from mediaflow.base.operations import register_operation

        register_ringer(_ring_consumer)
        register_hook("file_swapped", _ring_for_outbox)
        for kind, path in OPERATIONS.items():
            register_operation(kind, LoadedOnCall(path))
        for hook, path in HOOKS:
            register_hook(hook, LoadedOnCall(path))
        post_migrate.connect(_sync_presets, sender=self, dispatch_uid="builtin_presets")


def _ring_consumer() -> None:
    """Huey takes an eighth of a second to load: a command does so only where somebody listens. A
    consumer that starts this moment looks for work by itself."""
    from mediaflow.base.heartbeat import has_live_process

    if "transcode.tasks" in sys.modules or has_live_process("consumer"):
        from transcode.tasks import wake

        wake()


def _ring_for_outbox(replacement_id: int) -> None:
    """The swap has committed with its outbox row: the consumer may tell others now."""
    ring()


def _sync_presets(**kwargs: Any) -> None:
    from transcode.presets.builtin import sync_after_migrate

    sync_after_migrate(**kwargs)
