"""Proofs, replacements, trash, outbox: what protects a person's bytes."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from transcode.models.jobs import Job, OutputMode


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
    # An undo has begun, and others were asked what they know of the film before it was touched.
    is_undo_announced = models.BooleanField(default=False)
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
                | Q(state__in=["copying", "abandoned"])
                | Q(state="stuck", stuck_from="copying"),
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


# What lies there and can be put back. A purge that was cut short may have removed nothing yet.
IN_TRASH: Final = frozenset({TrashState.KEPT, TrashState.PURGING})


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
    """Something to tell the world after a swap (Plex, arrs, notifications); has its own retries.

    `transcode/after_swap/outbox.py` claims and ends entries. One that was given up or dropped has
    `given_up_at` or `done_at`; a claimed one has a lease token.
    """

    kind = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)  # no attempts are left
    error = models.CharField(max_length=500, default="", blank=True)  # of the last attempt
    outcome = models.CharField(max_length=300, default="", blank=True)  # in words
    lease_token = models.CharField(max_length=32, default="", blank=True)
    lease_owner = models.CharField(max_length=200, default="", blank=True)
    heartbeat = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "outbox entries"
        indexes = [models.Index(fields=["done_at", "not_before"], name="outbox_due")]

    def __str__(self) -> str:
        return self.kind
