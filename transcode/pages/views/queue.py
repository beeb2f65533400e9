"""The queue page, its live parts, the dock, and what one does with the queue as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mediaflow.base.access import operator_required
from mediaflow.base.htmx import ask
from transcode import services
from transcode.pages.access import FormProblem, get_job, read_job_id, read_optional_job_id
from transcode.pages.forms import PauseForm
from transcode.pages.live import answer_poll
from transcode.pages.queue_live import dock_part, running_part, side_part, waiting_part
from transcode.pages.queue_page import read_pause, recent_counts
from transcode.pages.views.answers import answer_done, answer_refused
from transcode.pages.waiting_list import place_beside, read_cursor
from transcode.services import QueueProblem

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

DIRECTIONS = ("top", "up", "down", "end")


@require_GET
def queue(request: HtmxHttpRequest) -> HttpResponse:
    is_operator = request.user.is_operator
    cursor = read_cursor(request.GET.get("after", ""))
    context = {
        "counts": recent_counts(),
        "pause": read_pause(),
        "running": running_part(is_operator=is_operator).for_reader(request),
        "waiting": waiting_part(cursor, is_operator=is_operator).for_reader(request),
        "side": side_part().for_reader(request),
    }
    return render(request, "transcode/queue.html", context)


@require_GET
def queue_running(request: HtmxHttpRequest) -> HttpResponse:
    return answer_poll(request, running_part(is_operator=request.user.is_operator))


@require_GET
def queue_waiting(request: HtmxHttpRequest) -> HttpResponse:
    cursor = read_cursor(request.GET.get("after", ""))
    return answer_poll(request, waiting_part(cursor, is_operator=request.user.is_operator))


@require_GET
def queue_side(request: HtmxHttpRequest) -> HttpResponse:
    return answer_poll(request, side_part())


@require_GET
def dock(request: HtmxHttpRequest) -> HttpResponse:
    return answer_poll(request, dock_part(is_operator=request.user.is_operator))


@operator_required
@require_GET
def queue_pause_ask(request: HtmxHttpRequest) -> HttpResponse:
    return ask(request, _pause_question(PauseForm()))


@operator_required
@require_POST
def queue_pause(request: HtmxHttpRequest) -> HttpResponse:
    form = PauseForm(request.POST)
    if not form.is_valid():
        return ask(request, _pause_question(form), status=422)
    services.pause_queue(form.cleaned_data["reason"], actor=request.user)
    return answer_done(request, "The queue is paused; what runs goes on.", _queue_url())


@operator_required
@require_POST
def queue_resume(request: HtmxHttpRequest) -> HttpResponse:
    try:
        services.resume_queue(actor=request.user)
    except QueueProblem as problem:
        return answer_refused(request, problem.text, _queue_url())
    return answer_done(request, "The queue goes on.", _queue_url())


@operator_required
@require_POST
def job_move(request: HtmxHttpRequest) -> HttpResponse:
    """From dragging (job, after, before), or from a form (job, to=top|up|down|end)."""
    try:
        job = get_job(read_job_id(request.POST.get("job", "")))
        if (direction := request.POST.get("to", "")) in DIRECTIONS:
            place = place_beside(job, direction)
            if place is None:
                return answer_done(request, "It is there already.", _queue_url(), level="info")
            before, after = place
        else:
            before = read_optional_job_id(request.POST.get("before", ""))
            after = read_optional_job_id(request.POST.get("after", "")) if not before else None
        services.move_job(job.pk, actor=request.user, before=before, after=after)
    except (FormProblem, QueueProblem) as problem:
        return answer_refused(request, problem.text, _queue_url())
    return answer_done(request, "Moved.", _queue_url())


def _pause_question(form: PauseForm) -> dict[str, object]:
    return {
        "title": "Pause the queue?",
        "text": "No new job starts. What runs goes on to its end.",
        "action": reverse("transcode:queue_pause"),
        "verb": "Pause the queue",
        "fields": list(form),
        "cancel_url": _queue_url(),
    }


def _queue_url() -> str:
    return reverse("transcode:queue")
