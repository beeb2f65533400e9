"""Bulk actions of the library page: each shows what it will do before it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.db.models import Sum
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from library.listing.bulk import BulkChange, apply_change, tag_named
from library.listing.exact_count import Counting, count_selection
from library.listing.rows import TITLE_FIELDS, shown_title
from library.listing.selection import FileSelection, SelectionProblem, read_selection
from library.models import Tag
from library.pages.forms import BulkIgnoreForm, BulkTagForm
from mediaflow.base.access import operator_required
from mediaflow.base.htmx import render_page

if TYPE_CHECKING:
    from django.forms import Form
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

EXAMPLES: Final = 5


@operator_required
@require_http_methods(["GET", "POST"])  # POST because a selection may be long; changes nothing
def bulk_tag(request: HtmxHttpRequest) -> HttpResponse:
    """Preview; changes nothing."""
    return _preview(request, BulkTagForm(), "bulk_tag")


@operator_required
@require_POST
def bulk_tag_apply(request: HtmxHttpRequest) -> HttpResponse:
    form = BulkTagForm(request.POST)
    if not form.is_valid():
        return _preview(request, form, "bulk_tag")
    verb, name = form.cleaned_data["verb"], form.cleaned_data["name"]
    if verb == "untag" and not Tag.objects.filter(name__iexact=name).exists():
        form.add_error("name", "There is no tag of that name; give one that films have.")
        return _preview(request, form, "bulk_tag")
    return _apply(request, form, "bulk_tag")


@operator_required
@require_http_methods(["GET", "POST"])  # as above
def bulk_ignore(request: HtmxHttpRequest) -> HttpResponse:
    """Preview; changes nothing."""
    return _preview(request, BulkIgnoreForm(), "bulk_ignore")


@operator_required
@require_POST
def bulk_ignore_apply(request: HtmxHttpRequest) -> HttpResponse:
    form = BulkIgnoreForm(request.POST)
    if not form.is_valid():
        return _preview(request, form, "bulk_ignore")
    return _apply(request, form, "bulk_ignore")


def _preview(request: HtmxHttpRequest, form: Form, name: str) -> HttpResponse:
    """More than 10,000 films are counted by an operation first; the fragment asks how far it is."""
    data = request.POST if request.method == "POST" else request.GET
    try:
        selection = read_selection(data, request.user)
    except SelectionProblem as problem:
        return _refuse(request, problem.text)
    if selection.is_empty:
        return _refuse(request, "No film is selected; tick some first.")
    counting = None
    if (count := selection.count) is None:
        counting = count_selection(selection, data.get("counted", ""), request.user)
    context = {
        **_preview_context(selection, count, counting),
        "form": form,
        "action": reverse(f"library:{name}_apply"),
        "here": _counting_url(name, selection, counting),
        "count_again": _counting_url(name, selection, None),
    }
    status = 422 if form.errors else 200
    return render_page(request, "library/bulk.html", "figures", context, status=status)


def _preview_context(
    selection: FileSelection, count: int | None, counting: Counting | None
) -> dict[str, Any]:
    size_bytes = None
    if counting is not None:
        count, size_bytes = counting.files, counting.size_bytes
    elif count is not None:
        size_bytes = selection.queryset.aggregate(total=Sum("size_bytes"))["total"] or 0
    return {
        "selection": selection,
        "counting": counting,
        "count": count,
        "size_bytes": size_bytes,
        "examples": [
            {"title": shown_title(file), "year": file.year}
            for file in selection.queryset.only(*TITLE_FIELDS)[:EXAMPLES]
        ],
        "tags": Tag.objects.all(),
        "back": back_to_list(selection),
    }


def _counting_url(name: str, selection: FileSelection, counting: Counting | None) -> str:
    """The same preview as an address; "all that match" fits into one."""
    params = {"select": "all", "q": selection.query}
    if counting is not None:
        params["counted"] = str(counting.operation.pk)
    return f"{reverse(f'library:{name}')}?{urlencode(params)}" if selection.is_all else ""


def _apply(request: HtmxHttpRequest, form: Form, name: str) -> HttpResponse:
    try:
        selection = read_selection(request.POST, request.user)
    except SelectionProblem as problem:
        return _refuse(request, problem.text)
    exact = None
    if selection.is_all and selection.count is None:
        counting = count_selection(selection, request.POST.get("counted", ""), request.user)
        if counting.files is None:  # nothing is done to films that nobody saw counted
            return _preview(request, form, name)
        exact = counting.files
    change = _read_change(form)
    result = apply_change(selection=selection, change=change, actor=request.user, exact=exact)
    if result.operation is not None:
        return redirect("operation", operation_id=result.operation.pk)
    noun = "film" if result.changed == 1 else "films"
    done = {"tag": "tagged", "untag": "untagged", "ignore": "ignored"}.get(
        change.verb, "taken back"
    )
    messages.success(request, f"{result.changed:,} {noun} {done}.")
    return redirect(back_to_list(selection))


def _read_change(form: Form) -> BulkChange:
    """A tag that is new is made now."""
    name, color = form.cleaned_data.get("name"), form.cleaned_data.get("color", "")
    return BulkChange(form.cleaned_data["verb"], tag_named(name, color).pk if name else None)


def back_to_list(selection: FileSelection) -> str:
    path = reverse("library:file_list")
    return f"{path}?{selection.query}" if selection.query else path


def _refuse(request: HtmxHttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect("library:file_list")
