"""Addresses of what connects MediaFlow with Sonarr, Radarr and webhooks; a part of library.urls."""

from django.urls import path

from library.pages import views_connections
from library.webhooks.receive import receive

urlpatterns = [
    path("connections/", views_connections.connection_list, name="connection_list"),
    path("connections/arr/add/", views_connections.arr_add, name="arr_add"),
    path("connections/arr/<int:server_id>/", views_connections.arr_edit, name="arr_edit"),
    path("connections/arr/<int:server_id>/test/", views_connections.arr_test, name="arr_test"),
    path(
        "connections/arr/<int:server_id>/remove/", views_connections.arr_remove, name="arr_remove"
    ),
    path("connections/webhooks/", views_connections.webhook_list, name="webhook_list"),
    path("connections/webhooks/add/", views_connections.webhook_add, name="webhook_add"),
    path(
        "connections/webhooks/<int:webhook_id>/switch/",
        views_connections.webhook_switch,
        name="webhook_switch",
    ),
    path(
        "connections/webhooks/<int:webhook_id>/remove/",
        views_connections.webhook_remove,
        name="webhook_remove",
    ),
    # Others may leave the last slash out; a redirect would lose what they send.
    path("hooks/<str:secret>", receive, name="hook_bare"),
    path("hooks/<str:secret>/", receive, name="hook"),
]
