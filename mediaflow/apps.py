from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project package itself: composes the rooms (home, settings pages, diagnostics)."""

    name = "mediaflow"
    label = "mediaflow"
    verbose_name = "MediaFlow"

    def ready(self) -> None:
        from mediaflow import checks as checks
        from mediaflow.base.hooks import register_hook
        from mediaflow.base.lazy import LoadedOnCall
        from mediaflow.base.operations import register_operation

        register_operation("backup", LoadedOnCall("mediaflow.recovery.operations.run_backup"))
        register_operation(
            "recommendation_decision", LoadedOnCall("mediaflow.insights.bulk.run_decision")
        )
        register_hook("film_panels", LoadedOnCall("mediaflow.insights.panel.insight_panel"))
