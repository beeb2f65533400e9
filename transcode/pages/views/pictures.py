"""Pictures of a job, before and after: the part of a page that shows them, and the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import FileResponse, Http404
from django.shortcuts import render
from django.views.decorators.http import require_GET

from transcode.pages.access import get_job
from transcode.pages.quality_pictures import content_type, picture_path, read_pictures

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

# Their address changes with the picture, so a browser never has to ask again. Not for proxies:
# they are for people who are signed in.
CACHE_CONTROL: Final = "private, max-age=31536000, immutable"


@require_GET
def job_pictures(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """One pair: a fragment for the tabs, a page of its own without htmx."""
    job = get_job(job_id)
    pictures = read_pictures(job, request.GET.get("picture", ""))
    if pictures is None:
        raise Http404("This job took no pictures.")
    name = "_quality_pictures" if request.htmx else "job_pictures"
    context = {"job": job, "pictures": pictures}
    return render(request, f"transcode/{name}.html", context)


@require_GET
def job_picture(request: HtmxHttpRequest, job_id: int, kind: str, side: str) -> FileResponse:
    """One picture. The job says which file it is; the address only says which of them."""
    path = picture_path(get_job(job_id), kind, side)
    if path is None:
        raise Http404("This picture is gone.")
    try:
        handle = path.open("rb")
    except OSError as error:
        raise Http404("This picture cannot be read.") from error
    response = FileResponse(handle, content_type=content_type(path))
    response.headers["Cache-Control"] = CACHE_CONTROL
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
