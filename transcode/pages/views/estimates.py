"""“Estimate by samples” on a film's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from library.models import MediaFile
from mediaflow.base.access import operator_required
from transcode.models import Preset
from transcode.pages.views.answers import answer_moved_on
from transcode.prediction.estimate_operation import start_estimate

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@operator_required
@require_POST
def estimate_film(request: HtmxHttpRequest, file_id: int) -> HttpResponse:
    """Start it and show the film's page, where it reports."""
    file = get_object_or_404(MediaFile, pk=file_id)
    preset = get_object_or_404(Preset, slug=request.POST.get("preset", "")[:60])
    start_estimate(file, preset, actor=request.user)
    return answer_moved_on(
        request, "", reverse("library:file_detail", args=[file.pk]) + "#estimate"
    )
