"""Queueing a selection: first what would happen, then, on a second click, that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from library.listing.filters import FilterProblem
from library.listing.selection import SelectionProblem, read_selection
from mediaflow.base.access import operator_required
from mediaflow.base.htmx import render_page
from transcode import services
from transcode.models import OutputMode, Preset
from transcode.pages.access import FormProblem, read_priority
from transcode.pages.enqueue_preview import (
    PRIORITIES,
    count_order,
    make_order,
    make_preview,
    names_one_film,
)
from transcode.pages.job_words import film_name
from transcode.pages.views.answers import answer_moved_on, answer_refused
from transcode.queue.recommended import known_cause, origin_of
from transcode.services import DIRECT_LIMIT, QueueProblem

if TYPE_CHECKING:
    from django.http import HttpResponse

    from library.listing.exact_count import Counting
    from library.listing.selection import FileSelection
    from mediaflow.base.htmx import HtmxHttpRequest
    from transcode.queue.enqueue import EnqueueOrder, EnqueueResult

DEFAULT_PRESET = "balanced"
MODES = (
    ("", "As the preset says"),
    (OutputMode.REPLACE.value, "Replace the originals"),
    (OutputMode.BESIDE.value, "Write beside the originals"),
)


@operator_required
@require_http_methods(["GET", "POST"])  # POST because a selection may be long; changes nothing
def enqueue_preview(request: HtmxHttpRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    back = reverse("library:file_list")
    try:
        selection = read_selection(data, request.user)
        mode, priority = _read_mode(data), _read_priority(data)
    except (SelectionProblem, FilterProblem, FormProblem) as problem:
        return answer_refused(request, problem.text, back)
    presets = list(Preset.objects.all())
    preset = _choose(presets, data.get("preset", ""))
    if selection.is_empty or preset is None:
        text = "Tick the films to queue first." if preset else "There is no preset to queue with."
        return answer_refused(request, text, back)
    order = make_order(preset, selection, output_mode=mode, priority=priority)
    cause = _read_cause(data, selection)
    counting = _count(request, data, selection, order)
    links = _counting_links(selection, order, mode, cause, counting) if counting else {}
    if counting is not None and counting.is_active and request.htmx and "poll" in data:
        context = {"counting": counting, **links}
        return render(request, "transcode/enqueue_preview.html#counting", context)
    context = {
        **_preview_context(selection, order, counting),
        **links,
        "presets": presets,
        "mode": mode,
        "priority": priority,
        "cause": cause,
        "cause_text": origin_of(cause) if cause else "",
        "back": back,
    }
    answer = render_page(request, "transcode/enqueue_preview.html", "preview", context)
    if "poll" in data:  # the part that counted asked; now all of it is new
        answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#preview", "outerHTML"
    return answer


def _count(
    request: HtmxHttpRequest, data: QueryDict, selection: FileSelection, order: EnqueueOrder
) -> Counting | None:
    """More than 10,000 films are counted by an operation before they can be queued."""
    if selection.count is not None:
        return None
    return count_order(selection, order, data.get("counted", ""), request.user)


def _counting_links(
    selection: FileSelection, order: EnqueueOrder, mode: str, cause: str, counting: Counting
) -> dict[str, str]:
    """The same preview as an address: to look again, and to count again."""
    values = {
        "select": "all",
        "q": selection.query,
        "preset": order.preset.slug,
        "mode": mode,
        "priority": str(order.priority),
        **({"cause": cause} if cause else {}),
    }
    path = reverse("transcode:enqueue_preview")
    here = urlencode({**values, "counted": str(counting.operation.pk)})
    return {"here": f"{path}?{here}", "count_again": f"{path}?{urlencode(values)}"}


def _preview_context(
    selection: FileSelection, order: EnqueueOrder, counting: Counting | None
) -> dict[str, object]:
    preview = make_preview(selection, order, counting)
    single = preview.single
    return {
        "preview": preview,
        "counting": counting,
        "described": selection.describe(preview.selected),
        "fields": selection.as_fields(),
        "modes": MODES,
        "priorities": PRIORITIES,
        "name": film_name(single.file, single.file.path) if single else None,
    }


@operator_required
@require_POST
def enqueue_confirm(request: HtmxHttpRequest) -> HttpResponse:
    back = reverse("library:file_list")
    preset = Preset.objects.filter(slug=request.POST.get("preset", "")).first()
    if preset is None:
        return answer_refused(request, "Nothing was queued: choose a preset.", back)
    try:
        selection = read_selection(request.POST, request.user)
        mode, priority = _read_mode(request.POST), _read_priority(request.POST)
        if selection.is_empty:
            return answer_refused(request, "Nothing was queued: no film was ticked.", back)
        return _enqueue(request, selection, preset, mode, priority)
    except (SelectionProblem, FilterProblem, FormProblem, QueueProblem) as problem:
        return answer_refused(request, f"Nothing was queued: {problem.text}", back)


def _enqueue(
    request: HtmxHttpRequest, selection: FileSelection, preset: Preset, mode: str, priority: int
) -> HttpResponse:
    """At once, or as an operation when it would keep the browser waiting. Raises QueueProblem."""
    count, cause = selection.count, _read_cause(request.POST, selection)
    if count is None:
        order = make_order(preset, selection, output_mode=mode, priority=priority)
        counting = count_order(selection, order, request.POST.get("counted", ""), request.user)
        if not counting.is_done:  # nothing is queued that nobody saw counted
            links = _counting_links(selection, order, mode, cause, counting)
            return HttpResponseRedirect(links["here"])
    if selection.is_all and (count is None or count > DIRECT_LIMIT):
        operation = services.start_enqueue(
            query=selection.query,
            preset=preset,
            actor=request.user,
            output_mode=mode or None,
            priority=priority,
            cause=cause,
        )
        return answer_moved_on(request, "", reverse("operation", args=[operation.pk]))
    result = services.enqueue_files(
        files=selection.queryset,
        preset=preset,
        actor=request.user,
        output_mode=mode or None,
        priority=priority,
        includes_ignored=names_one_film(selection),
        cause=cause,
    )
    return _answer_queued(request, result)


def _answer_queued(request: HtmxHttpRequest, result: EnqueueResult) -> HttpResponse:
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


def _read_cause(data: QueryDict, selection: FileSelection) -> str:
    """The recommendation that is followed: as posted, or the one kind that the filter names."""
    named = known_cause(data.get("cause", ""))
    if named or not selection.is_all:
        return named
    kinds = QueryDict(selection.query).getlist("recommendation")
    return known_cause(kinds[0]) if len(kinds) == 1 else ""


def _read_mode(data: QueryDict) -> str:
    mode = data.get("mode", "")
    if mode not in {value for value, _label in MODES}:
        raise FormProblem("Choose whether to replace or to write beside.")
    return mode


def _read_priority(data: QueryDict) -> int:
    return read_priority(data.get("priority", "") or "0")
