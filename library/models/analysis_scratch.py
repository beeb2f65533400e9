"""Temporary tables of one analysis: they exist only in the connection of its run.

Analysers read films from a narrow copy and write what they find beside it: a run of minutes holds
no lock and no snapshot of the database (`library.analysis.scratch` makes and drops the tables).
"""

from __future__ import annotations

from django.db import models


class AnalysisFact(models.Model):
    """One film of the run with the columns that analysers ask for; `id` is the file's."""

    id = models.BigIntegerField(primary_key=True)
    library_id = models.BigIntegerField()
    # May be encoded: present, not waiting, not made by MediaFlow, in a folder library.
    is_free = models.BooleanField()
    availability = models.CharField(max_length=12)
    is_probed = models.BooleanField()
    size_bytes = models.BigIntegerField()
    duration_ms = models.BigIntegerField()
    bit_rate_kbps = models.BigIntegerField()
    video_codec = models.CharField(max_length=20)
    video_profile = models.CharField(max_length=60)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    resolution = models.PositiveSmallIntegerField()
    frame_rate_milli = models.PositiveIntegerField()
    is_interlaced = models.BooleanField()
    bit_depth = models.PositiveSmallIntegerField()
    hdr = models.CharField(max_length=12)
    dolby_vision_profile = models.CharField(max_length=8)
    container = models.CharField(max_length=12)
    audio_codec = models.CharField(max_length=20)
    audio_label = models.CharField(max_length=20)
    audio_channels = models.PositiveSmallIntegerField()
    audio_languages = models.CharField(max_length=200)
    subtitle_languages = models.CharField(max_length=400)
    show_title = models.CharField(max_length=500)
    season = models.PositiveIntegerField()
    is_in_plex = models.BooleanField()
    play_count = models.PositiveIntegerField()
    # The last play, or when the film was added, whichever is later.
    idle_since = models.DateTimeField()
    # What two presets would make of it: `SavingsExpression.parts`.
    balanced_video = models.FloatField(null=True)
    balanced_before = models.FloatField(null=True)
    balanced_after = models.FloatField(null=True)
    saver_video = models.FloatField(null=True)
    saver_before = models.FloatField(null=True)
    saver_after = models.FloatField(null=True)

    class Meta:
        managed = False
        db_table = "analysis_fact"

    def __str__(self) -> str:
        return f"facts of {self.pk}"


class AnalysisFinding(models.Model):
    """What an analyser found, in the shape of a Recommendation, before it is compared with those
    that are there."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=24)
    library_id = models.BigIntegerField()
    file = models.ForeignKey(  # null: of a group
        AnalysisFact,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    group_key = models.CharField(max_length=200, default="")
    member_count = models.PositiveIntegerField(default=1)
    # 0 in one of these two: `library.analysis.scoring` says, by savings and basis.
    severity = models.PositiveSmallIntegerField(default=0)
    confidence_pct = models.PositiveSmallIntegerField(default=0)
    weight_pct = models.PositiveSmallIntegerField(default=100)  # of the priority
    size_bytes = models.BigIntegerField(default=0)  # of what the savings are a share of
    savings_bytes = models.BigIntegerField(default=0)
    savings_low_bytes = models.BigIntegerField(default=0)
    savings_high_bytes = models.BigIntegerField(default=0)
    basis = models.CharField(max_length=12, default="")
    figures = models.JSONField(default=dict)

    class Meta:
        managed = False
        db_table = "analysis_finding"

    def __str__(self) -> str:
        return f"{self.kind} {self.file_id or self.group_key}"


class _FileOfFilm(models.Model):
    """What is asked of the versions of a film; `key` is the film and its edition."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=200)
    file_id = models.BigIntegerField()
    library_id = models.BigIntegerField()
    is_troubled = models.BooleanField()  # failed, or breaks off: never the best
    title = models.CharField(max_length=500)
    year = models.PositiveSmallIntegerField(null=True)
    edition = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField()
    duration_ms = models.BigIntegerField()
    bit_rate_kbps = models.BigIntegerField()
    video_codec = models.CharField(max_length=20)
    resolution = models.PositiveSmallIntegerField()
    hdr = models.CharField(max_length=12)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key}: {self.file_id}"


class AnalysisCandidate(_FileOfFilm):
    """One file of a film that may be there more than once."""

    content = models.CharField(max_length=64)  # its fingerprint; without one, its own number

    class Meta:
        managed = False
        db_table = "analysis_candidate"


class AnalysisVersion(_FileOfFilm):
    """The same, and its place among the others."""

    versions = models.PositiveIntegerField()  # of this film
    place = models.PositiveIntegerField()  # among them, 1 the best
    copy_place = models.PositiveIntegerField()  # among those of the same content, 1 counts

    class Meta:
        managed = False
        db_table = "analysis_version"
