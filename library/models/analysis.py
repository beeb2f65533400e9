"""What the analysers found: recommendations, runs, and how the library changes from day to day."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from library.models.catalog import Library, MediaFile


class AnalysisRun(models.Model):
    """One run of the analysers over the whole or one library, and what changed since the last."""

    library = models.ForeignKey(
        Library, null=True, blank=True, on_delete=models.CASCADE, related_name="analysis_runs"
    )
    trigger = models.CharField(max_length=20, default="by hand")  # by hand, schedule, sync, scan
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    item_count = models.BigIntegerField(default=0)
    # By kind: {"open": n, "new": n, "gone": n, "savings_bytes": n}.
    by_kind = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"analysis of {self.started_at:%Y-%m-%d %H:%M}"


class RecommendationState(models.TextChoices):
    OPEN = "open", "Open"
    ACCEPTED = "accepted", "Accepted"  # queued, or a person said yes
    DISMISSED = "dismissed", "Dismissed"  # remembered: no run opens it again
    SNOOZED = "snoozed", "Snoozed"
    GONE = "gone", "No longer true"


class Recommendation(models.Model):
    """One thing worth doing: with one file, or (`file` null) with a group of them.

    The sentence is made when it is shown, by the analyser of its `kind`, from `figures` and the
    file: so 80,000 of them are written by the database alone. Each index costs with each of them:
    foreign keys that no page asks by have none.
    """

    kind = models.CharField(max_length=24)  # library.analysis names the kinds
    library = models.ForeignKey(
        Library, on_delete=models.CASCADE, related_name="recommendations", db_index=False
    )
    file = models.ForeignKey(
        MediaFile,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="recommendations",
        db_index=False,  # the constraint's index begins with it
    )
    group_key = models.CharField(max_length=200, default="", blank=True)  # of a group
    member_count = models.PositiveIntegerField(default=1)
    severity = models.PositiveSmallIntegerField(default=1)  # 1 low, 2 medium, 3 high
    confidence_pct = models.PositiveSmallIntegerField(default=50)
    priority = models.PositiveSmallIntegerField(default=0)  # 0 to 100
    # What the film takes, or all films of the group, as the last run found it: for sums and orders
    # that need not look at each film.
    size_bytes = models.BigIntegerField(default=0)
    savings_bytes = models.BigIntegerField(default=0)
    savings_low_bytes = models.BigIntegerField(default=0)
    savings_high_bytes = models.BigIntegerField(default=0)
    basis = models.CharField(max_length=12, default="", blank=True)  # learned, rule, bitrate, …
    figures = models.JSONField(default=dict, blank=True)  # what the sentence names
    state = models.CharField(
        max_length=10, choices=RecommendationState, default=RecommendationState.OPEN
    )
    dismissed_reason = models.CharField(max_length=300, default="", blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    # The run that found it, and the last one that changed it.
    first_run = models.ForeignKey(
        AnalysisRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    last_run = models.ForeignKey(
        AnalysisRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="recommendation_once_per_file",
                fields=["file", "kind"],
                condition=Q(file__isnull=False),
            ),
            models.UniqueConstraint(
                name="recommendation_once_per_group",
                fields=["kind", "library", "group_key"],
                condition=Q(file__isnull=True),
            ),
            models.CheckConstraint(
                name="recommendation_state_valid",
                condition=Q(state__in=["open", "accepted", "dismissed", "snoozed", "gone"]),
            ),
            models.CheckConstraint(
                name="recommendation_bounds",
                condition=Q(priority__lte=100, confidence_pct__lte=100, severity__lte=3),
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-priority", "-id"], name="rec_priority"),
            # Holds all that lists filter, order and count by: any order but that by priority is
            # sorted from it alone. An index for each would cost a run more than all lists gain.
            models.Index(
                fields=[
                    *("state", "kind", "-priority", "-id", "library", "file", "confidence_pct"),
                    *("severity", "savings_bytes", "size_bytes"),
                ],
                name="rec_lists",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.file_id or self.group_key}"


class RecommendationMember(models.Model):
    """One file of a group whose files no column names: a version of a film that is there twice."""

    recommendation = models.ForeignKey(
        Recommendation, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    file = models.ForeignKey(MediaFile, on_delete=models.CASCADE, related_name="+")
    is_best = models.BooleanField(default=False)  # the version to keep

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="recommendation_member_once", fields=["recommendation", "file"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recommendation_id}:{self.file_id}"


class RecommendationSum(models.Model):
    """Recommendations counted and added up, so that the page reads a few rows of 80,000.

    Kept by `library.analysis.sums`: counted anew at the end of a run, adjusted by each decision.
    Kind "" adds up the open ones so that no film is counted twice.
    """

    state = models.CharField(max_length=10)
    kind = models.CharField(max_length=24, blank=True)
    library = models.ForeignKey(Library, on_delete=models.CASCADE, related_name="+")
    basis = models.CharField(max_length=12, default="", blank=True)
    confidence_band = models.PositiveSmallIntegerField(default=0)  # 1 low, 2 fair, 3 high
    count = models.BigIntegerField(default=0)
    savings_bytes = models.BigIntegerField(default=0)
    savings_low_bytes = models.BigIntegerField(default=0)
    savings_high_bytes = models.BigIntegerField(default=0)
    file_bytes = models.BigIntegerField(default=0)  # what the films take, as the last run found it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="recommendation_sum_once",
                fields=["state", "kind", "library", "basis", "confidence_band"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.kind}: {self.count}"


class StorageFigures(models.Model):
    """The whole list counted in groups: what the storage report and the health score are made of.

    One row is the truth until the next count; the groups say `[library, …, files, bytes, ms]`.
    """

    made_at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(default=0.0)
    pictures = models.JSONField(default=list)  # library, resolution, codec, HDR, rate class
    sounds = models.JSONField(default=list)  # library, container, audio codec, audio label

    class Meta:
        verbose_name_plural = "storage figures"

    def __str__(self) -> str:
        return f"figures of {self.made_at:%Y-%m-%d %H:%M}"


class LibrarySnapshot(models.Model):
    """A library on one day, for growth over time."""

    library = models.ForeignKey(
        Library, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshots"
    )
    library_name = models.CharField(max_length=120)
    day = models.DateField()
    file_count = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    by_codec = models.JSONField(default=dict, blank=True)  # codec -> [files, bytes]
    health_score = models.PositiveSmallIntegerField(null=True, blank=True)  # 0 to 100

    class Meta:
        constraints = [
            models.UniqueConstraint(name="library_snapshot_once", fields=["library", "day"]),
        ]
        indexes = [models.Index(fields=["day"], name="library_snapshot_day")]

    def __str__(self) -> str:
        return f"{self.library_name} on {self.day}"
