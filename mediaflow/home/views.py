"""The home page: what is going on, what was saved, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_GET, require_safe

from mediaflow.base.htmx import render_page
from mediaflow.home.figures import read_home

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def home(request: HtmxHttpRequest) -> HttpResponse:
    return render_page(request, "mediaflow/home.html", "live", {"home": read_home(request.user)})


@login_not_required
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it on pages that name no icon (Django's admin)."""
    return redirect(static("mediaflow/mark.svg"))
