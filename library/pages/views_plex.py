"""The Plex page: accounts, servers, libraries; and signing in. Only admins change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from library.models import PlexAccount
from library.pages.plex_page import read_plex_page
from library.plex import plex_tv
from library.plex.client import PlexProblem
from library.plex.looking import look_at_account
from library.plex.sign_in import (
    SignInDone,
    SignInOver,
    begin_sign_in,
    own_pin,
    poll_sign_in,
    sign_out,
)
from mediaflow.base.access import admin_required
from mediaflow.base.htmx import absolute_url, ask_first, render_page

if TYPE_CHECKING:
    from django.http import HttpResponse

    from library.models import PlexPin
    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def plex(request: HtmxHttpRequest) -> HttpResponse:
    context = {"plex": read_plex_page(request.user), "tab": "servers"}
    return render_page(request, "library/plex/plex.html", "live", context)


@admin_required
@require_POST
def sign_in_begin(request: HtmxHttpRequest) -> HttpResponse:
    try:
        pin = begin_sign_in(request.user)
    except PlexProblem as problem:
        messages.error(request, f"Signing in cannot begin: {problem.text}")
        return redirect("library:plex")
    return redirect("library:plex_sign_in", nonce=pin.nonce)


@admin_required
@never_cache
@require_GET
def sign_in_page(request: HtmxHttpRequest, nonce: str) -> HttpResponse:
    """Also where Plex sends the browser back to. It changes nothing: the page itself polls."""
    try:
        context = _waiting(request, own_pin(request.user, nonce))
    except SignInDone as done:
        if PlexAccount.objects.exclude(token_encrypted="").exists():
            return redirect("library:plex")
        context = {"over": done.text}
    except SignInOver as over:
        context = {"over": over.text}
    return render(request, "library/plex/sign_in.html", context)


@admin_required
@never_cache
@require_POST
def sign_in_poll(request: HtmxHttpRequest, nonce: str) -> HttpResponse:
    try:
        pin = own_pin(request.user, nonce)
        context = _waiting(request, pin)
        account = poll_sign_in(pin, actor=request.user)
    except SignInOver as over:
        return _sign_in_answer(request, {"over": over.text})
    except PlexProblem as problem:
        return _sign_in_answer(request, {**context, "problem": problem.text})
    if account is None:
        return _sign_in_answer(request, context)
    look_at_account(account, actor=request.user)
    messages.success(request, f"Signed in as {account.username}. Its servers are looked up now.")
    page = reverse("library:plex")
    return HttpResponseClientRedirect(page) if request.htmx else redirect(page)


def _waiting(request: HtmxHttpRequest, pin: PlexPin) -> dict[str, Any]:
    path = reverse("library:plex_sign_in", args=[pin.nonce])
    return {"pin": pin, "plex_url": plex_tv.sign_in_url(pin.code, absolute_url(request, path))}


def _sign_in_answer(request: HtmxHttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render_page(request, "library/plex/sign_in.html", "waiting", context)


@admin_required
@require_POST
def account_look(request: HtmxHttpRequest, account_id: int) -> HttpResponse:
    look_at_account(get_object_or_404(PlexAccount, pk=account_id), actor=request.user)
    return redirect("library:plex")


@admin_required
@require_http_methods(["GET", "POST"])
def account_sign_out(request: HtmxHttpRequest, account_id: int) -> HttpResponse:
    """Asks first."""
    account = get_object_or_404(PlexAccount, pk=account_id)
    if request.method == "POST":
        is_told = sign_out(account, actor=request.user)
        text = f"{account.username} is signed out; its films stay listed."
        if not is_told:
            text += " Plex could not be told: remove the device MediaFlow in your Plex account."
        messages.success(request, text)
        return redirect("library:plex")
    return ask_first(
        request,
        title=f"Sign {account.username} out?",
        text="MediaFlow forgets the tokens of the account and its servers. What is synced stays,"
        " and so does a token that was typed by hand.",
        verb="Sign out",
        action=reverse("library:plex_account_sign_out", args=[account.pk]),
        cancel_url=reverse("library:plex"),
    )
