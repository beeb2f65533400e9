"""Jobs: one film turned into one verified output, with its events and attempts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from transcode.models.presets import Preset


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    RETRY_WAIT = "retry_wait", "Waiting to retry"
    HELD = "held", "Needs you"
    COMPLETED = "completed", "Done"
    SKIPPED = "skipped", "Skipped"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class JobPhase(models.TextChoices):
    NONE = "", "–"
    PLAN = "plan", "Plan"
    ENCODE = "encode", "Encode"
    ASSEMBLE = "assemble", "Assemble"
    VERIFY = "verify", "Verify"
    REPLACE = "replace", "Replace"


class OutputMode(models.TextChoices):
    REPLACE = "replace", "Replace"
    BESIDE = "beside", "Beside the original"
    FOLDER = "folder", "Into another folder"


class Job(models.Model):
    """One file turned into one verified output by one preset.

    Only `transcode/queue/job_queue.py` writes `status`; only the runner that holds
    `lease_token` writes the rest while it runs. Order of the queue: priority (high first),
    position, id.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Indexed below, together with the rule: rules ask for both of 100,000 films at once.
    file = models.ForeignKey(
        "library.MediaFile",
        null=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
        db_index=False,
    )
    file_path = models.CharField(max_length=4096)  # text, absolute; kept when the library goes
    library_name = models.CharField(max_length=120, default="", blank=True)
    preset = models.ForeignKey(Preset, null=True, on_delete=models.SET_NULL, related_name="jobs")
    preset_slug = models.CharField(max_length=60)
    preset_name = models.CharField(max_length=80, default="", blank=True)
    preset_spec = models.JSONField()  # as it was when queued
    output_mode = models.CharField(max_length=8, choices=OutputMode, default=OutputMode.REPLACE)
    output_dir_raw = models.BinaryField(null=True, blank=True)  # absolute, for OutputMode.FOLDER

    status = models.CharField(max_length=12, choices=JobStatus, default=JobStatus.QUEUED)
    phase = models.CharField(max_length=10, choices=JobPhase, default=JobPhase.NONE, blank=True)
    reason_code = models.CharField(max_length=40, default="", blank=True)
    reason = models.CharField(max_length=1000, default="", blank=True)
    priority = models.SmallIntegerField(default=0)
    position = models.BigIntegerField(default=0)  # gapped by POSITION_GAP
    is_paused = models.BooleanField(default=False)
    # Windows of the preset when it was queued, "; " between them; "" runs at any time.
    hours = models.CharField(max_length=400, default="", blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(
        default=0
    )  # counted attempts; waiting for a mount counts none
    max_attempts = models.PositiveIntegerField(default=3)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=200, default="", blank=True)
    lease_token = models.CharField(max_length=32, default="", blank=True)
    heartbeat = models.BigIntegerField(default=0)

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    origin = models.CharField(
        max_length=120, default="by hand", blank=True
    )  # "by hand", "command line", …
    # What caused it, where it was no person: `origin` says it in words and stays.
    rule = models.ForeignKey(
        "transcode.Rule",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
        db_index=False,
    )
    recommendation = models.ForeignKey(
        "library.Recommendation",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
    )
    rerun_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="reruns"
    )

    source_snapshot = models.JSONField(default=dict)  # trust.md S0
    plan = models.JSONField(null=True, blank=True)  # transcode.planning.model.Plan
    plan_hash = models.CharField(max_length=64, default="", blank=True)
    command = models.TextField(
        default="", blank=True
    )  # as a person could paste it, for display only
    ffmpeg_version = models.CharField(max_length=60, default="", blank=True)

    # Progress of the current phase; None is unknown, never 0.
    progress_pct = models.FloatField(null=True, blank=True)
    progress_note = models.CharField(max_length=200, default="", blank=True)
    fps = models.FloatField(null=True, blank=True)
    speed = models.FloatField(null=True, blank=True)  # times real time
    eta_s = models.FloatField(null=True, blank=True)
    bytes_so_far = models.BigIntegerField(null=True, blank=True)
    progress_seq = models.BigIntegerField(default=0)  # moves with each progress write

    # Bytes that this job may still take, per file system (st_dev as text), while it is running.
    work_fs = models.CharField(max_length=40, default="", blank=True)
    work_reserved_bytes = models.BigIntegerField(default=0)
    target_fs = models.CharField(max_length=40, default="", blank=True)
    target_reserved_bytes = models.BigIntegerField(default=0)

    source_bytes = models.BigIntegerField(default=0)
    output_bytes = models.BigIntegerField(null=True, blank=True)
    predicted_bytes = models.BigIntegerField(null=True, blank=True)
    predicted_bytes_low = models.BigIntegerField(null=True, blank=True)
    predicted_bytes_high = models.BigIntegerField(null=True, blank=True)
    prediction_basis = models.CharField(
        max_length=20, default="", blank=True
    )  # sampled, learned, rule
    vmaf_mean = models.FloatField(null=True, blank=True)
    vmaf_p5 = models.FloatField(null=True, blank=True)
    vmaf_method = models.CharField(max_length=120, default="", blank=True)
    # What was promised: the target of the preset, and what the samples said of the found CRF.
    target_vmaf = models.FloatField(null=True, blank=True)  # in dB where target_metric is xpsnr
    target_metric = models.CharField(max_length=8, default="", blank=True)  # vmaf, xpsnr
    predicted_vmaf = models.FloatField(null=True, blank=True)
    predicted_seconds = models.FloatField(null=True, blank=True)  # of the whole encode
    # Of the finished film: [[seconds of the film, VMAF], …], at most 600 of them.
    vmaf_curve = models.JSONField(default=list, blank=True)
    # Pictures for a look: [{kind: worst|median|best, frame, vmaf, before, after}], file names in
    # <data>/frames/<job uuid>/.
    sample_frames = models.JSONField(default=list, blank=True)
    frames = models.BigIntegerField(null=True, blank=True)
    encoder = models.CharField(max_length=40, default="", blank=True)
    crf = models.FloatField(null=True, blank=True)
    server_name = models.CharField(max_length=120, default="", blank=True)
    chunks_total = models.PositiveIntegerField(default=0)
    chunks_done = models.PositiveIntegerField(default=0)
    resumed_chunks = models.PositiveIntegerField(default=0)
    whole_reason = models.CharField(max_length=200, default="", blank=True)  # why it was not cut
    # A stop that leaves the finished chunks in the work folder, for the next job of this film.
    keeps_chunks = models.BooleanField(default=False)
    output_path = models.CharField(max_length=4096, default="", blank=True)  # text, absolute
    kept_output_raw = models.BinaryField(
        null=True, blank=True
    )  # output kept aside (fault 19), absolute

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)  # of the attempt that finished
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="job_status_valid", condition=Q(status__in=JobStatus.values)
            ),
            models.CheckConstraint(name="job_phase_valid", condition=Q(phase__in=JobPhase.values)),
            models.CheckConstraint(
                name="job_running_has_lease",
                condition=Q(status="running", lease_token__gt="")
                | (~Q(status="running") & Q(lease_token="")),
            ),
            models.UniqueConstraint(
                name="job_one_active_per_file",
                fields=["file"],
                condition=Q(status__in=["queued", "running", "retry_wait", "held"]),
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-priority", "position", "id"], name="job_queue_order"),
            models.Index(fields=["status", "-finished_at", "-id"], name="job_history_status"),
            models.Index(fields=["-finished_at", "-id"], name="job_history"),
            models.Index(fields=["hours"], name="job_hours", condition=~Q(hours="")),
            models.Index(fields=["file", "rule", "created_at"], name="job_of_file_and_rule"),
            # What a rule queued today and this week, read from the index alone.
            models.Index(fields=["rule", "created_at", "source_bytes"], name="job_of_rule"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} {self.status}"


class JobEvent(models.Model):
    """One status change of a job; append-only."""

    subject = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    from_status = models.CharField(max_length=12)
    to_status = models.CharField(max_length=12)
    reason_code = models.CharField(max_length=40, default="", blank=True)
    reason = models.CharField(max_length=1000, default="", blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class JobAttempt(models.Model):
    """One try of a job by one runner."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    is_counted = models.BooleanField(
        default=True
    )  # False: handed back or waited for a mount or disk
    lease_owner = models.CharField(max_length=200, default="", blank=True)
    lease_token = models.CharField(max_length=32)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, default="", blank=True)  # the job's status it led to
    reason_code = models.CharField(max_length=40, default="", blank=True)
    reason = models.CharField(max_length=1000, default="", blank=True)
    phase_seconds = models.JSONField(default=dict)
    log_name = models.CharField(max_length=200, default="", blank=True)  # below <data>/logs/jobs/

    class Meta:
        constraints = [models.UniqueConstraint(name="job_attempt_once", fields=["lease_token"])]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"job {self.job_id} attempt {self.number}"
