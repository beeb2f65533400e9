"""Ranges of a film's video, and the encodes of them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from transcode.models.jobs import Job


class ChunkStatus(models.TextChoices):
    PENDING = "pending", "Waiting"
    DONE = "done", "Done"


class Chunk(models.Model):
    """A range of the video, `[start_pts, end_pts)` in ticks of the source stream. A job not worth
    cutting has one, with both ends None."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField()
    start_pts = models.BigIntegerField(null=True, blank=True)
    end_pts = models.BigIntegerField(null=True, blank=True)
    frames = models.BigIntegerField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=ChunkStatus, default=ChunkStatus.PENDING)
    plan_hash = models.CharField(max_length=64, default="", blank=True)
    file_name = models.CharField(max_length=200, default="", blank=True)  # in the job's work folder
    sha256 = models.CharField(max_length=64, default="", blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)  # of the encode that was proven
    encoder_note = models.CharField(max_length=200, default="", blank=True)  # what was changed

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(name="chunk_once", fields=["job", "index"]),
            models.CheckConstraint(
                name="chunk_status_valid", condition=Q(status__in=ChunkStatus.values)
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} chunk {self.index}"


class ChunkAttemptStatus(models.TextChoices):
    LEASED = "leased", "Running"
    UPLOADED = "uploaded", "Uploaded"
    PROVEN = "proven", "Proven"
    LOST = "lost", "Lost"


class ChunkAttempt(models.Model):
    """One encode of one chunk on one slot; several may run, one is proven."""

    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="attempts")
    slot = models.CharField(max_length=120)  # "this machine/0": servers owns the slots
    token = models.CharField(max_length=32, unique=True)
    status = models.CharField(
        max_length=8, choices=ChunkAttemptStatus, default=ChunkAttemptStatus.LEASED
    )
    heartbeat = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="", blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=1000, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="chunk_one_proven", fields=["chunk"], condition=Q(status="proven")
            )
        ]

    def __str__(self) -> str:
        return f"{self.chunk} on {self.slot}"
