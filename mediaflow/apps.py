from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project package itself: composes the rooms (home, settings pages, diagnostics)."""

    name = "mediaflow"
    label = "mediaflow"
    verbose_name = "MediaFlow"

    def ready(self) -> None:
        from mediaflow import checks as checks
        from mediaflow.base.hooks import register_hook
        from mediaflow.base.operations import register_operation
        from mediaflow.insights.bulk import DECIDE_KIND, run_decision
        from mediaflow.insights.panel import insight_panel
        from mediaflow.recovery.backup import BACKUP_OPERATION
        from mediaflow.recovery.operations import run_backup

        register_operation(BACKUP_OPERATION, run_backup)
        register_operation(DECIDE_KIND, run_decision)
        register_hook("film_panels", insight_panel)
