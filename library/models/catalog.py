"""Libraries, items, files, probes, tags, saved filters."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from library.listing import keys as list_keys


class LibraryKind(models.TextChoices):
    FOLDER = "folder", "Folder"
    PLEX = "plex", "Plex section"  # files that only Plex knows: listed, never touched


class Library(models.Model):
    """A folder of films, or what a Plex section lists beyond all folders.

    `root_raw` is the truth (names are bytes); `root` is text for people. Of a Plex section it is
    no path but `plex:<machine id>/<section key>`: code that touches disks asks for folders only.
    """

    kind = models.CharField(max_length=6, choices=LibraryKind, default=LibraryKind.FOLDER)
    name = models.CharField(max_length=120, unique=True)
    root = models.CharField(max_length=4096)
    root_raw = models.BinaryField(max_length=4096)
    root_digest = models.CharField(max_length=64, unique=True)  # SHA-256 of root_raw, hex
    # Content of `.mediaflow/id`: says that the mount is there (faults 12, 15, 41).
    marker_id = models.UUIDField(default=uuid.uuid4, unique=True)
    marker_seen_at = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    is_replace_allowed = models.BooleanField(default=True)
    is_watched = models.BooleanField(default=True)
    rescan_interval_s = models.PositiveIntegerField(default=6 * 3600)
    settle_window_s = models.PositiveIntegerField(default=120)
    # More than this share of files gone at once freezes the library; none is marked missing then.
    max_missing_pct = models.PositiveSmallIntegerField(default=30)
    hard_link_policy = models.CharField(
        max_length=12,
        choices=[("skip", "Skip"), ("replace", "Replace my name only")],
        default="skip",
    )
    # Folders below the root, as text, one per line, where nothing is ever replaced (seeding).
    never_replace = models.TextField(default="", blank=True)
    frozen_reason = models.CharField(max_length=500, default="", blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)
    scan_generation = models.BigIntegerField(default=0)
    last_scan_at = models.DateTimeField(null=True, blank=True)
    last_scan_s = models.FloatField(null=True, blank=True)
    last_scan_summary = models.JSONField(default=dict, blank=True)
    file_count = models.BigIntegerField(default=0)  # kept by the scan; lists read it
    total_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "libraries"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="library_kind_valid", condition=Q(kind__in=LibraryKind.values)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_frozen(self) -> bool:
        return bool(self.frozen_reason)


class ItemKind(models.TextChoices):
    MOVIE = "movie", "Film"
    EPISODE = "episode", "Episode"
    EXTRA = "extra", "Extra"
    DISC = "disc", "Disc"


class MediaItem(models.Model):
    """What a person knows: a film or an episode. Files hang on it through ItemFile."""

    library = models.ForeignKey(Library, on_delete=models.CASCADE, related_name="items")
    kind = models.CharField(max_length=8, choices=ItemKind, default=ItemKind.MOVIE)
    title = models.CharField(max_length=500)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    show_title = models.CharField(max_length=500, default="", blank=True)
    season = models.PositiveIntegerField(null=True, blank=True)
    episode = models.PositiveIntegerField(null=True, blank=True)
    # Folded, one row per film in a library: "movie|amelie|2001", "episode|show|2020|1|2".
    identity_key = models.CharField(max_length=700)
    plex_guid = models.CharField(max_length=200, default="", blank=True)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="item_once", fields=["library", "identity_key"]),
            models.CheckConstraint(name="item_kind_valid", condition=Q(kind__in=ItemKind.values)),
        ]

    def __str__(self) -> str:
        if self.kind == ItemKind.EPISODE:
            return f"{self.show_title} S{self.season or 0:02d}E{self.episode or 0:02d} {self.title}"
        return f"{self.title} ({self.year})" if self.year else self.title


class FileState(models.TextChoices):
    """What MediaFlow did with the file."""

    NEW = "new", "Ready"
    QUEUED = "queued", "Queued"
    PROCESSING = "processing", "Encoding"
    COMPLETED = "completed", "Optimised"
    FAILED = "failed", "Failed"
    ARCHIVED = "archived", "Archived"
    IGNORED = "ignored", "Ignored"


class Availability(models.TextChoices):
    PRESENT = "present", "Present"
    MISSING = "missing", "Missing"
    UNREACHABLE = "unreachable", "Unreachable"
    UNREADABLE = "unreadable", "Unreadable"
    GROWING = "growing", "Still growing"


class FileKind(models.TextChoices):
    VIDEO = "video", "Video"
    DISC = "disc", "Disc folder or image"  # listed, never encoded
    EXTRA = "extra", "Extra"
    SAMPLE = "sample", "Sample"


def _list_indexes() -> list[models.Index]:
    """One index per sort, and per group and sort: `library.listing.paging` reads them in order.

    Files removed from the list are in none of them.
    """
    indexes = [_list_index(name, column) for name, column in list_keys.SORT_COLUMNS.items()]
    for group, own_column in list_keys.GROUP_COLUMNS.items():
        for name, column in list_keys.SORT_COLUMNS.items():
            if column != own_column:
                indexes.append(_list_index(f"{group}_{name}", group, column))
    return [*indexes, _list_index("text", "search_text")]


def _list_index(name: str, *columns: str) -> models.Index:
    return models.Index(
        fields=[*columns, "id"], name=f"list_{name}", condition=Q(removed_from_list_at=None)
    )


class MediaFile(models.Model):
    """One file on disk, with the columns that lists filter and sort by (all NOT NULL).

    Full stream detail is in MediaProbe, never in the rows that a list reads.
    """

    library = models.ForeignKey(Library, on_delete=models.CASCADE, related_name="files")
    path_raw = models.BinaryField(max_length=4096)  # relative to the library root; the truth
    path_digest = models.CharField(max_length=64)  # SHA-256 of path_raw, hex: a bounded unique key
    path = models.CharField(
        max_length=4096
    )  # relative, for people (undecodable bytes shown as \xNN)
    kind = models.CharField(max_length=8, choices=FileKind, default=FileKind.VIDEO)
    state = models.CharField(max_length=12, choices=FileState, default=FileState.NEW)
    state_reason = models.CharField(max_length=300, default="", blank=True)
    availability = models.CharField(
        max_length=12, choices=Availability, default=Availability.PRESENT
    )
    availability_reason = models.CharField(max_length=500, default="", blank=True)
    availability_since = models.DateTimeField(default=timezone.now)
    removed_from_list_at = models.DateTimeField(null=True, blank=True)

    size_bytes = models.BigIntegerField(default=0)
    mtime_ns = models.BigIntegerField(default=0)
    content_fingerprint = models.CharField(max_length=64, default="", blank=True, db_index=True)
    hard_link_count = models.PositiveIntegerField(default=1)
    is_symlink = models.BooleanField(default=False)
    is_sparse = models.BooleanField(default=False)
    seen_generation = models.BigIntegerField(default=0)
    added_at = models.DateTimeField(default=timezone.now)
    probed_at = models.DateTimeField(null=True, blank=True)

    # Parsed from the name (guessit); the item is what a person edits later.
    title = models.CharField(max_length=500, default="", blank=True)
    year = models.PositiveSmallIntegerField(default=0)  # 0 unknown
    show_title = models.CharField(max_length=500, default="", blank=True)
    season = models.PositiveIntegerField(default=0)
    episode = models.PositiveIntegerField(default=0)
    sort_key = models.CharField(max_length=300, default="", blank=True)  # folded in Python
    # Folded in Python. No longer than an index entry of PostgreSQL can be (2,704 bytes).
    search_text = models.CharField(max_length=600, default="", blank=True)

    container = models.CharField(max_length=12, default="", blank=True)
    duration_ms = models.BigIntegerField(default=0)
    bit_rate_kbps = models.BigIntegerField(default=0)
    video_codec = models.CharField(max_length=20, default="", blank=True)
    video_profile = models.CharField(max_length=60, default="", blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    resolution = models.PositiveSmallIntegerField(default=0)  # resolution class: 2160, 1080, …; 0
    frame_rate_milli = models.PositiveIntegerField(default=0)  # 23976 = 23.976 fps
    is_variable_frame_rate = models.BooleanField(default=False)
    is_interlaced = models.BooleanField(default=False)
    bit_depth = models.PositiveSmallIntegerField(default=0)
    hdr = models.CharField(max_length=12, default="", blank=True)  # media_info.HdrKind
    dolby_vision_profile = models.CharField(max_length=8, default="", blank=True)
    audio_codec = models.CharField(max_length=20, default="", blank=True)  # of the best track
    audio_label = models.CharField(max_length=20, default="", blank=True)  # "Atmos", "DTS-HD", …
    audio_channels = models.PositiveSmallIntegerField(default=0)
    audio_languages = models.CharField(max_length=200, default="", blank=True)  # ",eng,deu,"
    subtitle_languages = models.CharField(max_length=400, default="", blank=True)
    stream_count = models.PositiveIntegerField(default=0)
    mediaflow_tag = models.CharField(max_length=120, default="", blank=True)

    # From Plex (the owner's plays); meaningless while `is_in_plex` is False.
    is_in_plex = models.BooleanField(default=False)
    play_count = models.PositiveIntegerField(default=0)
    last_played_at = models.DateTimeField(null=True, blank=True)

    # Group keys of the file list, computed by the database (library/listing/keys.py says why).
    video_group = models.GeneratedField(
        expression=list_keys.video_expression(),
        output_field=models.CharField(max_length=48),
        db_persist=True,
    )
    sound_group = models.GeneratedField(
        expression=list_keys.sound_expression(),
        output_field=models.CharField(max_length=60),
        db_persist=True,
    )
    place_group = models.GeneratedField(
        expression=list_keys.place_expression(),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    size_step = models.GeneratedField(
        expression=list_keys.step_expression("size_bytes", list_keys.SIZE_STEPS_BYTES),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    rate_step = models.GeneratedField(
        expression=list_keys.step_expression("bit_rate_kbps", list_keys.RATE_STEPS_KBPS),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    length_step = models.GeneratedField(
        expression=list_keys.step_expression("duration_ms", list_keys.LENGTH_STEPS_MS),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )

    tags: models.ManyToManyField[Tag, FileTag] = models.ManyToManyField(
        "Tag", through="FileTag", related_name="files"
    )

    class Meta:
        indexes = [
            *_list_indexes(),
            # The page of inaccessible files, the newest first: 100,000 of them may be in Plex only.
            models.Index(
                fields=["-availability_since", "-id"],
                name="file_not_present",
                condition=Q(removed_from_list_at=None) & ~Q(availability="present"),
            ),
        ]
        constraints = [
            models.UniqueConstraint(name="file_path_once", fields=["library", "path_digest"]),
            models.CheckConstraint(
                name="file_state_valid", condition=Q(state__in=FileState.values)
            ),
            models.CheckConstraint(
                name="file_availability_valid", condition=Q(availability__in=Availability.values)
            ),
            models.CheckConstraint(name="file_kind_valid", condition=Q(kind__in=FileKind.values)),
        ]

    def __str__(self) -> str:
        return self.path


class MediaProbe(models.Model):
    """The full probe of one file: `library.media_info.MediaInfo` as JSON."""

    file = models.OneToOneField(
        MediaFile, primary_key=True, on_delete=models.CASCADE, related_name="probe"
    )
    detail = models.JSONField(default=dict)
    error = models.CharField(max_length=1000, default="", blank=True)
    prober_version = models.CharField(max_length=40, default="", blank=True)
    probed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"probe of {self.file_id}"


class ItemFile(models.Model):
    """Which file belongs to which item: S01E01E02 is one file of two items, cd1/cd2 two of one."""

    item = models.ForeignKey(MediaItem, on_delete=models.CASCADE, related_name="item_files")
    file = models.ForeignKey(MediaFile, on_delete=models.CASCADE, related_name="item_files")
    edition = models.CharField(max_length=120, default="", blank=True)
    part_index = models.PositiveSmallIntegerField(default=0)  # 0: the only part

    class Meta:
        constraints = [models.UniqueConstraint(name="item_file_once", fields=["item", "file"])]

    def __str__(self) -> str:
        return f"{self.item_id}:{self.file_id}"


class Tag(models.Model):
    """A label with a colour, put on files by people (or rules, later)."""

    name = models.CharField(max_length=60, unique=True)
    color = models.CharField(max_length=12, default="slate")  # one of the badge colours

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class FileTag(models.Model):
    file = models.ForeignKey(MediaFile, on_delete=models.CASCADE)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(name="file_tag_once", fields=["tag", "file"])]

    def __str__(self) -> str:
        return f"{self.file_id}:{self.tag_id}"


class SavedFilter(models.Model):
    """A named query string of the library page. The FilterSet is the only one that reads it."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters"
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(name="saved_filter_name_once", fields=["owner", "name"])
        ]

    def __str__(self) -> str:
        return self.name
