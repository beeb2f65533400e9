"""What searches, predictions and test encodes found out, kept for the next time."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from transcode.models.jobs import Job


class QualitySearch(models.Model):
    """The answer of a finished search for a quality: which CRF reaches it on this very film.

    `settings_key` is a hash of everything that decides besides the CRF: encoder, its version, all
    video options and filters, the samples. `result` is `transcode.quality.FoundQuality` as JSON.
    """

    source_sha256 = models.CharField(max_length=64)
    settings_key = models.CharField(max_length=64)
    metric = models.CharField(max_length=8, default="vmaf")
    target = models.FloatField()
    encoder = models.CharField(max_length=40)
    ffmpeg_version = models.CharField(max_length=60, default="", blank=True)
    result = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "quality searches"
        constraints = [
            models.UniqueConstraint(
                name="quality_search_once",
                fields=["source_sha256", "settings_key", "metric", "target"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.target:g} with {self.encoder}"


class QualityProbe(models.Model):
    """One CRF tried on the samples of one film: scores and sizes, whatever the target was."""

    source_sha256 = models.CharField(max_length=64)
    settings_key = models.CharField(max_length=64)
    crf = models.FloatField()
    result = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="quality_probe_once", fields=["source_sha256", "settings_key", "crf"]
            )
        ]

    def __str__(self) -> str:
        return f"probe at CRF {self.crf:g}"


class Prediction(models.Model):
    """What was said of one job before the work, and what became of it. Bytes and seconds are of
    the whole output and of the whole encode; the keys are those that learned ratios are kept by."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="prediction")
    basis = models.CharField(max_length=20)  # sampled, learned, rule
    source_codec = models.CharField(max_length=40, default="", blank=True)
    encoder = models.CharField(max_length=40, default="", blank=True)
    speed = models.CharField(max_length=20, default="", blank=True)
    resolution_class = models.PositiveIntegerField(default=0)  # lines of the output
    quality_key = models.CharField(max_length=20, default="", blank=True)  # crf22, vmaf95, 4000k
    source_bytes = models.BigIntegerField(default=0)
    pixels = models.BigIntegerField(default=0)  # of all frames of the output, for seconds
    predicted_bytes = models.BigIntegerField()
    low_bytes = models.BigIntegerField()
    high_bytes = models.BigIntegerField()
    # What the rule of thumb said of the same film: learned ratios correct it.
    rule_bytes = models.BigIntegerField(default=0)
    # Before what earlier jobs taught was applied, and how much that widened the range: the lesson
    # is drawn from what a source says by itself, never from what was corrected already.
    plain_bytes = models.BigIntegerField(default=0)
    range_factor = models.FloatField(default=1.0)
    predicted_vmaf = models.FloatField(null=True, blank=True)
    predicted_seconds = models.FloatField(null=True, blank=True)
    actual_bytes = models.BigIntegerField(null=True, blank=True)
    actual_vmaf = models.FloatField(null=True, blank=True)
    actual_seconds = models.FloatField(null=True, blank=True)  # of the encode, none resumed
    error_pct = models.FloatField(null=True, blank=True)  # above 0: came out larger
    is_in_range = models.BooleanField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["encoder", "source_codec", "resolution_class", "quality_key"],
                name="prediction_learned",
            ),
            models.Index(fields=["-ended_at"], name="prediction_ended"),
        ]

    def __str__(self) -> str:
        return f"prediction for job {self.job_id} ({self.basis})"


class EncoderCheck(models.Model):
    """What a real test encode said of one encoder on one device of one server."""

    server_name = models.CharField(max_length=120)
    encoder = models.CharField(max_length=40)  # family of transcode.encoders
    device = models.CharField(max_length=120, default="", blank=True)  # "" where there is one only
    is_working = models.BooleanField(default=False)
    depths = models.JSONField(default=list, blank=True)  # bit depths that worked
    reason_code = models.CharField(max_length=40, default="", blank=True)
    reason = models.CharField(max_length=500, default="", blank=True)
    ffmpeg_version = models.CharField(max_length=60, default="", blank=True)
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["server_name", "encoder", "device"]
        constraints = [
            models.UniqueConstraint(
                name="encoder_check_once", fields=["server_name", "encoder", "device"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.encoder} on {self.server_name}"
