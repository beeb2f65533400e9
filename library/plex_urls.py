"""Addresses of the Plex pages; a part of library.urls."""

from django.urls import path

from library.pages import views_plex, views_plex_edits, views_plex_mappings, views_plex_servers

urlpatterns = [
    path("plex/", views_plex.plex, name="plex"),
    path("plex/sign-in/", views_plex.sign_in_begin, name="plex_sign_in_begin"),
    path("plex/sign-in/<str:nonce>/", views_plex.sign_in_page, name="plex_sign_in"),
    path("plex/sign-in/<str:nonce>/poll/", views_plex.sign_in_poll, name="plex_sign_in_poll"),
    path("plex/accounts/<int:account_id>/look/", views_plex.account_look, name="plex_account_look"),
    path(
        "plex/accounts/<int:account_id>/sign-out/",
        views_plex.account_sign_out,
        name="plex_account_sign_out",
    ),
    path("plex/servers/add/", views_plex_servers.server_add, name="plex_server_add"),
    path("plex/servers/<int:server_id>/", views_plex_servers.server_edit, name="plex_server"),
    path(
        "plex/servers/<int:server_id>/look/",
        views_plex_servers.server_look,
        name="plex_server_look",
    ),
    path(
        "plex/servers/<int:server_id>/remove/",
        views_plex_servers.server_remove,
        name="plex_server_remove",
    ),
    path(
        "plex/sections/<int:section_id>/switch/",
        views_plex_servers.section_switch,
        name="plex_section_switch",
    ),
    path(
        "plex/sections/<int:section_id>/sync/",
        views_plex_servers.section_sync,
        name="plex_section_sync",
    ),
    path(
        "plex/sections/<int:section_id>/add-folder/",
        views_plex_servers.section_add_folder,
        name="plex_section_add_folder",
    ),
    path("plex/mappings/", views_plex_mappings.mapping_list, name="plex_mappings"),
    path("plex/mappings/add/", views_plex_mappings.mapping_add, name="plex_mapping_add"),
    path("plex/mappings/<int:mapping_id>/", views_plex_mappings.mapping_edit, name="plex_mapping"),
    path(
        "plex/mappings/<int:mapping_id>/remove/",
        views_plex_mappings.mapping_remove,
        name="plex_mapping_remove",
    ),
    path("plex/mappings/test/", views_plex_mappings.mapping_test, name="plex_mapping_test"),
    path("plex/edit/", views_plex_edits.plex_edit, name="plex_edit"),
    path("plex/edit/apply/", views_plex_edits.plex_edit_apply, name="plex_edit_apply"),
    path("plex/edits/", views_plex_edits.plex_edit_list, name="plex_edit_list"),
    path("plex/edits/<int:batch_id>/", views_plex_edits.plex_edit_batch, name="plex_edit_batch"),
    path("plex/edits/<int:batch_id>/undo/", views_plex_edits.plex_edit_undo, name="plex_edit_undo"),
    path("plex/edits/<int:batch_id>/rest/", views_plex_edits.plex_edit_rest, name="plex_edit_rest"),
    path("plex/collections/", views_plex_edits.collection_list, name="plex_collections"),
    path("plex/collections/new/", views_plex_edits.collection_new, name="plex_collection_new"),
    path(
        "plex/collections/<int:collection_id>/build/",
        views_plex_edits.collection_build,
        name="plex_collection_build",
    ),
    path(
        "plex/collections/<int:collection_id>/keep/",
        views_plex_edits.collection_keep,
        name="plex_collection_keep",
    ),
    path(
        "plex/collections/<int:collection_id>/forget/",
        views_plex_edits.collection_forget,
        name="plex_collection_forget",
    ),
]
