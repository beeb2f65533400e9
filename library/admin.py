"""Libraries, items, files in Django's admin. Roots and probe columns follow the disk: read-only."""

from django.contrib import admin

from library.models import (
    AnalysisRun,
    ArrServer,
    FileTag,
    ItemFile,
    Library,
    LibrarySnapshot,
    MediaFile,
    MediaItem,
    MediaProbe,
    PathMapping,
    PlexAccount,
    PlexCollection,
    PlexEdit,
    PlexEditBatch,
    PlexItem,
    PlexPart,
    PlexPin,
    PlexSection,
    PlexServer,
    PlexSwap,
    Recommendation,
    RecommendationMember,
    RecommendationSum,
    SavedFilter,
    StorageFigures,
    Tag,
    Webhook,
    WebhookEvent,
)
from mediaflow.base.admin_kinds import FewFieldsAdmin, ReadOnlyAdmin, ReadOnlyInline


@admin.register(Library)
class LibraryAdmin(FewFieldsAdmin):
    list_display = ("name", "root", "file_count", "total_bytes", "is_enabled", "last_scan_at")
    list_filter = ("is_enabled", "is_replace_allowed")
    search_fields = ("name", "root")
    changeable = ("is_watched", "rescan_interval_s", "settle_window_s", "max_missing_pct")
    exclude = ("root_raw",)


class ItemFileInline(ReadOnlyInline):
    model = ItemFile
    fk_name = "item"
    fields = ("file", "edition", "part_index")


@admin.register(MediaItem)
class MediaItemAdmin(FewFieldsAdmin):
    list_display = ("title", "kind", "year", "show_title", "season", "episode", "library")
    list_filter = ("kind", "library")
    search_fields = ("title", "show_title")
    changeable = ("title", "year")
    inlines = (ItemFileInline,)


@admin.register(MediaFile)
class MediaFileAdmin(ReadOnlyAdmin):
    list_display = (
        "path",
        "library",
        "state",
        "availability",
        "resolution",
        "video_codec",
        "size_bytes",
        "added_at",
    )
    list_filter = ("library", "state", "availability", "kind", "resolution", "hdr")
    list_select_related = ("library",)
    search_fields = ("search_text", "path")
    ordering = ("-id",)
    exclude = ("path_raw",)


@admin.register(MediaProbe)
class MediaProbeAdmin(ReadOnlyAdmin):
    list_display = ("file", "prober_version", "probed_at", "error")
    list_select_related = ("file",)
    search_fields = ("file__path", "error")


@admin.register(ItemFile)
class ItemFileAdmin(ReadOnlyAdmin):
    list_display = ("item", "file", "edition", "part_index")
    list_select_related = ("item", "file")


@admin.register(Tag)
class TagAdmin(FewFieldsAdmin):
    list_display = ("name", "color")
    search_fields = ("name",)
    changeable = ("name", "color")


@admin.register(FileTag)
class FileTagAdmin(ReadOnlyAdmin):
    list_display = ("file", "tag")
    list_select_related = ("file", "tag")


@admin.register(SavedFilter)
class SavedFilterAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "query", "created_at")
    search_fields = ("name", "query")


@admin.register(PlexAccount)
class PlexAccountAdmin(ReadOnlyAdmin):
    list_display = ("username", "is_token_dead", "has_plex_pass", "checked_at", "error")
    exclude = ("token_encrypted",)


@admin.register(PlexPin)
class PlexPinAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "requested_by", "expires_at", "used_at")
    exclude = ("nonce", "code", "pin_id")


@admin.register(PlexServer)
class PlexServerAdmin(ReadOnlyAdmin):
    list_display = ("name", "url", "version", "is_enabled", "is_token_dead", "seen_at", "error")
    exclude = ("token_encrypted",)


@admin.register(PlexSection)
class PlexSectionAdmin(ReadOnlyAdmin):
    list_display = ("title", "type", "server", "is_enabled", "item_count", "synced_at", "error")
    list_select_related = ("server",)


@admin.register(PlexItem)
class PlexItemAdmin(ReadOnlyAdmin):
    list_display = ("title", "type", "year", "section", "rating_key", "view_count", "missing_since")
    list_select_related = ("section",)
    list_filter = ("section", "type")
    search_fields = ("title", "show_title", "rating_key", "guid")
    ordering = ("-id",)


@admin.register(PlexPart)
class PlexPartAdmin(ReadOnlyAdmin):
    list_display = ("path", "plex_item", "size_bytes", "unmatched_reason")
    list_select_related = ("plex_item",)
    search_fields = ("path",)
    ordering = ("-id",)


@admin.register(PlexEditBatch)
class PlexEditBatchAdmin(ReadOnlyAdmin):
    list_display = ("title", "section", "requested_by", "created_at", "finished_at", "undone_at")
    list_select_related = ("section", "requested_by")
    ordering = ("-id",)


@admin.register(PlexEdit)
class PlexEditAdmin(ReadOnlyAdmin):
    list_display = ("item_title", "batch", "state", "error")
    list_select_related = ("batch",)
    list_filter = ("state",)
    ordering = ("-id",)


@admin.register(PlexCollection)
class PlexCollectionAdmin(ReadOnlyAdmin):
    list_display = ("title", "section", "query", "is_kept_in_step", "item_count", "synced_at")
    list_select_related = ("section",)


@admin.register(PlexSwap)
class PlexSwapAdmin(ReadOnlyAdmin):
    list_display = ("replacement_id", "server", "step", "created_at", "finished_at", "error")
    list_select_related = ("server",)
    list_filter = ("step",)
    ordering = ("-id",)


@admin.register(ArrServer)
class ArrServerAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "url", "is_enabled", "seen_at", "error")
    exclude = ("api_key_encrypted",)


@admin.register(PathMapping)
class PathMappingAdmin(ReadOnlyAdmin):
    list_display = ("source", "local", "plex_server", "arr_server")
    list_select_related = ("plex_server", "arr_server")
    exclude = ("local_raw",)


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "is_enabled", "used_at")
    exclude = ("secret_digest",)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "webhook", "event", "outcome", "done_at")
    list_select_related = ("webhook",)
    ordering = ("-id",)


@admin.register(AnalysisRun)
class AnalysisRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "library", "trigger", "item_count", "seconds", "finished_at")
    list_select_related = ("library",)
    ordering = ("-id",)


@admin.register(Recommendation)
class RecommendationAdmin(ReadOnlyAdmin):
    list_display = ("kind", "file", "library", "state", "priority", "savings_bytes", "created_at")
    list_select_related = ("file", "library")
    list_filter = ("state", "kind", "library")
    ordering = ("-id",)


@admin.register(RecommendationMember)
class RecommendationMemberAdmin(ReadOnlyAdmin):
    list_display = ("recommendation", "file", "is_best")
    list_select_related = ("recommendation", "file")
    ordering = ("-id",)


@admin.register(LibrarySnapshot)
class LibrarySnapshotAdmin(ReadOnlyAdmin):
    list_display = ("day", "library_name", "file_count", "total_bytes", "health_score")
    ordering = ("-day", "-id")


@admin.register(RecommendationSum)
class RecommendationSumAdmin(ReadOnlyAdmin):
    list_display = ("state", "kind", "library", "basis", "confidence_band", "count")
    list_select_related = ("library",)
    ordering = ("state", "kind", "id")


@admin.register(StorageFigures)
class StorageFiguresAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "seconds")
    ordering = ("-id",)
