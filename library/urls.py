"""Addresses of the library pages."""

from django.urls import include, path

from library.pages import views_bulk, views_files, views_folders, views_inaccessible, views_saved

app_name = "library"

urlpatterns = [
    path("", include("library.connection_urls")),
    path("", include("library.plex_urls")),
    path("library/", views_files.file_list, name="file_list"),
    path("library/<int:file_id>/", views_files.file_detail, name="file_detail"),
    path("library/summary/", views_files.file_summary, name="file_summary"),
    path("library/columns/", views_files.columns, name="columns"),
    path("library/export.csv", views_files.export_csv, name="export_csv"),
    path("library/export.json", views_files.export_json, name="export_json"),
    path("library/tag-films/", views_bulk.bulk_tag, name="bulk_tag"),
    path("library/tag-films/apply/", views_bulk.bulk_tag_apply, name="bulk_tag_apply"),
    path("library/ignore/", views_bulk.bulk_ignore, name="bulk_ignore"),
    path("library/ignore/apply/", views_bulk.bulk_ignore_apply, name="bulk_ignore_apply"),
    path("library/filters/", views_saved.saved_filter_list, name="saved_filter_list"),
    path("library/filters/add/", views_saved.saved_filter_add, name="saved_filter_add"),
    path(
        "library/filters/<int:filter_id>/", views_saved.saved_filter_edit, name="saved_filter_edit"
    ),
    path(
        "library/filters/<int:filter_id>/delete/",
        views_saved.saved_filter_delete,
        name="saved_filter_delete",
    ),
    path("library/tags/", views_saved.tag_list, name="tag_list"),
    path("library/tags/add/", views_saved.tag_add, name="tag_add"),
    path("library/tags/<int:tag_id>/", views_saved.tag_edit, name="tag_edit"),
    path("library/tags/<int:tag_id>/delete/", views_saved.tag_delete, name="tag_delete"),
    path("library/inaccessible/", views_inaccessible.inaccessible_list, name="inaccessible_list"),
    path(
        "library/inaccessible/recheck/",
        views_inaccessible.inaccessible_recheck,
        name="inaccessible_recheck",
    ),
    path(
        "library/inaccessible/forget/",
        views_inaccessible.inaccessible_forget,
        name="inaccessible_forget",
    ),
    path("library/<int:file_id>/recheck/", views_inaccessible.file_recheck, name="file_recheck"),
    path("library/<int:file_id>/forget/", views_inaccessible.file_forget, name="file_forget"),
    path("library/scan/", views_folders.scan_all, name="scan_all"),
    path("library/folders/", views_folders.folder_list, name="folder_list"),
    path("library/folders/add/", views_folders.folder_add, name="folder_add"),
    path("library/folders/suggest/", views_folders.folder_suggest, name="folder_suggest"),
    path("library/folders/<int:library_id>/", views_folders.folder_edit, name="folder_edit"),
    path(
        "library/folders/<int:library_id>/remove/",
        views_folders.folder_remove,
        name="folder_remove",
    ),
    path("library/folders/<int:library_id>/scan/", views_folders.scan_start, name="scan_start"),
]
