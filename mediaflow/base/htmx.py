"""`request.htmx`; the one way to render a page or its fragment, and the one to ask first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from mediaflow.accounts.models import User


class HtmxHttpRequest(HttpRequest):
    """A request of a signed-in person: every view but login and health gets one."""

    htmx: HtmxDetails
    user: User


def render_page(
    request: HttpRequest,
    template: str,
    fragment: str,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    """Render the whole page, or only its `{% partialdef fragment %}` for an htmx request.

    Boosted and history-restore requests get the whole page: they replace it.
    """
    details: HtmxDetails | None = getattr(request, "htmx", None)
    wants_fragment = (
        details is not None
        and bool(details)
        and not (details.boosted or details.history_restore_request)
    )
    name = f"{template}#{fragment}" if wants_fragment and fragment else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def ask(request: HtmxHttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A question in the modal, or on a page of its own without JavaScript.

    The context is that of components/_dialog.html.
    """
    template = "components/_dialog.html" if request.htmx else "components/confirm_page.html"
    return render(request, template, context, status=status)


def ask_first(
    request: HtmxHttpRequest, *, title: str, text: str, verb: str, action: str, cancel_url: str
) -> HttpResponse:
    """The question before something that cannot be undone."""
    context = {
        "title": title,
        "text": text,
        "action": action,
        "verb": verb,
        "danger": True,
        "cancel_url": cancel_url,
    }
    return ask(request, context)


def absolute_url(request: HttpRequest, path: str) -> str:
    """Of one of our own paths: as people outside reach it, else as this request did."""
    public_url: str = settings.ENVIRONMENT.public_url
    return public_url + path if public_url else request.build_absolute_uri(path)
