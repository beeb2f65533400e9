"""How a changing view answers: a toast for htmx, a message and a redirect for a plain form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

from transcode.pages.live import live_parts

if TYPE_CHECKING:
    from mediaflow.base.htmx import HtmxHttpRequest

LEVELS = {
    "success": messages.SUCCESS,
    "info": messages.INFO,
    "warning": messages.WARNING,
    "error": messages.ERROR,
}


def answer_done(
    request: HtmxHttpRequest, text: str, back: str, *, undo_url: str = "", level: str = "success"
) -> HttpResponse:
    """It was done: say so and stay where the person was."""
    live_parts.clear()
    if request.htmx:
        return _toast(204, level, text, undo_url)
    messages.add_message(request, LEVELS[level], text)
    return HttpResponseRedirect(_back(request, back))


def answer_refused(request: HtmxHttpRequest, text: str, back: str) -> HttpResponse:
    """It was not done, and why. Nothing was changed."""
    if request.htmx:
        return _toast(409, "error", text, "")
    messages.error(request, text)
    return HttpResponseRedirect(_back(request, back))


def answer_moved_on(request: HtmxHttpRequest, text: str, url: str) -> HttpResponse:
    """It was done, and goes on on another page."""
    live_parts.clear()
    if text:
        messages.success(request, text)
    if request.htmx:
        response = HttpResponse(status=204)
        response.headers["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)


def _toast(status: int, level: str, text: str, undo_url: str) -> HttpResponse:
    response = HttpResponse(status=status)
    toast = {"level": level, "text": text, **({"undo_url": undo_url} if undo_url else {})}
    response.headers["HX-Trigger"] = json.dumps({"mf:toast": toast})
    return response


def _back(request: HtmxHttpRequest, fallback: str) -> str:
    """Where the form says it came from, if that is one of our own pages."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and is_ours else fallback
