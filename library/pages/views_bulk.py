"""Bulk actions of the library page: each shows what it will do before it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Sum
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from library.listing.bulk import BulkChange, apply_change, tag_named
from library.listing.selection import EXACT_UP_TO, FileSelection, SelectionProblem, read_selection
from library.models import Tag
from library.pages.forms import BulkIgnoreForm, BulkTagForm
from mediaflow.base.access import operator_required

if TYPE_CHECKING:
    from django.forms import Form
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@operator_required
@require_POST
def bulk_tag(request: HtmxHttpRequest) -> HttpResponse:
    """Preview; changes nothing."""
    return _preview(request, BulkTagForm(), reverse("library:bulk_tag_apply"))


@operator_required
@require_POST
def bulk_tag_apply(request: HtmxHttpRequest) -> HttpResponse:
    form = BulkTagForm(request.POST)
    if not form.is_valid():
        return _preview(request, form, reverse("library:bulk_tag_apply"))
    verb, name = form.cleaned_data["verb"], form.cleaned_data["name"]
    if verb == "untag" and not Tag.objects.filter(name__iexact=name).exists():
        form.add_error("name", "There is no tag of that name.")
        return _preview(request, form, reverse("library:bulk_tag_apply"))
    return _apply(request, BulkChange(verb, tag_named(name).pk))


@operator_required
@require_POST
def bulk_ignore(request: HtmxHttpRequest) -> HttpResponse:
    """Preview; changes nothing."""
    return _preview(request, BulkIgnoreForm(), reverse("library:bulk_ignore_apply"))


@operator_required
@require_POST
def bulk_ignore_apply(request: HtmxHttpRequest) -> HttpResponse:
    form = BulkIgnoreForm(request.POST)
    if not form.is_valid():
        return _preview(request, form, reverse("library:bulk_ignore_apply"))
    return _apply(request, BulkChange(form.cleaned_data["verb"]))


def _preview(request: HtmxHttpRequest, form: Form, action: str) -> HttpResponse:
    try:
        selection = read_selection(request.POST, request.user)
    except SelectionProblem as problem:
        return _refuse(request, problem.text)
    if selection.is_empty:
        return _refuse(request, "No film is selected; tick some first.")
    context = {**_preview_context(selection), "form": form, "action": action}
    status = 422 if form.errors else 200
    return render(request, "library/bulk.html", context, status=status)


def _preview_context(selection: FileSelection) -> dict[str, Any]:
    count = selection.count
    size_bytes = None
    if count is not None:
        size_bytes = selection.queryset.aggregate(total=Sum("size_bytes"))["total"] or 0
    return {
        "selection": selection,
        "count": count,
        "count_text": f"{EXACT_UP_TO:,}+" if count is None else f"{count:,}",
        "size_bytes": size_bytes,
        "examples": selection.queryset.only("title", "show_title", "path", "year")[:5],
        "tags": Tag.objects.all(),
        "back": back_to_list(selection),
    }


def _apply(request: HtmxHttpRequest, change: BulkChange) -> HttpResponse:
    try:
        selection = read_selection(request.POST, request.user)
    except SelectionProblem as problem:
        return _refuse(request, problem.text)
    result = apply_change(selection=selection, change=change, actor=request.user)
    if result.operation is not None:
        return redirect("operation", operation_id=result.operation.pk)
    noun = "film" if result.changed == 1 else "films"
    done = {"tag": "tagged", "untag": "untagged", "ignore": "ignored"}.get(
        change.verb, "taken back"
    )
    messages.success(request, f"{result.changed:,} {noun} {done}.")
    return redirect(back_to_list(selection))


def back_to_list(selection: FileSelection) -> str:
    path = reverse("library:file_list")
    return f"{path}?{selection.query}" if selection.query else path


def _refuse(request: HtmxHttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect("library:file_list")
