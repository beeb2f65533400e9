"""What is done to films: presets, jobs, attempts, chunks, replacements, trash, outbox."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Preset(models.Model):
    """A named way to encode. `spec` is `transcode.presets.spec.PresetSpec` as JSON, validated
    by the services; built-in ones can be copied but neither changed nor deleted."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=400, default="", blank=True)
    spec = models.JSONField()
    is_builtin = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=100)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


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
    file = models.ForeignKey(
        "library.MediaFile", null=True, on_delete=models.SET_NULL, related_name="jobs"
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
    frames = models.BigIntegerField(null=True, blank=True)
    encoder = models.CharField(max_length=40, default="", blank=True)
    crf = models.FloatField(null=True, blank=True)
    server_name = models.CharField(max_length=120, default="", blank=True)
    resumed_chunks = models.PositiveIntegerField(default=0)
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


class ProofRecord(models.Model):
    """What the ladder measured for one attempt of a job, passed or not; kept for ever and shown.

    `rungs` is a list of `transcode.verify.RungResult` as JSON (number, name, outcome, measured,
    limit, text). A replacement points at a passed one: no code path removes a user's bytes without
    it.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="proofs")
    is_passed = models.BooleanField(default=False)
    rungs = models.JSONField(default=list)
    streams_before = models.JSONField(default=dict)  # library.media_info.MediaInfo
    streams_after = models.JSONField(default=dict)
    source_sha256 = models.CharField(max_length=64, default="", blank=True)
    output_sha256 = models.CharField(max_length=64, default="", blank=True)
    output_bytes = models.BigIntegerField(default=0)
    plan_hash = models.CharField(max_length=64, default="", blank=True)
    ffmpeg_version = models.CharField(max_length=60, default="", blank=True)
    command = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"proof of job {self.job_id} ({'passed' if self.is_passed else 'failed'})"


class JournalState(models.TextChoices):
    """Where a replacement stands. From `swapping` on there is no way back but forward or undo."""

    COPYING = "copying", "Copying beside the film"  # S3: our `.part` may exist
    STAGED = "staged", "Staged"  # S4 and S5 done: `.part` is complete and hashed
    SWAPPING = "swapping", "Swapping"  # S6: point of no return
    PUBLISHED = (
        "published",
        "Both names exist",
    )  # S7, new extension: waits for before_original_leaves
    DONE = "done", "Done"  # S8
    ABANDONED = "abandoned", "Given up"  # before S6: source untouched, our part removed
    UNDOING = "undoing", "Putting back"
    UNDONE = "undone", "Put back"
    STUCK = (
        "stuck",
        "Needs you",
    )  # what is on disk fits no step: a person decides, nothing is touched


class Replacement(models.Model):
    """The journal of one swap and its proof. Written before each effect, read by recovery.

    Without a row in state `staged` or later with a passed proof, no code path removes or overwrites
    a user's bytes (invariant I2).
    """

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="replacement")
    file = models.ForeignKey(
        "library.MediaFile", null=True, on_delete=models.SET_NULL, related_name="replacements"
    )
    library = models.ForeignKey(
        "library.Library", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    mode = models.CharField(max_length=8, choices=OutputMode, default=OutputMode.REPLACE)
    state = models.CharField(max_length=10, choices=JournalState, default=JournalState.COPYING)
    root_raw = models.BinaryField()  # absolute library root when it began
    original_raw = models.BinaryField()  # absolute
    final_raw = models.BinaryField()  # absolute; equals original_raw for a same-name swap
    part_raw = models.BinaryField()  # absolute `.mf-<uuid>.part`
    trash_raw = models.BinaryField(null=True, blank=True)  # absolute
    link_method = models.CharField(max_length=12, default="", blank=True)  # link, exchange, aside
    source_snapshot = models.JSONField(default=dict)
    output_sha256 = models.CharField(max_length=64, default="", blank=True)
    output_bytes = models.BigIntegerField(default=0)
    output_inode = models.BigIntegerField(null=True, blank=True)  # of the part, for recovery only
    proof = models.ForeignKey(ProofRecord, null=True, on_delete=models.PROTECT, related_name="+")
    is_proof_passed = models.BooleanField(default=False)
    listed_losses = models.JSONField(default=list)
    previous_file = models.JSONField(default=dict)  # MediaFile and probe values that undo restores
    detail = models.CharField(max_length=1000, default="", blank=True)
    stuck_from = models.CharField(max_length=10, default="", blank=True)  # state before `stuck`
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="journal_state_valid", condition=Q(state__in=JournalState.values)
            ),
            models.CheckConstraint(
                name="journal_swap_needs_proof",
                condition=Q(is_proof_passed=True, proof__isnull=False)
                | Q(state__in=["copying", "abandoned"]),
            ),
            models.UniqueConstraint(
                name="journal_one_open_per_file",
                fields=["file"],
                condition=Q(
                    state__in=["copying", "staged", "swapping", "published", "undoing", "stuck"]
                ),
            ),
        ]
        # The queue asks for open journals with every claim.
        indexes = [models.Index(fields=["state"], name="journal_state")]

    def __str__(self) -> str:
        return f"replacement of job {self.job_id} ({self.state})"


class TrashState(models.TextChoices):
    KEPT = "kept", "In the trash"
    RESTORED = "restored", "Put back"
    PURGING = "purging", "Being purged"
    PURGED = "purged", "Freed"
    LOST = "lost", "Gone from the disk"


class TrashEntry(models.Model):
    """One original in the trash of a library."""

    replacement = models.OneToOneField(Replacement, on_delete=models.PROTECT, related_name="trash")
    path_raw = models.BinaryField()  # absolute
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, default="", blank=True)
    inode = models.BigIntegerField(default=0)
    mtime_ns = models.BigIntegerField(default=0)
    state = models.CharField(max_length=8, choices=TrashState, default=TrashState.KEPT)
    trashed_at = models.DateTimeField(default=timezone.now)
    retention_days = models.PositiveIntegerField(default=14)
    # Daily sweeps seen since it was trashed; a purge needs `retention_days` of them (clock jumps).
    sweeps_seen = models.PositiveIntegerField(default=0)
    last_sweep_on = models.DateField(null=True, blank=True)
    kept_reason = models.CharField(max_length=300, default="", blank=True)  # why a due entry stays
    is_forced = models.BooleanField(default=False)  # purged without a look at the new film
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "trash entries"
        constraints = [
            models.CheckConstraint(
                name="trash_state_valid", condition=Q(state__in=TrashState.values)
            )
        ]
        indexes = [models.Index(fields=["state", "trashed_at"], name="trash_state_age")]

    def __str__(self) -> str:
        return f"trash {self.pk} ({self.state})"


class OutboxEntry(models.Model):
    """Something to tell the world after a swap (Plex, arrs, notifications); has its own retries."""

    kind = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        verbose_name_plural = "outbox entries"
        indexes = [models.Index(fields=["done_at", "not_before"], name="outbox_due")]

    def __str__(self) -> str:
        return self.kind
