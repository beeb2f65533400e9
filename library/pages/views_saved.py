"""Saved filters of a person, and the tags that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.db.models import Count
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.models import SavedFilter, Tag
from library.pages.filter_pills import describe_query
from library.pages.forms import SavedFilterForm, TagForm
from mediaflow.base.access import operator_required
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def saved_filter_list(request: HtmxHttpRequest) -> HttpResponse:
    """The person's own; `?query=…` opens the form to save that filter."""
    query = request.GET.get("query", "")
    form = SavedFilterForm(owner=request.user, initial={"query": query}) if query else None
    return _filters_page(request, form)


@require_POST
def saved_filter_add(request: HtmxHttpRequest) -> HttpResponse:
    form = SavedFilterForm(request.POST, owner=request.user)
    if not form.is_valid():
        return _filters_page(request, form)
    position = SavedFilter.objects.filter(owner=request.user).count()
    form.instance.owner, form.instance.position = request.user, position
    saved = form.save()
    messages.success(request, f"Saved as {saved.name}.")
    return redirect(f"{reverse('library:file_list')}?{saved.query}")


@require_POST
def saved_filter_edit(request: HtmxHttpRequest, filter_id: int) -> HttpResponse:
    """Rename it, or give it another filter."""
    saved = get_object_or_404(SavedFilter, pk=filter_id, owner=request.user)
    data = request.POST.copy()
    data.setdefault("name", saved.name)
    data.setdefault("query", saved.query)
    form = SavedFilterForm(data, owner=request.user, instance=saved)
    if not form.is_valid():
        return _filters_page(request, form)
    form.save()
    messages.success(request, f"{saved.name} is changed.")
    return redirect("library:saved_filter_list")


@require_POST
def saved_filter_delete(request: HtmxHttpRequest, filter_id: int) -> HttpResponse:
    saved = get_object_or_404(SavedFilter, pk=filter_id, owner=request.user)
    saved.delete()
    messages.success(request, f"The filter {saved.name} is gone; no film is touched.")
    return redirect("library:saved_filter_list")


def _filters_page(request: HtmxHttpRequest, form: SavedFilterForm | None) -> HttpResponse:
    filters = SavedFilter.objects.filter(owner=request.user)
    context = {
        "filters": [{"saved": saved, "pills": describe_query(saved.query)} for saved in filters],
        "form": form,
        "pills": describe_query(form["query"].value() or "") if form else [],
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "library/saved_filters.html", context, status=status)


@require_GET
def tag_list(request: HtmxHttpRequest) -> HttpResponse:
    return _tags_page(request, TagForm())


@operator_required
@require_POST
def tag_add(request: HtmxHttpRequest) -> HttpResponse:
    form = TagForm(request.POST)
    if not form.is_valid():
        return _tags_page(request, form)
    messages.success(request, f"The tag {form.save().name} is there.")
    return redirect("library:tag_list")


@operator_required
@require_http_methods(["GET", "POST"])
def tag_edit(request: HtmxHttpRequest, tag_id: int) -> HttpResponse:
    tag = get_object_or_404(Tag, pk=tag_id)
    form = TagForm(request.POST or None, instance=tag)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The tag is changed.")
        return redirect("library:tag_list")
    return _tags_page(request, form, editing=tag)


@operator_required
@require_POST
def tag_delete(request: HtmxHttpRequest, tag_id: int) -> HttpResponse:
    tag = get_object_or_404(Tag, pk=tag_id)
    tag.delete()
    record_audit("library.tag_delete", actor=request.user, subject=tag.name)
    messages.success(request, f"The tag {tag.name} is gone from all films.")
    return redirect("library:tag_list")


def _tags_page(
    request: HtmxHttpRequest, form: TagForm, *, editing: Tag | None = None
) -> HttpResponse:
    tags = Tag.objects.annotate(file_count=Count("filetag")).order_by("name")
    context = {"tags": tags, "form": form, "editing": editing}
    return render(request, "library/tags.html", context, status=422 if form.errors else 200)
