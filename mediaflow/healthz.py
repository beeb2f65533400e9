"""`/healthz`: is everything alive? For monitors and container engines; no login, no secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mediaflow.base.heartbeat import has_live_process
from mediaflow.disks import LOW_BYTES, gauge_of

if TYPE_CHECKING:
    from django.http import HttpRequest


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    parts = {
        "web": "ok",
        "database": database_state(),
        "consumer": "unknown",
        "disk": disk_state(),
    }
    if parts["database"] == "ok":
        parts["consumer"] = consumer_state()
    is_ok = all(state == "ok" for state in parts.values())
    return JsonResponse({"ok": is_ok, **parts}, status=200 if is_ok else 503)


def database_state() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return "unreachable"
    return "ok"


def consumer_state() -> str:
    """Whether a consumer said lately that it lives."""
    try:
        return "ok" if has_live_process("consumer") else "silent"
    except DatabaseError:
        return "unknown"


def disk_state() -> str:
    use = gauge_of(os.fsencode(settings.DATA_DIR)).read()
    if use is None:
        return "unknown"
    return "ok" if use.free_bytes >= LOW_BYTES else "low"
