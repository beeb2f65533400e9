"""The Logs page: filter, search, older records, download. For admins: logs name every film."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from mediaflow.base.access import admin_required
from mediaflow.base.htmx import render_page
from mediaflow.base.logging_setup import SOURCES
from mediaflow.logs.files import LEVELS, LogQuery, read_page, source_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mediaflow.base.htmx import HtmxHttpRequest

SOURCE_LABELS = {
    "web": "Web pages",
    "consumer": "Consumer",
    "runner": "Jobs and operations",
    "command": "Command line",
}


class LogFilterForm(forms.Form):
    level = forms.ChoiceField(
        required=False,
        choices=[(level, level.capitalize() + " and above") for level in LEVELS[1:4]],
    )
    source = forms.ChoiceField(required=False, choices=[("", "Everything"), *SOURCE_LABELS.items()])
    q = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput({"type": "search"})
    )
    before = forms.RegexField(
        r"[0-9TZ:.\-]{10,30}", required=False, widget=forms.HiddenInput(), max_length=30
    )


@admin_required
@require_GET
def logs(request: HtmxHttpRequest) -> HttpResponse:
    form = LogFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    query = LogQuery(
        sources=[chosen["source"]] if chosen.get("source") else SOURCES,
        min_level=chosen.get("level") or "INFO",
        text=chosen.get("q", ""),
        before=chosen.get("before", ""),
    )
    page = read_page(settings.ENVIRONMENT.log_dir, query)
    kept = {k: v for k, v in chosen.items() if v and k != "before"}
    context = {
        "form": form,
        "page": page,
        "downloads": _downloads(),
        "time_zone": settings.TIME_ZONE,
        "first_url": "?" + urlencode(kept) if query.before else "",
        "next_url": "?" + urlencode({**kept, "before": page.next_before})
        if page.next_before
        else "",
    }
    status = 200 if form.is_valid() else 422
    return render_page(request, "mediaflow/logs.html", "records", context, status=status)


def _downloads() -> list[tuple[str, str]]:
    log_dir = settings.ENVIRONMENT.log_dir
    return [(name, label) for name, label in SOURCE_LABELS.items() if source_files(log_dir, name)]


@admin_required
@require_GET
def logs_download(request: HtmxHttpRequest, source: str) -> StreamingHttpResponse:
    files = source_files(settings.ENVIRONMENT.log_dir, source)
    if not files:
        raise Http404
    response = StreamingHttpResponse(_whole(files), content_type="text/plain; charset=utf-8")
    name = f"mediaflow-{source}-{timezone.now():%Y%m%d-%H%M}.log"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _whole(newest_first: list[Path]) -> Iterator[bytes]:
    for path in reversed(newest_first):
        try:
            with path.open("rb") as handle:
                while block := handle.read(1 << 16):
                    yield block
        except OSError:
            continue  # rotated away meanwhile
