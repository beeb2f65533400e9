"""Libraries: add, settings, enable, remove, scan. Admins change; everybody sees the list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.folding import display_path
from library.models import Library, LibraryKind
from library.pages.forms import FolderForm, LibraryForm
from library.pages.scan_cards import scan_card
from library.services import (
    LibraryProblem,
    active_scan,
    add_folder_library,
    removal_blockers,
    remove_library,
    rename_library,
    set_library_enabled,
    start_scan,
)
from mediaflow.base.access import admin_required, operator_required
from mediaflow.base.audit import record_audit
from mediaflow.base.htmx import render_page
from mediaflow.templatetags._text import span

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

MAX_SUGGESTIONS: Final = 40
LOOK_AT_MOST: Final = 2_000


@require_GET
def folder_list(request: HtmxHttpRequest) -> HttpResponse:
    may_cancel = request.user.is_operator
    rows = []
    for library in Library.objects.filter(kind=LibraryKind.FOLDER):
        scan = active_scan(library)
        shown = scan_card(scan, may_cancel=may_cancel)
        took = f"took {span(library.last_scan_s)}" if library.last_scan_s else ""
        rows.append({"library": library, "scan": shown, "took": took})
    of_plex = Library.objects.filter(kind=LibraryKind.PLEX)
    context = {"rows": rows, "plex_libraries": of_plex.select_related("plex_section__server")}
    return render(request, "library/folders.html", context)


@admin_required
@require_http_methods(["GET", "POST"])
def folder_add(request: HtmxHttpRequest) -> HttpResponse:
    """Adding a folder begins its first scan."""
    form = FolderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        root, name = os.fsencode(form.cleaned_data["root"]), form.cleaned_data["name"]
        try:
            library = add_folder_library(root=root, name=name, actor=request.user)
            start_scan(library=library, actor=request.user)
        except LibraryProblem as problem:
            form.add_error(problem.field or None, problem.text)
        else:
            messages.success(request, f"{library.name} is added; its first scan begins.")
            return redirect("library:file_list")
    status = 422 if form.errors else 200
    return render(request, "library/folder_add.html", {"form": form}, status=status)


@admin_required
@require_GET
def folder_suggest(request: HtmxHttpRequest) -> HttpResponse:
    """Folders that continue what was typed; nothing for a path that cannot be read."""
    typed = request.GET.get("root", "")
    return render(request, "library/_folder_options.html", {"folders": suggest_folders(typed)})


def suggest_folders(typed: str) -> list[str]:
    """Names of folders that begin as `typed` does, without hidden ones."""
    if not typed.startswith("/") or "\0" in typed or len(typed) > 4000:
        return []
    parent, _, start = os.fsencode(typed).rpartition(b"/")
    found: list[str] = []
    try:
        with os.scandir(parent or b"/") as entries:
            for _, entry in zip(range(LOOK_AT_MOST), entries, strict=False):
                is_shown = entry.name.startswith(start) and not entry.name.startswith(b".")
                if is_shown and entry.is_dir():
                    found.append(display_path(entry.path))
    except OSError:
        return []
    return sorted(found)[:MAX_SUGGESTIONS]


@admin_required
@require_http_methods(["GET", "POST"])
def folder_edit(request: HtmxHttpRequest, library_id: int) -> HttpResponse:
    library = get_object_or_404(Library, pk=library_id, kind=LibraryKind.FOLDER)
    before = (library.name, library.is_enabled)
    form = LibraryForm(request.POST or None, instance=library)
    if request.method == "POST" and form.is_valid():
        try:
            _save_settings(form, before, request)
        except LibraryProblem as problem:
            form.add_error(problem.field or None, problem.text)
        else:
            messages.success(request, f"The settings of {library.name} are saved.")
            return redirect("library:folder_list")
    status = 422 if form.errors else 200
    context = {"form": form, "library": Library.objects.get(pk=library_id)}
    return render(request, "library/folder_edit.html", context, status=status)


def _save_settings(form: LibraryForm, before: tuple[str, bool], request: HtmxHttpRequest) -> None:
    """The name and the switch go through their services, which check and record them."""
    library, (old_name, was_enabled) = form.instance, before
    new_name, is_enabled = library.name, library.is_enabled
    library.name, library.is_enabled = old_name, was_enabled
    if new_name != old_name:
        rename_library(library, name=new_name, actor=request.user)
    form.save()
    if is_enabled != was_enabled:
        set_library_enabled(library, is_enabled=is_enabled, actor=request.user)
    changed = ", ".join(name for name in form.changed_data if name not in {"name", "is_enabled"})
    if changed:
        record_audit(
            "library.settings", actor=request.user, subject=library.name, detail=changed
        )  # fmt: skip


@admin_required
@require_http_methods(["GET", "POST"])
def folder_remove(request: HtmxHttpRequest, library_id: int) -> HttpResponse:
    """Asks first. Nothing on the disk is touched."""
    library = get_object_or_404(Library, pk=library_id)
    if request.method == "POST":
        try:
            remove_library(library, actor=request.user)
        except LibraryProblem as problem:
            messages.error(request, problem.text)
        else:
            messages.success(request, f"{library.name} is removed; its films are where they were.")
        return redirect("library:folder_list")
    context = {"library": library, "blockers": removal_blockers(library)}
    return render_page(request, "library/folder_remove.html", "ask", context)


@operator_required
@require_POST
def scan_start(request: HtmxHttpRequest, library_id: int) -> HttpResponse:
    """`accept_losses=1`: an admin has seen what froze the library and says that it is right."""
    library = get_object_or_404(Library, pk=library_id)
    accepts = request.POST.get("accept_losses") == "1" and request.user.is_admin
    try:
        start_scan(library=library, actor=request.user, accept_losses=accepts)
    except LibraryProblem as problem:
        messages.error(request, problem.text)
    return redirect("library:folder_list")


@operator_required
@require_POST
def scan_all(request: HtmxHttpRequest) -> HttpResponse:
    """Every folder library that is enabled."""
    for library in Library.objects.filter(kind=LibraryKind.FOLDER, is_enabled=True):
        start_scan(library=library, actor=request.user)
    return redirect("library:file_list")
