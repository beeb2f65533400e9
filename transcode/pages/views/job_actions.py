"""What one does with one job or with several: move on, pause, cancel, run again, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mediaflow.base.access import operator_required
from mediaflow.base.htmx import ask
from transcode import services
from transcode.models import JobStatus
from transcode.pages.access import FormProblem, get_job, read_job_ids, read_priority
from transcode.pages.job_page import read_original
from transcode.pages.job_words import film_name, state_kind, state_word
from transcode.pages.queue_work import DIRECT_CANCEL_LIMIT, start_cancel, waiting_jobs
from transcode.pages.views.answers import answer_done, answer_moved_on, answer_refused
from transcode.services import QueueProblem
from transcode.states import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@operator_required
@require_GET
def job_actions(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """All one may do with a waiting job: the menu of its row, and the way without scripts."""
    job = get_job(job_id)
    context = {
        "job": job,
        "name": film_name(job.file, job.file_path),
        "word": state_word(job),
        "kind": state_kind(job),
        "is_waiting": job.status in WAITING,
        "has_place": job.status in {JobStatus.QUEUED, JobStatus.RETRY_WAIT},
        "can_go_on": job.status in {JobStatus.HELD, JobStatus.RETRY_WAIT},
        "is_running": job.status == JobStatus.RUNNING,
    }
    name = "transcode/_job_actions.html" if request.htmx else "transcode/job_actions.html"
    return render(request, name, context)


@operator_required
@require_POST
def job_priority(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    try:
        priority = read_priority(request.POST.get("priority", ""))
        services.set_job_priority(get_job(job_id).pk, priority, actor=request.user)
    except (FormProblem, QueueProblem) as problem:
        return answer_refused(request, problem.text, _job_url(job_id))
    return answer_done(request, f"Priority is {priority} now.", _queue_url())


@operator_required
@require_POST
def job_pause(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """A running job stands still; a waiting one is passed over."""
    return _do(request, job_id, services.pause_job, "Paused.", _queue_url())


@operator_required
@require_POST
def job_stop(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """A running job hands itself back; its finished chunks stay for when it is resumed."""
    text = "It stops and keeps its finished chunks."
    return _do(request, job_id, services.stop_job, text, _job_url(job_id))


@operator_required
@require_POST
def job_resume(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    return _do(request, job_id, services.resume_job, "It goes on.", _queue_url())


@operator_required
@require_GET
def job_cancel_ask(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    job = get_job(job_id)
    context = {
        "title": f"Cancel {film_name(job.file, job.file_path).title}?",
        "text": "What was encoded so far is thrown away. The film itself is not touched.",
        "action": reverse("transcode:job_cancel", args=[job.pk]),
        "verb": "Cancel the job",
        "danger": True,
        "cancel_url": _job_url(job.pk),
        "cancel_text": "Keep it",
    }
    return ask(request, context)


@operator_required
@require_POST
def job_cancel(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    try:
        result = services.cancel_job(get_job(job_id).pk, actor=request.user)
    except QueueProblem as problem:
        return answer_refused(request, problem.text, _job_url(job_id))
    text = (
        "Cancelled; the film was not touched."
        if result == "cancelled"
        else "It stops in a few seconds; a swap that has begun is finished first."
    )
    return answer_done(request, text, _queue_url())


@operator_required
@require_POST
def job_retry(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    """Lets a held or waiting job go on now; runs one that is over again, as a new job."""
    try:
        job = services.retry_job(get_job(job_id).pk, actor=request.user)
    except QueueProblem as problem:
        return answer_refused(request, problem.text, _job_url(job_id))
    if job.pk == job_id:
        return answer_done(request, "It goes on.", _job_url(job.pk))
    return answer_moved_on(request, "Queued again.", _job_url(job.pk))


@operator_required
@require_GET
def job_undo_ask(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    job = get_job(job_id)
    original = read_original(job)
    if not original.can_undo:
        return answer_refused(request, "This cannot be undone any more.", _job_url(job.pk))
    what = (
        "The original keeps its name, the new file is deleted and the job ends."
        if original.state == "both"
        else "The original takes its place again and the new file is deleted."
    )
    context = {
        "title": f"Put the original of {film_name(job.file, job.file_path).title} back?",
        "text": f"{what} Both are read and compared first; if either is not what it was, nothing is"
        " touched.",
        "action": reverse("transcode:job_undo", args=[job.pk]),
        "verb": "Put the original back",
        "cancel_url": _job_url(job.pk),
    }
    return ask(request, context)


@operator_required
@require_POST
def job_undo(request: HtmxHttpRequest, job_id: int) -> HttpResponse:
    job = get_job(job_id)
    if not read_original(job).can_undo:
        return answer_refused(request, "This cannot be undone any more.", _job_url(job.pk))
    operation = services.undo_jobs([job.pk], actor=request.user)
    return answer_moved_on(request, "", f"{_job_url(job.pk)}?operation={operation.pk}")


@operator_required
@require_http_methods(["GET", "POST"])  # POST only because ticked jobs may be many; changes nothing
def jobs_cancel_ask(request: HtmxHttpRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    is_all = data.get("select") == "all"
    try:
        ids = [] if is_all else read_job_ids(data)
    except FormProblem as problem:
        return answer_refused(request, problem.text, _queue_url())
    count = waiting_jobs().count() if is_all else len(ids)
    if not count:
        return answer_refused(request, "Tick the jobs to cancel first.", _queue_url())
    films = "1 job" if count == 1 else f"{count:,} jobs"
    fields = [{"name": "ids", "value": str(pk)} for pk in ids]
    context = {
        "title": f"Cancel {films}?",
        "text": "They leave the queue. No film is touched, and they can be queued again.",
        "action": reverse("transcode:jobs_cancel"),
        "hidden": [{"name": "select", "value": "all"}] if is_all else fields,
        "verb": f"Cancel {films}",
        "danger": True,
        "cancel_url": _queue_url(),
        "cancel_text": "Keep them",
    }
    return ask(request, context)


@operator_required
@require_POST
def jobs_cancel(request: HtmxHttpRequest) -> HttpResponse:
    is_all = request.POST.get("select") == "all"
    try:
        ids = [] if is_all else read_job_ids(request.POST)
    except FormProblem as problem:
        return answer_refused(request, problem.text, _queue_url())
    if is_all or len(ids) > DIRECT_CANCEL_LIMIT:
        operation = start_cancel(None if is_all else ids, actor=request.user)
        return answer_moved_on(request, "", reverse("operation", args=[operation.pk]))
    count = services.cancel_jobs(ids, actor=request.user)
    text = "1 job cancelled." if count == 1 else f"{count:,} jobs cancelled."
    return answer_done(request, f"{text} No film was touched.", _queue_url())


def _do(
    request: HtmxHttpRequest, job_id: int, act: Callable[..., object], text: str, url: str
) -> HttpResponse:
    """`act` on the job, and say so on the page at `url`; a refusal leads to the job's page."""
    try:
        act(get_job(job_id).pk, actor=request.user)
    except QueueProblem as problem:
        return answer_refused(request, problem.text, _job_url(job_id))
    return answer_done(request, text, url)


def _job_url(job_id: int) -> str:
    return reverse("transcode:job_detail", args=[job_id])


def _queue_url() -> str:
    return reverse("transcode:queue")
