"""How good the predictions were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.http import require_GET

from transcode.pages.calibration import make_page

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def calibration(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "transcode/calibration.html", {"page": make_page()})
