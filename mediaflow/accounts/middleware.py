"""Everything but a short list of addresses needs a login."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangoLoginRequired
from django.http import HttpResponse
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class LoginRequiredMiddleware(DjangoLoginRequired):
    """Django's, which for an htmx request redirects the whole page instead of one fragment."""

    def handle_no_permission(  # type: ignore[override]  # Django says 302
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        details = getattr(request, "htmx", None)
        if not details:
            return super().handle_no_permission(request, view_func)
        response = HttpResponse(status=204)
        # The address bar shows the page that polled, not the fragment: go back there after login.
        after = urlencode({"next": details.current_url_abs_path or "/"})
        response.headers["HX-Redirect"] = f"{reverse('accounts:login')}?{after}"
        return response
