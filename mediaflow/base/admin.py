"""Operations, settings, heartbeats, audit log: only looked at."""

from django.contrib import admin

from mediaflow.base.admin_kinds import ReadOnlyAdmin, ReadOnlyInline
from mediaflow.base.models import (
    AuditEvent,
    Heartbeat,
    Operation,
    OperationEvent,
    PeriodicRun,
    Setting,
)


class OperationEventInline(ReadOnlyInline):
    model = OperationEvent
    fields = ("from_status", "to_status", "reason_code", "reason", "at")


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ("title", "kind", "status", "done_count", "total_count", "created_at")
    list_filter = ("status", "kind")
    search_fields = ("title",)
    ordering = ("-id",)
    exclude = ("lease_token",)
    inlines = (OperationEventInline,)


@admin.register(OperationEvent)
class OperationEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "subject", "from_status", "to_status", "reason_code", "reason")
    list_select_related = ("subject",)
    ordering = ("-id",)


@admin.register(Setting)
class SettingAdmin(ReadOnlyAdmin):
    list_display = ("key", "value", "changed_at")
    search_fields = ("key",)

    def get_queryset(self, request):  # type: ignore[no-untyped-def]  # as Django declares it
        return super().get_queryset(request).exclude(key="setup_token_digest")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "counter", "seen_at")


@admin.register(PeriodicRun)
class PeriodicRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "slot", "ran_at")
    list_filter = ("name",)
    ordering = ("-id",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_name", "action", "subject", "detail", "address")
    list_filter = ("action",)
    search_fields = ("actor_name", "subject", "detail", "address")
    date_hierarchy = "at"
    ordering = ("-at", "-id")
