"""Path mappings: how folders of Plex are called here, and a test with twenty of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.models import PathMapping, PlexServer
from library.pages.plex_forms import MappingForm
from library.plex.mapping_check import MAPPING_TEST_KIND, look_at, start_mapping_test
from mediaflow.base.access import admin_required, operator_required
from mediaflow.base.audit import record_audit
from mediaflow.base.htmx import ask_first
from mediaflow.base.ids import read_id
from mediaflow.base.models import Operation
from mediaflow.base.operation_fragment import operation_context

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

LOOK_S: Final = 2.0
_STATES: Final = {
    "here": ("ok", "Here"),
    "missing": ("bad", "Not there"),
    "unmapped": ("gone", "No mapping"),
    "hangs": ("bad", "No answer"),
    "denied": ("bad", "Not readable"),
}


@require_GET
def mapping_list(request: HtmxHttpRequest) -> HttpResponse:
    """`?test=N` shows that test: its progress, then each file."""
    mappings = PathMapping.objects.filter(arr_server=None).select_related("plex_server")
    context = {
        "mappings": mappings.order_by("plex_server__name", "source"),
        "servers": PlexServer.objects.filter(is_enabled=True),
        "tab": "mappings",
        **_test(request),
    }
    return render(request, "library/plex/mappings.html", context)


def _test(request: HtmxHttpRequest) -> dict[str, Any]:
    number = read_id(request.GET.get("test", "")) or 0
    row = Operation.objects.filter(pk=number, kind=MAPPING_TEST_KIND).first()
    if row is None:
        return {}
    shown = operation_context(row, may_cancel=request.user.is_operator)
    results = (row.result or {}).get("rows", [])
    if results:
        shown |= {"result_url": ""}
    return {"test": shown, "results": [_result(result) for result in results]}


def _result(row: dict[str, Any]) -> dict[str, Any]:
    kind, word = _STATES.get(row["state"], ("bad", row["state"]))
    why = "" if row["state"] == "missing" else row["why"]  # the word says it
    return {**row, "kind": kind, "word": word, "why": why}


@operator_required
@require_POST
def mapping_test(request: HtmxHttpRequest) -> HttpResponse:
    server = get_object_or_404(PlexServer, pk=read_id(request.POST.get("server", "")))
    operation = start_mapping_test(server, actor=request.user)
    return redirect(f"{reverse('library:plex_mappings')}?test={operation.pk}")


@admin_required
@require_http_methods(["GET", "POST"])
def mapping_add(request: HtmxHttpRequest) -> HttpResponse:
    """`?source=…&server=…` fills the form in, from a file that nobody reaches."""
    initial = {
        "source": request.GET.get("source", "")[:1000],
        "plex_server": read_id(request.GET.get("server", "")),
    }
    return _form(request, MappingForm(request.POST or None, initial=initial), "added")


@admin_required
@require_http_methods(["GET", "POST"])
def mapping_edit(request: HtmxHttpRequest, mapping_id: int) -> HttpResponse:
    mapping = get_object_or_404(PathMapping, pk=mapping_id, arr_server=None)
    return _form(request, MappingForm(request.POST or None, instance=mapping), "changed")


def _form(request: HtmxHttpRequest, form: MappingForm, verb: str) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        mapping = form.save()
        owner = mapping.plex_server.name if mapping.plex_server else "all servers"
        record_audit(f"plex.mapping_{verb}", actor=request.user, subject=str(mapping), detail=owner)
        state, why = look_at(bytes(mapping.local_raw), seconds=LOOK_S)
        if state == "here":
            messages.success(request, f"The mapping is {verb}. Test it with files of the server.")
        else:  # perhaps it is mounted later
            text = f"The mapping is {verb}, but {mapping.local} cannot be used now. {why}"
            messages.warning(request, text)
        return redirect("library:plex_mappings")
    context = {"form": form, "is_new": form.instance.pk is None}
    status = 422 if form.errors else 200
    return render(request, "library/plex/mapping_form.html", context, status=status)


@admin_required
@require_http_methods(["GET", "POST"])
def mapping_remove(request: HtmxHttpRequest, mapping_id: int) -> HttpResponse:
    """Asks first."""
    mapping = get_object_or_404(PathMapping, pk=mapping_id, arr_server=None)
    if request.method == "POST":
        record_audit("plex.mapping_removed", actor=request.user, subject=str(mapping))
        mapping.delete()
        messages.success(request, "The mapping is removed.")
        return redirect("library:plex_mappings")
    return ask_first(
        request,
        title="Remove this mapping?",
        text=f"Files below {mapping.source} are looked for under their own path then.",
        verb="Remove",
        action=reverse("library:plex_mapping_remove", args=[mapping.pk]),
        cancel_url=reverse("library:plex_mappings"),
    )
