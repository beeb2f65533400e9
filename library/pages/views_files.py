"""The library page, the film page, the choice of columns, exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from library.listing.filters import FileFilter, FilterProblem
from library.listing.summary import summarize
from library.models import MediaFile
from library.pages.columns import choose_columns
from library.pages.exports import csv_lines, json_chunks
from library.pages.file_page import make_page
from library.pages.film_page import make_film_page
from mediaflow.base.htmx import render_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from library.listing.file_query import FileQuery
    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def file_list(request: HtmxHttpRequest) -> HttpResponse:
    """All is in the address. A polled page that did not change answers 204."""
    page = make_page(request.GET, request.user)
    if request.htmx and page.scans and request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    status = 422 if page.problem else 200
    context = {"page": page, "is_poll": "v" in request.GET}
    return render_page(request, "library/file_list.html", "table", context, status=status)


@require_GET
def file_summary(request: HtmxHttpRequest) -> HttpResponse:
    """How many films match and how large they are, apart from the page: it may take longer."""
    try:
        summary = summarize(FileFilter(request.GET).query)
    except FilterProblem as problem:
        return HttpResponse(problem.text, status=422, content_type="text/plain")
    return render(request, "library/_summary.html", {"summary": summary})


@require_GET
def file_detail(request: HtmxHttpRequest, file_id: int) -> HttpResponse:
    files = MediaFile.objects.select_related("library", "probe").prefetch_related("tags")
    file = get_object_or_404(files, pk=file_id)
    return render(request, "library/file_detail.html", {"film": make_film_page(request, file)})


@require_POST
def columns(request: HtmxHttpRequest) -> HttpResponse:
    """Everybody chooses for themselves; nothing posted is the default again."""
    choose_columns(request.user, request.POST.getlist("columns"))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else reverse("library:file_list"))


@require_GET
def export_csv(request: HtmxHttpRequest) -> HttpResponse | StreamingHttpResponse:
    return _export(request, csv_lines, "text/csv; charset=utf-8", "csv")


@require_GET
def export_json(request: HtmxHttpRequest) -> HttpResponse | StreamingHttpResponse:
    return _export(request, json_chunks, "application/json", "json")


def _export(
    request: HtmxHttpRequest,
    write: Callable[[FileQuery], Iterator[str]],
    content_type: str,
    extension: str,
) -> HttpResponse | StreamingHttpResponse:
    try:
        query = FileFilter(request.GET).query
    except FilterProblem as problem:
        return HttpResponse(f"{problem}\n", status=422, content_type="text/plain")
    response = StreamingHttpResponse(write(query), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="mediaflow-library.{extension}"'
    response["Cache-Control"] = "no-store"
    return response
