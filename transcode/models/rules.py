"""Rules and watch folders: what is queued by itself, and the record of every decision."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from transcode.models.jobs import OutputMode
from transcode.models.presets import Preset


class RuleKind(models.TextChoices):
    FILTER = "filter", "Rule"  # a filter of the library page
    FOLDER = "folder", "Watch folder"  # what arrives in a folder of a library


class Rule(models.Model):
    """Queues new matches of a filter, or what arrives in a folder, with a preset, within limits."""

    kind = models.CharField(max_length=6, choices=RuleKind, default=RuleKind.FILTER)
    name = models.CharField(max_length=80, unique=True)
    is_enabled = models.BooleanField(default=True)
    query = models.CharField(max_length=2000, default="", blank=True)  # of library.listing.filters
    library = models.ForeignKey(
        "library.Library", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )  # of a watch folder
    folder_raw = models.BinaryField(max_length=4096, default=b"")  # relative to its library
    folder = models.CharField(max_length=4096, default="", blank=True)  # for people
    delay_s = models.PositiveIntegerField(default=0)  # after the file was first seen
    preset = models.ForeignKey(Preset, on_delete=models.PROTECT, related_name="rules")
    output_mode = models.CharField(max_length=8, choices=OutputMode, default=OutputMode.REPLACE)
    priority = models.SmallIntegerField(default=0)
    # Windows in which it queues ("22:00-06:00"); when it encodes is the preset's and the queue's.
    hours = models.CharField(max_length=400, default="", blank=True)
    max_files_per_day = models.PositiveIntegerField(null=True, blank=True)
    max_bytes_per_week = models.BigIntegerField(null=True, blank=True)
    # Only files first seen after this are "new"; None: also those that were there before.
    only_added_after = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    ran_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, default="", blank=True)  # why it cannot run

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="rule_kind_valid", condition=Q(kind__in=RuleKind.values)),
            models.CheckConstraint(
                name="rule_folder_has_library",
                condition=Q(kind="filter") | Q(library__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleRun(models.Model):
    """One time that a rule looked at its matches."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="runs", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(default=0.0)
    matched = models.BigIntegerField(default=0)
    queued = models.BigIntegerField(default=0)
    by_verdict = models.JSONField(default=dict, blank=True)  # verdict -> files
    note = models.CharField(max_length=300, default="", blank=True)  # "outside its hours", …

    class Meta:
        indexes = [models.Index(fields=["rule", "-id"], name="rule_run_recent")]

    def __str__(self) -> str:
        return f"{self.rule_id} at {self.at:%Y-%m-%d %H:%M}"


class RuleDecision(models.Model):
    """What a rule last decided of one file; a new row only when the decision changes."""

    rule = models.ForeignKey(
        Rule, on_delete=models.CASCADE, related_name="decisions", db_index=False
    )
    file = models.ForeignKey("library.MediaFile", on_delete=models.CASCADE, related_name="+")
    verdict = models.CharField(max_length=20)  # "queued", "limit_day", "already_done", …
    is_latest = models.BooleanField(default=True)
    run = models.ForeignKey(RuleRun, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="rule_decision_latest",
                fields=["rule", "file"],
                condition=Q(is_latest=True),
            ),
        ]
        indexes = [
            models.Index(fields=["rule", "-id"], name="rule_decision_recent"),
            models.Index(fields=["rule", "verdict", "at"], name="rule_decision_verdict"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}:{self.file_id} {self.verdict}"
