"""Rows that every room may use: long operations, settings, heartbeats, the audit log."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class OperationStatus(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE: Final = frozenset({OperationStatus.QUEUED, OperationStatus.RUNNING})


class Operation(models.Model):
    """Long work that is not a job (scan, export, enqueue by filter, estimate, backup).

    Run by `manage.py run_operation ID`. `kind` names a handler registered with
    `register_operation` of `mediaflow/base/operations.py`, the only one that writes `status`.
    """

    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    args = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    status = models.CharField(
        max_length=12, choices=OperationStatus, default=OperationStatus.QUEUED
    )
    # One active operation per lock key ("scan:3"); "" means that any number may run.
    lock_key = models.CharField(max_length=100, default="", blank=True)
    done_count = models.BigIntegerField(default=0)
    total_count = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=20, default="files")
    current = models.CharField(max_length=500, default="", blank=True)
    rate_per_s = models.FloatField(null=True, blank=True)
    message = models.CharField(max_length=1000, default="", blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=200, default="", blank=True)
    lease_token = models.CharField(max_length=32, default="", blank=True)
    heartbeat = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="operation_status_valid", condition=Q(status__in=OperationStatus.values)
            ),
            models.CheckConstraint(
                name="operation_running_has_lease",
                condition=Q(status="running", lease_token__gt="")
                | (~Q(status="running") & Q(lease_token="")),
            ),
            models.UniqueConstraint(
                name="operation_one_active_per_lock",
                fields=["lock_key"],
                condition=Q(status__in=["queued", "running"]) & ~Q(lock_key=""),
            ),
        ]
        indexes = [models.Index(fields=["status", "id"], name="operation_status_id")]

    def __str__(self) -> str:
        return f"{self.title} ({self.status})"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE


class OperationEvent(models.Model):
    """One status change of an operation."""

    subject = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events")
    from_status = models.CharField(max_length=12)
    to_status = models.CharField(max_length=12)
    reason_code = models.CharField(max_length=40, default="", blank=True)
    reason = models.CharField(max_length=1000, default="", blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class Setting(models.Model):
    """One value of the settings page. Read and written through `mediaflow.base.settings_store`."""

    key = models.CharField(max_length=60, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """A process that says it lives: `counter` moves every few seconds."""

    name = models.CharField(max_length=100, primary_key=True)  # "consumer:<host>:<pid>"
    counter = models.BigIntegerField(default=0)
    detail = models.JSONField(default=dict)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class PeriodicRun(models.Model):
    """Elects one runner of a scheduled task: whoever inserts (name, slot) first runs it."""

    name = models.CharField(max_length=60)
    slot = models.CharField(max_length=40)
    ran_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="periodic_run_once", fields=["name", "slot"])]

    def __str__(self) -> str:
        return f"{self.name} {self.slot}"


class AuditEvent(models.Model):
    """Who did what: logins, queueing, undo, deletion, settings. See `mediaflow.base.audit`."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150, default="", blank=True)  # kept when the user goes
    action = models.CharField(max_length=60, db_index=True)  # "job.queue", "login.failed", …
    subject = models.CharField(max_length=300, default="", blank=True)
    detail = models.CharField(max_length=1000, default="", blank=True)
    address = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["action", "address", "at"], name="audit_action_address")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_name} {self.action}"
