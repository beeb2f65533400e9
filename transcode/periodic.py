"""What of this room is due again and again; the consumer asks for it."""

from __future__ import annotations

from mediaflow.base.periodic import PeriodicTask
from transcode.after_swap.outbox import prune
from transcode.prediction.records import close_finished
from transcode.quality.pictures import sweep_pictures
from transcode.replacing.undo import finish_open_undos
from transcode.rules.schedule import CHECK_S, prune_log, run_due_rules
from transcode.running.work_folders import sweep_work_folders
from transcode.trash.room import end_pause_with_room
from transcode.trash.sweep import sweep_trash


def periodic_tasks() -> list[PeriodicTask]:
    return [
        PeriodicTask("undo", 60, finish_open_undos),
        PeriodicTask("predictions", 3600, close_finished),
        PeriodicTask("work_folders", 3600, sweep_work_folders),
        PeriodicTask("pictures", 3600, sweep_pictures),
        PeriodicTask("trash", 3600, sweep_trash),
        # An undo, a purge or a higher limit makes room: the queue goes on soon after.
        PeriodicTask("trash_room", 60, end_pause_with_room),
        PeriodicTask("rules", CHECK_S, run_due_rules),
        PeriodicTask("rule_log", 24 * 3600, prune_log),
        PeriodicTask("outbox.prune", 86_400, prune),
    ]
