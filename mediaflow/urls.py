"""All addresses: the rooms' own, and the pages that belong to the project as a whole."""

from importlib.util import find_spec

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from mediaflow.configuration.views import backup_download, backup_start, settings
from mediaflow.healthz import healthz
from mediaflow.home.views import favicon, home
from mediaflow.logs.views import logs, logs_download
from mediaflow.operation_views import operation, operation_cancel

admin.site.site_header = admin.site.site_title = "MediaFlow"
admin.site.index_title = "Rows, for looking"
admin.site.enable_nav_sidebar = False
# Groups mean nothing here: the role of a person decides.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
    path("favicon.ico", favicon, name="favicon"),
    path("", include("mediaflow.accounts.urls")),
    path("", include("mediaflow.insights.urls")),
    path("", include("mediaflow.analytics.urls")),
    path("operations/<int:operation_id>/", operation, name="operation"),
    path("operations/<int:operation_id>/cancel/", operation_cancel, name="operation_cancel"),
    path("settings/", settings, name="settings"),
    path("settings/backups/", backup_start, name="backup_start"),
    path("settings/backups/<str:name>", backup_download, name="backup_download"),
    path("logs/", logs, name="logs"),
    path("logs/<str:source>.log", logs_download, name="logs_download"),
    # One way to sign in, with its limits: the admin's own login form is not served.
    path("admin/login/", RedirectView.as_view(pattern_name="accounts:login", query_string=True)),
    path("admin/", admin.site.urls),
]

# The rooms' pages, each under the addresses of docs/architecture.md.
for _room in ("library.urls", "transcode.urls", "servers.urls"):
    if find_spec(_room):
        urlpatterns.append(path("", include(_room)))
