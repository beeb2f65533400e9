"""What Plex knows: accounts, servers, sections, items, parts, and what was changed there.

Rating keys are a cache; an item's `guid` and a part's path are the lasting keys. Tokens are
encrypted (`mediaflow.base.encryption`) and never shown again.
"""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from library.models.catalog import Library, MediaFile, MediaItem


class PlexPin(models.Model):
    """A sign-in that has begun: the PIN's id and code stay here, the browser only has `nonce`."""

    nonce = models.CharField(max_length=64, unique=True)
    pin_id = models.BigIntegerField()
    code = models.CharField(max_length=64)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in of {self.created_at:%Y-%m-%d %H:%M}"


class PlexAccount(models.Model):
    """One signed-in account at plex.tv."""

    plex_uuid = models.CharField(max_length=64, unique=True)
    username = models.CharField(max_length=150)
    token_encrypted = models.TextField(default="", blank=True)  # "" after a sign-out
    token_kind = models.CharField(max_length=8, default="legacy")  # legacy, jwt
    token_expires_at = models.DateTimeField(null=True, blank=True)  # of a jwt
    # plex.tv said 401: sign in again. A network fault sets only `error`.
    is_token_dead = models.BooleanField(default=False)
    has_plex_pass = models.BooleanField(default=False)  # webhooks need it
    error = models.CharField(max_length=500, default="", blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.username


class PlexServer(models.Model):
    """One Plex Media Server."""

    account = models.ForeignKey(
        PlexAccount, null=True, blank=True, on_delete=models.SET_NULL, related_name="servers"
    )
    machine_id = models.CharField(max_length=80, unique=True)
    name = models.CharField(max_length=150)
    version = models.CharField(max_length=40, default="", blank=True)
    token_encrypted = models.TextField(default="", blank=True)  # the server's own access token
    is_owned = models.BooleanField(default=True)  # edits and scans are for the owner only
    is_enabled = models.BooleanField(default=True)
    url = models.CharField(max_length=300, default="", blank=True)  # the connection in use
    is_url_manual = models.BooleanField(default=False)
    # Calls to this machine's own addresses are refused unless an admin says that it runs here.
    is_on_this_machine = models.BooleanField(default=False)
    # [{uri, kind: local|remote|relay, is_ok, ms, error}], as last tested.
    connections = models.JSONField(default=list, blank=True)
    is_token_dead = models.BooleanField(default=False)
    error = models.CharField(max_length=500, default="", blank=True)  # of the last contact
    seen_at = models.DateTimeField(null=True, blank=True)  # last answer
    # Whether it can list what changed (`updatedAt>>`): probed once per version; None unknown.
    can_list_changes = models.BooleanField(null=True, blank=True)
    sync_interval_s = models.PositiveIntegerField(default=3600)  # 0: only by hand
    analyses_after_sync = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class PlexSectionTrouble(models.TextChoices):
    """Why a section is not in step; `error` says it in words."""

    FAILED = "failed", "Failed"
    LOSSES = "losses", "Much is gone"  # a person decides whether that is right
    GONE = "gone", "Not in Plex"  # the server does not list it any more
    SCANNING = "scanning", "Waits"  # Plex scans it; its sync is due again soon


class PlexSection(models.Model):
    """One library of a Plex server. `library` holds the files that no folder library has."""

    server = models.ForeignKey(PlexServer, on_delete=models.CASCADE, related_name="sections")
    key = models.CharField(max_length=20)
    uuid = models.CharField(max_length=80, default="", blank=True)
    title = models.CharField(max_length=200)
    type = models.CharField(max_length=10)  # movie, show
    locations = models.JSONField(default=list, blank=True)  # folders as the server names them
    is_enabled = models.BooleanField(default=False)
    library = models.OneToOneField(
        Library, null=True, blank=True, on_delete=models.SET_NULL, related_name="plex_section"
    )
    # What the server said when the last complete sweep began: unchanged means nothing to do.
    content_changed_at = models.BigIntegerField(default=0)
    scanned_at = models.BigIntegerField(default=0)
    sync_generation = models.BigIntegerField(default=0)
    # A sweep that was stopped goes on here: the fields of `library.plex.sync.Sweep`.
    sync_cursor = models.JSONField(default=dict, blank=True)
    # Server time (seconds) up to which changes were listed: the next list of changes begins here.
    listed_until = models.BigIntegerField(default=0)
    # Of mappings and folder libraries as they were when files were last looked for.
    link_signature = models.CharField(max_length=64, default="", blank=True)
    item_count = models.BigIntegerField(default=0)
    synced_at = models.DateTimeField(null=True, blank=True)  # end of the last sync
    swept_at = models.DateTimeField(null=True, blank=True)  # end of the last complete sweep
    last_summary = models.JSONField(default=dict, blank=True)
    trouble = models.CharField(
        max_length=8, choices=PlexSectionTrouble, default="", blank=True
    )  # "" none
    error = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            models.UniqueConstraint(name="plex_section_once", fields=["server", "key"]),
            models.CheckConstraint(
                name="plex_section_trouble_valid",
                condition=Q(trouble__in=["", *PlexSectionTrouble.values]),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class PlexItem(models.Model):
    """A film or an episode as Plex knows it."""

    section = models.ForeignKey(PlexSection, on_delete=models.CASCADE, related_name="items")
    rating_key = models.CharField(max_length=20)  # a cache: changes when an item is made anew
    guid = models.CharField(max_length=200, default="", blank=True)
    external_ids = models.JSONField(default=list, blank=True)  # ["imdb://tt0211915", …]
    item = models.ForeignKey(
        MediaItem, null=True, blank=True, on_delete=models.SET_NULL, related_name="plex_items"
    )
    type = models.CharField(max_length=10)  # movie, episode
    title = models.CharField(max_length=500)
    sort_title = models.CharField(max_length=500, default="", blank=True)
    edition = models.CharField(max_length=120, default="", blank=True)
    year = models.PositiveIntegerField(null=True, blank=True)
    show_title = models.CharField(max_length=500, default="", blank=True)
    show_rating_key = models.CharField(max_length=20, default="", blank=True)
    season = models.PositiveIntegerField(null=True, blank=True)
    episode = models.PositiveIntegerField(null=True, blank=True)
    content_rating = models.CharField(max_length=40, default="", blank=True)
    genres = models.JSONField(default=list, blank=True)
    labels = models.JSONField(default=list, blank=True)
    collections = models.JSONField(default=list, blank=True)
    locked_fields = models.JSONField(default=list, blank=True)
    view_count = models.PositiveIntegerField(default=0)  # of the token's owner
    last_viewed_at = models.DateTimeField(null=True, blank=True)
    added_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True)
    # Of the row in the listing; another one means that details are to be read again.
    listing_digest = models.CharField(max_length=40, default="", blank=True)
    is_detailed = models.BooleanField(default=False)  # streams and all tags were read
    is_analyzed = models.BooleanField(default=True)  # False: Plex has not looked into the file yet
    seen_generation = models.BigIntegerField(default=0)
    missing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="plex_item_once", fields=["section", "rating_key"]),
        ]
        indexes = [
            models.Index(fields=["section", "guid"], name="plex_item_guid"),
            models.Index(fields=["section", "seen_generation"], name="plex_item_seen"),
        ]

    def __str__(self) -> str:
        return self.title


class PlexPart(models.Model):
    """One file of an item: versions are media, cd1/cd2 are parts of one media.

    An episode file of several episodes is a part of each, and one MediaFile.
    """

    plex_item = models.ForeignKey(PlexItem, on_delete=models.CASCADE, related_name="parts")
    media_id = models.CharField(max_length=20)
    part_id = models.CharField(max_length=20)
    part_index = models.PositiveSmallIntegerField(default=0)  # 0: the only part
    path = models.CharField(max_length=4096)  # as the server names it
    path_digest = models.CharField(max_length=64)  # `digest_of(path)`
    size_bytes = models.BigIntegerField(default=0)
    plex_changestamp = models.CharField(max_length=40, default="", blank=True)
    container = models.CharField(max_length=20, default="", blank=True)
    # "" matched; else why no file here belongs to it, for the inaccessible page.
    unmatched_reason = models.CharField(max_length=300, default="", blank=True)
    file = models.ForeignKey(
        MediaFile, null=True, blank=True, on_delete=models.SET_NULL, related_name="plex_parts"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="plex_part_once", fields=["plex_item", "part_id"]),
        ]
        indexes = [models.Index(fields=["path_digest"], name="plex_part_path")]

    def __str__(self) -> str:
        return self.path

    @staticmethod
    def digest_of(path: str) -> str:
        """SHA-256 in UTF-8: an index of whole paths would be too large."""
        # Names of files here may hold bytes that are no UTF-8; no path of a server does.
        return hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()


class PlexEditBatch(models.Model):
    """One batch of edits: what was asked for, seen in a preview, and can be put back."""

    section = models.ForeignKey(PlexSection, on_delete=models.CASCADE, related_name="edit_batches")
    title = models.CharField(max_length=200)  # in words
    changes = models.JSONField(default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title


class PlexEditState(models.TextChoices):
    PLANNED = "planned", "Waits"
    SENT = "sent", "Sent"
    VERIFIED = "verified", "Done"
    DIFFERS = "differs", "Differs"
    FAILED = "failed", "Failed"  # nothing was changed
    UNDONE = "undone", "Undone"


class PlexEdit(models.Model):
    """One item of a batch: values before and after. Written before anything is sent."""

    batch = models.ForeignKey(PlexEditBatch, on_delete=models.CASCADE, related_name="edits")
    plex_item = models.ForeignKey(
        PlexItem, null=True, on_delete=models.SET_NULL, related_name="edits"
    )
    rating_key = models.CharField(max_length=20)
    item_title = models.CharField(max_length=500)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=PlexEditState, default=PlexEditState.PLANNED)
    error = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="plex_edit_once", fields=["batch", "rating_key"]),
            models.CheckConstraint(
                name="plex_edit_state_valid",
                condition=Q(state__in=PlexEditState.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_title} ({self.state})"


class PlexCollectionState(models.TextChoices):
    ABSENT = "absent", "Not built yet"
    MAKING = "making", "Being made"  # Plex was asked to and may have: its answer is not known
    BUILT = "built", "Built"
    DELETED = "deleted", "Deleted in Plex"  # not made again until somebody asks for it


class PlexCollection(models.Model):
    """A filter that is a collection in Plex, made once or kept in step."""

    section = models.ForeignKey(PlexSection, on_delete=models.CASCADE, related_name="built")
    title = models.CharField(max_length=200)
    query = models.CharField(max_length=2000)
    state = models.CharField(
        max_length=8, choices=PlexCollectionState, default=PlexCollectionState.ABSENT
    )
    rating_key = models.CharField(max_length=20, default="", blank=True)
    # Lease token of the operation that builds it; counts while that operation runs.
    builder = models.CharField(max_length=32, default="", blank=True)
    is_kept_in_step = models.BooleanField(default=False)
    item_count = models.BigIntegerField(default=0)
    synced_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            models.UniqueConstraint(name="plex_collection_once", fields=["section", "title"]),
            models.CheckConstraint(
                name="plex_collection_state_valid",
                condition=Q(state__in=PlexCollectionState.values),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class PlexSwap(models.Model):
    """What Plex knew of a film before its file was replaced, and what became of it afterwards.

    `replacement_id` is the id of a `transcode.Replacement`, which this room does not know.
    """

    replacement_id = models.BigIntegerField()
    server = models.ForeignKey(PlexServer, on_delete=models.CASCADE, related_name="swaps")
    section_key = models.CharField(max_length=20)
    guid = models.CharField(max_length=200, default="", blank=True)
    rating_key_before = models.CharField(max_length=20)
    rating_key_after = models.CharField(max_length=20, default="", blank=True)
    # Title, labels, collections, edits and locks, views, added date, as they were.
    before = models.JSONField(default=dict)
    step = models.CharField(max_length=20, default="noted")  # transcode/after_swap says which
    # Moves when it begins anew (an undo): whoever works on an older one stops.
    generation = models.PositiveIntegerField(default=0)
    reapplied = models.JSONField(default=list, blank=True)  # in words
    lost = models.JSONField(default=list, blank=True)  # in words: what could not be kept
    error = models.CharField(max_length=500, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="plex_swap_once",
                fields=["replacement_id", "server", "section_key", "rating_key_before"],
            ),
        ]

    def __str__(self) -> str:
        return f"swap {self.replacement_id} on {self.server_id} ({self.step})"
