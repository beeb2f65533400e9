"""Queueing a selection: first what would happen, then, on a second click, that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mediaflow.base.access import operator_required
from mediaflow.base.htmx import render_page
from mediaflow.base.models import Operation
from transcode.models import Preset
from transcode.pages.enqueue_preview import PRIORITIES, make_preview
from transcode.pages.enqueue_wish import MODES, WISH_PROBLEMS, read_wish
from transcode.pages.job_words import film_name
from transcode.pages.views.answers import answer_moved_on, answer_refused
from transcode.queue.recommended import origin_of
from transcode.services import QueueProblem, enqueue_selection

if TYPE_CHECKING:
    from django.http import HttpResponse

    from library.listing.exact_count import Counting
    from mediaflow.base.htmx import HtmxHttpRequest
    from transcode.pages.enqueue_wish import EnqueueWish
    from transcode.queue.enqueue import EnqueueResult

DEFAULT_PRESET = "balanced"


@operator_required
@require_http_methods(["GET", "POST"])  # POST because a selection may be long; changes nothing
def enqueue_preview(request: HtmxHttpRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    back = reverse("library:file_list")
    presets = list(Preset.objects.all())
    try:
        wish = read_wish(data, request.user, _choose(presets, data.get("preset", "")))
    except WISH_PROBLEMS as problem:
        return answer_refused(request, problem.text, back)
    counting = wish.count(request.user)
    links = wish.links(counting) if counting else {}
    if counting is not None and counting.is_active and request.htmx and "poll" in data:
        context = {"counting": counting, **links}
        return render(request, "transcode/enqueue_preview.html#counting", context)
    context = {**_preview_context(wish, counting), **links, "presets": presets, "back": back}
    answer = render_page(request, "transcode/enqueue_preview.html", "preview", context)
    if "poll" in data:  # the part that counted asked; now all of it is new
        answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#preview", "outerHTML"
    return answer


def _preview_context(wish: EnqueueWish, counting: Counting | None) -> dict[str, object]:
    preview = make_preview(wish.selection, wish.order, counting)
    single = preview.single
    return {
        "preview": preview,
        "counting": counting,
        "described": wish.selection.describe(preview.selected),
        "fields": wish.selection.as_fields(),
        "modes": MODES,
        "mode": wish.mode,
        "priorities": PRIORITIES,
        "priority": wish.priority,
        "cause": wish.cause,
        "cause_text": origin_of(wish.cause) if wish.cause else "",
        "name": film_name(single.file, single.file.path) if single else None,
    }


@operator_required
@require_POST
def enqueue_confirm(request: HtmxHttpRequest) -> HttpResponse:
    preset = Preset.objects.filter(slug=request.POST.get("preset", "")).first()
    try:
        wish = read_wish(request.POST, request.user, preset)
        counting = wish.count(request.user)
        if counting is not None and not counting.is_done:
            # Nothing is queued that nobody saw counted.
            return HttpResponseRedirect(wish.links(counting)["here"])
        result = enqueue_selection(
            wish.selection,
            preset=wish.preset,
            actor=request.user,
            output_mode=wish.mode or None,
            priority=wish.priority,
            cause=wish.cause,
        )
    except (*WISH_PROBLEMS, QueueProblem) as problem:
        text = f"Nothing was queued: {problem.text}"
        return answer_refused(request, text, reverse("library:file_list"))
    return _answer_queued(request, result)


def _answer_queued(request: HtmxHttpRequest, result: EnqueueResult | Operation) -> HttpResponse:
    if isinstance(result, Operation):
        return answer_moved_on(request, "", reverse("operation", args=[result.pk]))
    queued, skipped = len(result.jobs), len(result.skipped)
    if not queued:
        reason = result.skipped[0].reason if skipped else "the films are gone."
        text = f"Nothing was queued: {reason}"
        return answer_refused(request, text, reverse("library:file_list"))
    text = "1 film is queued" if queued == 1 else f"{queued:,} films are queued"
    text += f", {skipped:,} left out." if skipped else "."
    return answer_moved_on(request, text, reverse("transcode:queue"))


def _choose(presets: list[Preset], slug: str) -> Preset | None:
    by_slug = {preset.slug: preset for preset in presets}
    return by_slug.get(slug) or by_slug.get(DEFAULT_PRESET) or next(iter(presets), None)
