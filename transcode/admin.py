"""Presets, jobs, journals, proofs, trash in Django's admin: all only looked at.

A status, a journal state or a proof that somebody edits by hand would break the promise that no
film is lost, so there is no form for any of them.
"""

from django.contrib import admin

from mediaflow.base.admin_kinds import ReadOnlyAdmin, ReadOnlyInline
from transcode.models import (
    Chunk,
    ChunkAttempt,
    EncoderCheck,
    Job,
    JobAttempt,
    JobEvent,
    OutboxEntry,
    Prediction,
    Preset,
    ProofRecord,
    QualityProbe,
    QualitySearch,
    Replacement,
    Rule,
    RuleDecision,
    RuleRun,
    TrashEntry,
)


@admin.register(Preset)
class PresetAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "is_builtin", "position", "changed_at")
    list_filter = ("is_builtin",)
    search_fields = ("name", "slug")


class JobEventInline(ReadOnlyInline):
    model = JobEvent
    fields = ("from_status", "to_status", "reason_code", "reason", "at")


class JobAttemptInline(ReadOnlyInline):
    model = JobAttempt
    exclude = ("lease_token",)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "file_path",
        "preset_slug",
        "status",
        "phase",
        "reason_code",
        "source_bytes",
        "output_bytes",
        "vmaf_mean",
        "finished_at",
    )
    list_filter = ("status", "phase", "preset_slug", "reason_code")
    search_fields = ("file_path", "reason")
    ordering = ("-id",)
    exclude = ("lease_token", "output_dir_raw", "kept_output_raw")
    inlines = (JobAttemptInline, JobEventInline)


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "subject", "from_status", "to_status", "reason_code", "reason")
    list_filter = ("to_status",)
    list_select_related = ("subject",)
    ordering = ("-id",)


@admin.register(JobAttempt)
class JobAttemptAdmin(ReadOnlyAdmin):
    list_display = ("job", "number", "is_counted", "outcome", "reason_code", "started_at")
    list_filter = ("outcome", "is_counted")
    list_select_related = ("job",)
    ordering = ("-id",)
    exclude = ("lease_token",)


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    list_display = ("job", "index", "status", "frames", "size_bytes")
    list_filter = ("status",)
    list_select_related = ("job",)
    ordering = ("-id",)


@admin.register(ChunkAttempt)
class ChunkAttemptAdmin(ReadOnlyAdmin):
    list_display = ("chunk", "slot", "status", "started_at", "ended_at")
    list_filter = ("status",)
    ordering = ("-id",)
    exclude = ("token",)


@admin.register(ProofRecord)
class ProofRecordAdmin(ReadOnlyAdmin):
    list_display = ("job", "is_passed", "output_bytes", "ffmpeg_version", "created_at")
    list_filter = ("is_passed",)
    list_select_related = ("job",)
    ordering = ("-id",)


@admin.register(Replacement)
class ReplacementAdmin(ReadOnlyAdmin):
    list_display = ("job", "state", "mode", "is_proof_passed", "output_bytes", "created_at")
    list_filter = ("state", "mode")
    list_select_related = ("job",)
    ordering = ("-id",)
    exclude = ("root_raw", "original_raw", "final_raw", "part_raw", "trash_raw")


@admin.register(TrashEntry)
class TrashEntryAdmin(ReadOnlyAdmin):
    list_display = ("replacement", "state", "size_bytes", "trashed_at", "sweeps_seen", "ended_at")
    list_filter = ("state",)
    list_select_related = ("replacement",)
    ordering = ("-id",)
    exclude = ("path_raw",)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnlyAdmin):
    list_display = ("kind", "job", "attempts", "created_at", "done_at", "error")
    list_filter = ("kind",)
    ordering = ("-id",)


@admin.register(QualitySearch)
class QualitySearchAdmin(ReadOnlyAdmin):
    list_display = ("encoder", "metric", "target", "ffmpeg_version", "created_at")
    list_filter = ("encoder", "metric")
    ordering = ("-id",)


@admin.register(QualityProbe)
class QualityProbeAdmin(ReadOnlyAdmin):
    list_display = ("source_sha256", "crf", "created_at")
    ordering = ("-id",)


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = ("job", "basis", "predicted_bytes", "actual_bytes", "error_pct", "is_in_range")
    list_filter = ("basis", "encoder", "is_in_range")
    list_select_related = ("job",)
    ordering = ("-id",)


@admin.register(EncoderCheck)
class EncoderCheckAdmin(ReadOnlyAdmin):
    list_display = ("server_name", "encoder", "device", "is_working", "reason", "checked_at")
    list_filter = ("is_working",)
    ordering = ("server_name", "encoder")


@admin.register(Rule)
class RuleAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "query", "folder", "preset", "is_enabled", "ran_at", "error")
    list_select_related = ("preset",)
    list_filter = ("kind", "is_enabled")
    exclude = ("folder_raw",)


@admin.register(RuleRun)
class RuleRunAdmin(ReadOnlyAdmin):
    list_display = ("at", "rule", "matched", "queued", "seconds", "note")
    list_select_related = ("rule",)
    ordering = ("-id",)


@admin.register(RuleDecision)
class RuleDecisionAdmin(ReadOnlyAdmin):
    list_display = ("at", "rule", "file", "verdict", "is_latest")
    list_select_related = ("rule", "file")
    list_filter = ("verdict",)
    ordering = ("-id",)
