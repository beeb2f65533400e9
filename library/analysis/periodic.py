"""What of the analysis is due again and again; the consumer asks for it."""

from __future__ import annotations

from library.analysis.decisions import wake_snoozed
from library.analysis.figures import count_when_due
from library.analysis.services import start_due_analyses
from mediaflow.base.periodic import PeriodicTask


def periodic_tasks() -> list[PeriodicTask]:
    return [
        PeriodicTask("storage_figures", 300, count_when_due),
        PeriodicTask("snoozed", 300, wake_snoozed),
        PeriodicTask("analysis", 60, start_due_analyses),
    ]
