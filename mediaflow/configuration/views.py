"""The settings page and the backups beside it. For admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mediaflow.base.access import admin_required
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import start_operation
from mediaflow.configuration.forms import SettingsForm
from mediaflow.recovery.backup import BACKUP_OPERATION, list_backups

if TYPE_CHECKING:
    from mediaflow.base.htmx import HtmxHttpRequest


@admin_required
@require_http_methods(["GET", "POST"])
def settings(request: HtmxHttpRequest) -> HttpResponse:
    form = SettingsForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        changed = form.save(request.user)
        messages.success(
            request, f"{changed or 'No'} setting{'' if changed == 1 else 's'} changed."
        )
        return redirect("settings")
    context = {
        "form": form,
        "environment": django_settings.ENVIRONMENT,
        "backups": list_backups(),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "mediaflow/settings.html", context, status=status)


@admin_required
@require_POST
def backup_start(request: HtmxHttpRequest) -> HttpResponse:
    operation = start_operation(
        kind=BACKUP_OPERATION,
        title="Backup of the database",
        lock_key="backup",
        unit="pages",
        actor=request.user,
    )
    record_audit("backup.start", actor=request.user)
    return redirect("operation", operation_id=operation.pk)


@admin_required
@require_GET
def backup_download(request: HtmxHttpRequest, name: str) -> FileResponse:
    backup = next((b for b in list_backups() if b.path.name == name), None)
    if backup is None:
        raise Http404
    record_audit("backup.download", actor=request.user, subject=name)
    return FileResponse(backup.path.open("rb"), as_attachment=True, filename=name)
