"""Sonarr and Radarr servers, and webhooks. For admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.arr.client import ArrProblem
from library.arr.services import check_server, remove_server, save_server
from library.models import ArrServer, Webhook, WebhookEvent
from library.pages.connection_forms import ArrForm, WebhookForm
from library.plex.client import PlexProblem
from library.webhooks.registration import register, unregister
from library.webhooks.services import make_webhook, remove_webhook, set_webhook_enabled
from mediaflow.base.access import admin_required
from mediaflow.base.htmx import absolute_url, ask_first

if TYPE_CHECKING:
    from django.http import HttpResponse

    from library.models import PlexAccount
    from mediaflow.base.htmx import HtmxHttpRequest

SHOWN_CALLS: Final = 8
_REMOVAL: Final = {
    "plex": "Its address stops working for good, and is taken out of the account's list at Plex.",
    "arr": "Its address stops working for good. Take it out of the other program as well.",
}
# Where what went wrong belongs in the form.
_FIELDS: Final = {"key": "api_key", "address": "url", "network": "url", "answer": "url"}


@admin_required
@require_GET
def connection_list(request: HtmxHttpRequest) -> HttpResponse:
    context = {"servers": ArrServer.objects.all(), "tab": "arr"}
    return render(request, "library/connections/arr_list.html", context)


@admin_required
@require_http_methods(["GET", "POST"])
def arr_add(request: HtmxHttpRequest) -> HttpResponse:
    """Stored once the server has answered."""
    return _arr_form(request, ArrForm(request.POST or None))


@admin_required
@require_http_methods(["GET", "POST"])
def arr_edit(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    server = get_object_or_404(ArrServer, pk=server_id)
    return _arr_form(request, ArrForm(request.POST or None, instance=server))


def _arr_form(request: HtmxHttpRequest, form: ArrForm) -> HttpResponse:
    name = form.instance.name  # as stored: a wrong form changes the instance
    if request.method == "POST" and form.is_valid():
        server = form.save(commit=False)
        try:
            status = save_server(server, api_key=form.cleaned_data["api_key"], actor=request.user)
        except ArrProblem as problem:
            form.add_error(_FIELDS.get(problem.kind), problem.text)
        else:
            text = f"{status.app_name} {status.version} answers; {server.name} is saved."
            messages.success(request, text)
            return redirect("library:connection_list")
    context = {"form": form, "name": name}
    status_code = 422 if form.errors else 200
    return render(request, "library/connections/arr_form.html", context, status=status_code)


@admin_required
@require_POST
def arr_test(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    server = get_object_or_404(ArrServer, pk=server_id)
    try:
        status = check_server(server)
    except ArrProblem as problem:
        messages.error(request, f"{server.name}: {problem.text}")
    else:
        messages.success(request, f"{server.name} answers: {status.app_name} {status.version}.")
    return redirect("library:connection_list")


@admin_required
@require_http_methods(["GET", "POST"])
def arr_remove(request: HtmxHttpRequest, server_id: int) -> HttpResponse:
    """Asks first."""
    server = get_object_or_404(ArrServer, pk=server_id)
    if request.method == "POST":
        remove_server(server, actor=request.user)
        messages.success(request, f"{server.name} is removed; it hears of no new files any more.")
        return redirect("library:connection_list")
    return ask_first(
        request,
        title=f"Remove {server.name}?",
        text="It hears of no new files any more. Its own films and settings are not touched.",
        verb="Remove",
        action=reverse("library:arr_remove", args=[server.pk]),
        cancel_url=reverse("library:connection_list"),
    )


@admin_required
@require_GET
def webhook_list(request: HtmxHttpRequest) -> HttpResponse:
    return _webhook_page(request, WebhookForm())


@admin_required
@never_cache
@require_POST
def webhook_add(request: HtmxHttpRequest) -> HttpResponse:
    """The answer shows the address, the only time."""
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _webhook_page(request, form)
    webhook, secret = make_webhook(
        kind=form.cleaned_data["kind"], name=form.cleaned_data["name"], actor=request.user
    )
    address = absolute_url(request, reverse("library:hook", args=[secret]))
    if account := form.cleaned_data.get("account"):
        _register(request, webhook, address, account)
    return _webhook_page(request, WebhookForm(), made=webhook, address=address)


def _register(
    request: HtmxHttpRequest, webhook: Webhook, address: str, account: PlexAccount
) -> None:
    try:
        register(webhook, address, account, actor=request.user)
    except PlexProblem as problem:
        messages.error(request, f"Plex did not take the address: {problem.text}")
    else:
        messages.success(request, f"Plex calls it for {account.username} from now on.")


def _webhook_page(
    request: HtmxHttpRequest,
    form: WebhookForm,
    *,
    made: Webhook | None = None,
    address: str = "",
) -> HttpResponse:
    last_calls = WebhookEvent.objects.order_by("-id")[:SHOWN_CALLS]
    context = {
        "webhooks": Webhook.objects.prefetch_related(
            Prefetch("events", last_calls, to_attr="last_calls")
        ),
        "form": form,
        "made": made,
        "address": address,
        "tab": "webhooks",
    }
    status = 422 if form.errors else 200
    return render(request, "library/connections/webhook_list.html", context, status=status)


@admin_required
@require_POST
def webhook_switch(request: HtmxHttpRequest, webhook_id: int) -> HttpResponse:
    webhook = get_object_or_404(Webhook, pk=webhook_id)
    is_enabled = request.POST.get("is_enabled") == "1"
    set_webhook_enabled(webhook, is_enabled=is_enabled, actor=request.user)
    word = "on" if is_enabled else "off"
    messages.success(request, f"{webhook.name} is switched {word}.")
    return redirect("library:webhook_list")


@admin_required
@require_http_methods(["GET", "POST"])
def webhook_remove(request: HtmxHttpRequest, webhook_id: int) -> HttpResponse:
    """Asks first."""
    webhook = get_object_or_404(Webhook, pk=webhook_id)
    if request.method == "POST":
        if webhook.kind == "plex":
            _unregister(request, webhook)
        remove_webhook(webhook, actor=request.user)
        messages.success(request, f"{webhook.name} is removed; its address answers no more.")
        return redirect("library:webhook_list")
    return ask_first(
        request,
        title=f"Remove {webhook.name}?",
        text=_REMOVAL["plex" if webhook.kind == "plex" else "arr"],
        verb="Remove",
        action=reverse("library:webhook_remove", args=[webhook.pk]),
        cancel_url=reverse("library:webhook_list"),
    )


def _unregister(request: HtmxHttpRequest, webhook: Webhook) -> None:
    try:
        unregister(webhook, actor=request.user)
    except PlexProblem as problem:
        messages.warning(request, f"Take the address out of Plex yourself: {problem.text}")
