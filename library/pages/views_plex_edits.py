"""Editing many items of Plex: what would change, then that, then what became of it, and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.listing.filters import FilterProblem, files_matching
from library.listing.selection import SelectionProblem, read_selection
from library.models import PlexCollection, PlexEditBatch, PlexSection
from library.pages.filter_pills import describe_query
from library.pages.plex_edit_forms import CollectionForm, PlexEditForm
from library.pages.plex_edit_rows import batch_rows, preview_of, state_counts
from library.plex import collections as built
from library.plex import edits
from library.plex.collections import CollectionProblem
from library.plex.edits import EditProblem
from mediaflow.base.access import operator_required
from mediaflow.base.film_hooks import BulkAction
from mediaflow.base.htmx import ask_first
from mediaflow.base.operation_fragment import operation_context

if TYPE_CHECKING:
    from django.http import HttpResponse

    from library.listing.selection import FileSelection
    from mediaflow.accounts.models import User
    from mediaflow.base.htmx import HtmxHttpRequest

SHOWN_BATCHES = 50
SHOWN_ROWS = 200


def bulk_action(user: User) -> BulkAction | None:
    """For the hook `bulk_actions`: only where there is a library of Plex to edit in."""
    if not user.is_operator:
        return None
    if not PlexSection.objects.filter(is_enabled=True, server__is_owned=True).exists():
        return None
    return BulkAction(label="Edit in Plex", url=reverse("library:plex_edit"), icon="plex")


@operator_required
@require_http_methods(["GET", "POST"])  # POST because a selection may be long; changes nothing
def plex_edit(request: HtmxHttpRequest) -> HttpResponse:
    """The form, and with `preview` what it would do. Nothing is sent."""
    data = request.POST if request.method == "POST" else request.GET
    try:
        selection = read_selection(data, request.user)
    except SelectionProblem as problem:
        return _refuse(request, problem.text)
    if selection.is_empty:
        return _refuse(request, "Tick the films to edit first.")
    form = PlexEditForm(data if "preview" in data else None)
    return _edit_page(request, form, selection)


@operator_required
@require_POST
def plex_edit_apply(request: HtmxHttpRequest) -> HttpResponse:
    form = PlexEditForm(request.POST)
    try:
        selection = read_selection(request.POST, request.user)
        if not form.is_valid():
            return _edit_page(request, form, selection)
        batches = edits.start_edit(selection=selection, change=form.change(), actor=request.user)
    except (SelectionProblem, EditProblem) as problem:
        return _refuse(request, problem.text)
    if len(batches) > 1:
        return redirect("library:plex_edit_list")
    return redirect("library:plex_edit_batch", batch_id=batches[0].pk)


def _edit_page(
    request: HtmxHttpRequest, form: PlexEditForm, selection: FileSelection
) -> HttpResponse:
    is_shown = form.is_bound and form.is_valid()
    change = form.change() if is_shown else None
    if change is not None and change.is_empty:
        form.add_error(None, "Say what to change: everything is left as it is.")
        change = None
    context = {
        "form": form,
        "fields": selection.as_fields(),
        "described": selection.describe(),
        "preview": preview_of(selection, change),
        "change": change,
        "words": edits.change_in_words(change) if change else "",
        "back": reverse("library:file_list"),
    }
    status = 422 if form.errors else 200
    return render(request, "library/plex/edit.html", context, status=status)


@require_GET
def plex_edit_list(request: HtmxHttpRequest) -> HttpResponse:
    rows = PlexEditBatch.objects.select_related("section__server", "requested_by")
    shown = list(rows.order_by("-pk")[:SHOWN_BATCHES])
    counts = state_counts(shown)
    batches = [{"batch": batch, "counts": counts[batch.pk]} for batch in shown]
    return render(request, "library/plex/edit_list.html", {"batches": batches})


@require_GET
def plex_edit_batch(request: HtmxHttpRequest, batch_id: int) -> HttpResponse:
    batch = get_object_or_404(
        PlexEditBatch.objects.select_related("section__server", "requested_by"), pk=batch_id
    )
    operation = edits.active_edit(batch)
    rows = batch.edits.order_by("pk")
    context = {
        "batch": batch,
        "counts": state_counts([batch])[batch.pk],
        "items": batch_rows(rows[:SHOWN_ROWS]),
        "more": max(0, rows.count() - SHOWN_ROWS),
        "may_go_on": not edits.why_no_rest(batch),
        "is_partly_undone": edits.is_partly_undone(batch),
        "operation": operation
        and operation_context(operation, may_cancel=request.user.is_operator),
    }
    return render(request, "library/plex/edit_batch.html", context)


@operator_required
@require_POST
def plex_edit_undo(request: HtmxHttpRequest, batch_id: int) -> HttpResponse:
    return _act(request, batch_id, edits.start_undo)


@operator_required
@require_POST
def plex_edit_rest(request: HtmxHttpRequest, batch_id: int) -> HttpResponse:
    """Go on with what stopped on the way."""
    return _act(request, batch_id, edits.start_rest)


def _act(request: HtmxHttpRequest, batch_id: int, start: Any) -> HttpResponse:
    batch = get_object_or_404(PlexEditBatch, pk=batch_id)
    try:
        start(batch, actor=request.user)
    except EditProblem as problem:
        messages.error(request, problem.text)
    return redirect("library:plex_edit_batch", batch_id=batch.pk)


def _refuse(request: HtmxHttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect("library:file_list")


# Collections


@require_GET
def collection_list(request: HtmxHttpRequest) -> HttpResponse:
    rows = PlexCollection.objects.select_related("section__server")
    context = {
        "rows": [{"row": row, "pills": describe_query(row.query)} for row in rows],
        "has_sections": PlexSection.objects.filter(is_enabled=True).exists(),
    }
    return render(request, "library/plex/collections.html", context)


@operator_required
@require_http_methods(["GET", "POST"])
def collection_new(request: HtmxHttpRequest) -> HttpResponse:
    """`?query=…` fills the filter in."""
    start = {"query": request.GET.get("query", "")[:2000]}
    form = CollectionForm(request.POST or None, initial=start, owner_id=request.user.pk)
    if request.method == "POST" and form.is_valid():
        try:
            row = built.make_collection(
                section=form.cleaned_data["section"],
                title=form.cleaned_data["title"],
                query=form.chosen_query(),
                is_kept_in_step=form.cleaned_data["is_kept_in_step"],
                actor=request.user,
            )
        except CollectionProblem as problem:
            form.add_error(problem.field, problem.text)
        else:
            messages.success(request, f"{row.title} is being built.")
            return redirect("library:plex_collections")
    context = {"form": form, **_words(form["query"].value() or "")}
    status = 422 if form.errors else 200
    return render(request, "library/plex/collection_form.html", context, status=status)


def _words(query: str) -> dict[str, Any]:
    try:
        files_matching(query)
    except FilterProblem:
        return {"pills": []}
    return {"pills": describe_query(query)}


@operator_required
@require_POST
def collection_build(request: HtmxHttpRequest, collection_id: int) -> HttpResponse:
    row = get_object_or_404(PlexCollection, pk=collection_id)
    operation = built.start_build(row, actor=request.user)
    return redirect("operation", operation_id=operation.pk)


@operator_required
@require_POST
def collection_keep(request: HtmxHttpRequest, collection_id: int) -> HttpResponse:
    """`is_kept` is posted as 1 or 0."""
    row = get_object_or_404(PlexCollection, pk=collection_id)
    built.set_kept(row, request.POST.get("is_kept") == "1", actor=request.user)
    return redirect("library:plex_collections")


@operator_required
@require_http_methods(["GET", "POST"])
def collection_forget(request: HtmxHttpRequest, collection_id: int) -> HttpResponse:
    """Asks first. In Plex nothing changes."""
    row = get_object_or_404(PlexCollection, pk=collection_id)
    if request.method == "POST":
        built.forget(row, actor=request.user)
        messages.success(request, f"{row.title} is forgotten; in Plex it stays as it is.")
        return redirect("library:plex_collections")
    return ask_first(
        request,
        title=f"Forget {row.title}?",
        text="It stays in Plex as it is now, and is no longer kept in step.",
        verb="Forget it",
        action=reverse("library:plex_collection_forget", args=[row.pk]),
        cancel_url=reverse("library:plex_collections"),
    )
