"""Plex servers and their libraries: address, settings, what is synced, folders to add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from library.models import PlexSection, PlexServer
from library.pages.plex_forms import ServerAddForm, ServerForm
from library.pages.plex_page import removal_words, settings_page
from library.plex.by_hand import TypedProblem, add_server
from library.plex.choices import (
    add_section_folder,
    save_server_settings,
    set_section_enabled,
)
from library.plex.looking import look_at_server
from library.plex.removal import start_removal
from library.plex.sign_in import is_short_lived
from library.plex.sync_operation import SyncBusy, start_sync
from library.services import LibraryProblem
from mediaflow.base.access import admin_required, operator_required
from mediaflow.base.htmx import ask_first

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.accounts.models import User
    from mediaflow.base.htmx import HtmxHttpRequest


@admin_required
@require_http_methods(["GET", "POST"])
def server_add(request: HtmxHttpRequest) -> HttpResponse:
    """Stored once the server has answered."""
    form = ServerAddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            server = add_server(**form.cleaned_data, actor=request.user)
        except TypedProblem as problem:
            form.add_error(problem.field or None, problem.text)
        else:
            _warn_of(request, form.cleaned_data["token"])
            look_at_server(server, actor=request.user)
            messages.success(request, f"{server.name} answers; its libraries are read now.")
            return redirect("library:plex")
    status = 422 if form.errors else 200
    return render(request, "library/plex/server_add.html", {"form": form}, status=status)


def _warn_of(request: HtmxHttpRequest, token: str) -> None:
    if is_short_lived(token):
        text = "This token ends after seven days. Sign in to Plex to get one that lasts."
        messages.warning(request, text)


@admin_required
@require_http_methods(["GET", "POST"])
def server_edit(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    server = get_object_or_404(PlexServer, pk=server_id)
    form = ServerForm(request.POST or None, instance=server)
    if request.method == "POST" and _store_settings(form, request.user):
        _warn_of(request, form.cleaned_data["token"])
        messages.success(request, f"The settings of {server.name} are saved.")
        return redirect("library:plex")
    # As stored: a wrong form changes the instance.
    context = {"form": form, **settings_page(PlexServer.objects.get(pk=server.pk))}
    status = 422 if form.errors else 200
    return render(request, "library/plex/server.html", context, status=status)


def _store_settings(form: ServerForm, actor: User) -> bool:
    """False: nothing is stored, and the form says why."""
    if not form.is_valid():
        return False
    try:
        save_server_settings(
            form.instance,
            address=form.cleaned_data["address"],
            token=form.cleaned_data["token"],
            sync_hours=form.cleaned_data["sync_hours"],
            changed=form.changed_data,
            actor=actor,
        )
    except TypedProblem as problem:
        field = "address" if problem.field == "url" else problem.field
        form.add_error(field or None, problem.text)
        return False
    return True


@operator_required
@require_POST
def server_look(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    look_at_server(get_object_or_404(PlexServer, pk=server_id), actor=request.user)
    return redirect("library:plex")


@admin_required
@require_http_methods(["GET", "POST"])
def server_remove(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    """Asks first. Nothing at Plex changes."""
    server = get_object_or_404(PlexServer, pk=server_id)
    if request.method == "POST":
        try:
            start_removal(server, actor=request.user)
        except LibraryProblem as problem:
            messages.error(request, problem.text)
        else:
            messages.success(request, f"{server.name} is being removed; at Plex nothing changes.")
        return redirect("library:plex")
    return ask_first(
        request,
        title=f"Remove {server.name}?",
        text=removal_words(server),
        verb="Remove",
        action=reverse("library:plex_server_remove", args=[server.pk]),
        cancel_url=reverse("library:plex"),
    )


@admin_required
@require_POST
def section_switch(request: HtmxHttpRequest, section_id: int) -> HttpResponse:
    """Switched on, it is synced at once."""
    section = get_object_or_404(PlexSection.objects.select_related("server"), pk=section_id)
    is_enabled = request.POST.get("is_enabled") == "1"
    set_section_enabled(section, is_enabled=is_enabled, actor=request.user)
    if is_enabled:
        start_sync(section=section, actor=request.user)
        messages.success(request, f"{section.title} is synced from now on.")
    else:
        text = f"{section.title} is not synced any more; what only Plex knows leaves the lists."
        messages.success(request, text)
    return redirect("library:plex")


@operator_required
@require_POST
def section_sync(request: HtmxHttpRequest, section_id: int) -> HttpResponse:
    """`is_full=1` reads all details again; `accept_losses=1` only from an admin."""
    section = get_object_or_404(PlexSection.objects.select_related("server"), pk=section_id)
    if not section.is_enabled:
        messages.error(request, f"{section.title} is switched off; switch it on first.")
        return redirect("library:plex")
    accepts = request.POST.get("accept_losses") == "1" and request.user.is_admin
    is_full = request.POST.get("is_full") == "1"
    try:
        start_sync(section=section, actor=request.user, is_full=is_full, accept_losses=accepts)
    except SyncBusy as busy:
        messages.error(request, str(busy))
    return redirect("library:plex")


@admin_required
@require_POST
def section_add_folder(request: HtmxHttpRequest, section_id: int) -> HttpResponse:
    """One of the section's folders becomes a library of its own; its first scan begins."""
    section = get_object_or_404(PlexSection.objects.select_related("server"), pk=section_id)
    back = redirect("library:plex_server", server_id=section.server_id)
    try:
        library = add_section_folder(
            section, location=request.POST.get("location", ""), actor=request.user
        )
    except LibraryProblem as problem:
        messages.error(request, problem.text)
        return back
    messages.success(request, f"{library.name} is added; its first scan begins.")
    return back
