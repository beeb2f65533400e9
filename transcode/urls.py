"""Addresses of the queue, jobs, history and presets."""

from django.urls import path

from transcode.pages.views import enqueue, history, job_actions, jobs, presets, queue

app_name = "transcode"
urlpatterns = [
    path("queue/", queue.queue, name="queue"),
    path("queue/running/", queue.queue_running, name="queue_running"),
    path("queue/waiting/", queue.queue_waiting, name="queue_waiting"),
    path("queue/side/", queue.queue_side, name="queue_side"),
    path("queue/dock/", queue.dock, name="dock"),
    path("queue/add/", enqueue.enqueue_preview, name="enqueue_preview"),
    path("queue/add/confirm/", enqueue.enqueue_confirm, name="enqueue_confirm"),
    path("queue/pause/ask/", queue.queue_pause_ask, name="queue_pause_ask"),
    path("queue/pause/", queue.queue_pause, name="queue_pause"),
    path("queue/resume/", queue.queue_resume, name="queue_resume"),
    path("queue/move/", queue.job_move, name="job_move"),
    path("queue/cancel/ask/", job_actions.jobs_cancel_ask, name="jobs_cancel_ask"),
    path("queue/cancel/", job_actions.jobs_cancel, name="jobs_cancel"),
    path("queue/<int:job_id>/", jobs.job_detail, name="job_detail"),
    path("queue/<int:job_id>/live/", jobs.job_live, name="job_live"),
    path("queue/<int:job_id>/log/<int:attempt_id>/", jobs.job_log, name="job_log"),
    path(
        "queue/<int:job_id>/log/<int:attempt_id>/download/",
        jobs.job_log_download,
        name="job_log_download",
    ),
    path("queue/<int:job_id>/actions/", job_actions.job_actions, name="job_actions"),
    path("queue/<int:job_id>/priority/", job_actions.job_priority, name="job_priority"),
    path("queue/<int:job_id>/pause/", job_actions.job_pause, name="job_pause"),
    path("queue/<int:job_id>/resume/", job_actions.job_resume, name="job_resume"),
    path("queue/<int:job_id>/cancel/ask/", job_actions.job_cancel_ask, name="job_cancel_ask"),
    path("queue/<int:job_id>/cancel/", job_actions.job_cancel, name="job_cancel"),
    path("queue/<int:job_id>/retry/", job_actions.job_retry, name="job_retry"),
    path("queue/<int:job_id>/undo/ask/", job_actions.job_undo_ask, name="job_undo_ask"),
    path("queue/<int:job_id>/undo/", job_actions.job_undo, name="job_undo"),
    path("history/", history.history, name="history"),
    path("history.csv", history.history_csv, name="history_csv"),
    path("history/undo/ask/", history.undo_filtered_ask, name="undo_filtered_ask"),
    path("history/undo/", history.undo_filtered, name="undo_filtered"),
    path("history/purge/ask/", history.trash_purge_ask, name="trash_purge_ask"),
    path("history/purge/", history.trash_purge, name="trash_purge"),
    path("presets/", presets.preset_list, name="preset_list"),
    path("presets/new/", presets.preset_new, name="preset_new"),
    path("presets/import/", presets.preset_import, name="preset_import"),
    path("presets/of/<slug:slug>/", presets.preset_detail, name="preset_detail"),
    path("presets/of/<slug:slug>/edit/", presets.preset_edit, name="preset_edit"),
    path("presets/of/<slug:slug>/copy/", presets.preset_copy, name="preset_copy"),
    path("presets/of/<slug:slug>/export/", presets.preset_export, name="preset_export"),
    path("presets/of/<slug:slug>/delete/ask/", presets.preset_delete_ask, name="preset_delete_ask"),
    path("presets/of/<slug:slug>/delete/", presets.preset_delete, name="preset_delete"),
]
