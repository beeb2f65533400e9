"""The page of one job, its live part, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from mediaflow.base.operation_fragment import shown_operation
from transcode.models import JobAttempt, JobStatus
from transcode.pages.access import get_job
from transcode.pages.causes import cause_of
from transcode.pages.chunk_map import read_chunk_map
from transcode.pages.job_log import log_file, read_log_tail
from transcode.pages.job_page import failure_text, read_job_page
from transcode.pages.job_words import (
    film_name,
    is_swap_running,
    phase_marks,
    source_badge_texts,
    state_kind,
    state_word,
    target_codec,
)
from transcode.pages.live import live_parts, version_of
from transcode.pages.quality_panel import read_quality
from transcode.pages.queue_page import who_asked
from transcode.pages.shown_progress import phase_word, shown_percent
from transcode.pages.told_panel import read_told
from transcode.states import ACTIVE, TERMINAL, WAITING

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from mediaflow.base.htmx import HtmxHttpRequest
    from transcode.models import Job


@require_GET
def job_detail(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    job = get_job(job_id)
    page = read_job_page(job)
    context = {
        **_live_context(job),
        "page": page,
        "quality": read_quality(job, request.GET.get("picture", "")),
        "told": read_told(job),
        "badges": source_badge_texts(job),
        "codec": target_codec(job.encoder, job.preset_spec),
        "who": who_asked(job),
        "cause": cause_of(job),
        "failure": failure_text(job),
        "is_waiting": job.status in WAITING,
        "has_place": job.status in {JobStatus.QUEUED, JobStatus.RETRY_WAIT},
        "can_go_on": job.status in {JobStatus.HELD, JobStatus.RETRY_WAIT},
        "is_over": job.status in TERMINAL,
        "operation": shown_operation(request),
        "last_attempt": page.attempts[-1] if page.attempts else None,
    }
    return render(request, "transcode/job_detail.html", context)


@require_GET
def job_live(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """The header's figures while it runs; when the state changes the whole page is asked anew."""
    job = get_job(job_id)
    context = _live_context(job)
    if request.GET.get("status") != job.status:
        response = HttpResponse(status=204)
        response.headers["HX-Refresh"] = "true"
        return response
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "transcode/_job_live.html", context)


@require_GET
def job_log(request: HtmxHttpRequest, job_id: int, attempt_id: int) -> HttpResponse:
    """The end of one attempt's log: a fragment, or a page of its own without JavaScript."""
    attempt = _attempt(job_id, attempt_id)
    context = {
        "job": attempt.job,
        "name": film_name(attempt.job.file, attempt.job.file_path),
        "attempt": attempt,
        "tail": read_log_tail(attempt.log_name),
    }
    template = "transcode/_job_log.html" if request.htmx else "transcode/job_log.html"
    return render(request, template, context)


@require_GET
def job_log_download(request: HtmxHttpRequest, job_id: int, attempt_id: int) -> HttpResponseBase:
    attempt = _attempt(job_id, attempt_id)
    path = log_file(attempt.log_name)
    if path is None:
        raise Http404("The log of this attempt is gone.")
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=f"job-{job_id}-attempt-{attempt.number}.log",
        content_type="text/plain; charset=utf-8",
    )


def _attempt(job_id: int, attempt_id: int) -> JobAttempt:
    rows = JobAttempt.objects.select_related("job", "job__file")
    return get_object_or_404(rows, pk=min(attempt_id, 2**62), job_id=min(job_id, 2**62))


def _live_context(job: Job) -> dict[str, object]:
    """What moves while a job runs, or waits."""
    shown = (job.status, job.phase, job.progress_seq, job.reason, job.is_paused, job.not_before)
    return {
        "job": job,
        "name": film_name(job.file, job.file_path),
        "word": state_word(job),
        "kind": state_kind(job),
        "phases": phase_marks(job.phase, job.status),
        "is_active": job.status in ACTIVE,
        "is_running": job.status == JobStatus.RUNNING,
        "is_swapping": is_swap_running(job),
        "percent": shown_percent(job.phase, job.progress_pct),
        "chunk_map": read_chunk_map(job),
        "doing": phase_word(job.phase),
        "eta_s": live_parts.etas.shown(job.pk, job.phase, job.progress_pct, job.eta_s),
        "version": version_of((*shown, job.cancel_requested_at)),
    }
