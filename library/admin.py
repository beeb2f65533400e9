"""Libraries, items, files in Django's admin. Roots and probe columns follow the disk: read-only."""

from django.contrib import admin

from library.models import (
    FileTag,
    ItemFile,
    Library,
    MediaFile,
    MediaItem,
    MediaProbe,
    SavedFilter,
    Tag,
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
