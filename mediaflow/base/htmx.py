"""The request with `request.htmx`, and the one way to render a page or its fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    wants_fragment = bool(details) and not (details.boosted or details.history_restore_request)  # type: ignore[union-attr]
    name = f"{template}#{fragment}" if wants_fragment and fragment else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
