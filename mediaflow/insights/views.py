"""Insights: the page, its lists, decisions, queueing, a new look, and what the runs found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.analysis.decisions import DecisionProblem
from library.analysis.kinds import KINDS
from library.analysis.services import recommendation_files, start_analysis
from library.listing.filters import FilterProblem
from library.models import AnalysisRun, Library, Recommendation
from mediaflow.base.access import operator_required
from mediaflow.base.htmx import ask, render_page
from mediaflow.base.ids import read_id
from mediaflow.base.models import Operation
from mediaflow.insights.bulk import apply_decision
from mediaflow.insights.forms import form_for
from mediaflow.insights.listing import (
    MAX_IDS,
    InsightSelection,
    choices,
    own_params,
    read_page,
    read_query,
    read_selection,
    shared_params,
)
from mediaflow.insights.rows import make_rows, with_films
from mediaflow.insights.runs import read_runs
from mediaflow.insights.summary import read_insights
from transcode.pages.views.answers import answer_moved_on, answer_refused
from transcode.pages.views.enqueue import enqueue_preview

if TYPE_CHECKING:
    from django.forms import Form
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from mediaflow.base.htmx import HtmxHttpRequest

DONE_WORDS: Final = {
    "accept": "accepted",
    "dismiss": "dismissed",
    "snooze": "snoozed",
    "reopen": "open again",
}
QUESTION_TEXTS: Final = {
    "dismiss": "No film is changed, and no analysis recommends it again.",
    "snooze": "What rests comes back by itself.",
    "accept": "What is accepted leaves the list; nothing is queued.",
    "reopen": "What is open again stands in the list.",
}
# So many films fit into an address; a page of the list has fewer, a group may have more.
MOST_IN_ADDRESS: Final = 200
GROUP_FILES: Final = 200
TOO_MANY: Final = (
    "These are {:,} films, and {:,} can be queued at once from here. Filter the library for them"
    " and queue all that match: that has no limit."
)


@require_GET
def insights(request: HtmxHttpRequest) -> HttpResponse:
    page = read_insights(request.GET, request.user)
    return render_page(request, "insights/insights.html", "live", {"page": page})


@require_GET
def insight_list(request: HtmxHttpRequest) -> HttpResponse:
    """All is in the address; a value that cannot be used is one sentence."""
    problem, query = "", None
    try:
        query = read_query(request.GET)
    except FilterProblem as found:
        problem = str(found)
    params = own_params(request.GET)
    context = {
        "page": read_page(query, request.GET.get("after", "")) if query else None,
        "query": query,
        "kind": KINDS.get(query.kinds[0]) if query and len(query.kinds) == 1 else None,
        "problem": problem,
        "params": request.GET,
        "address": params.urlencode(),
        "here": f"{reverse('insight_list')}?{params.urlencode()}",
        "shared": shared_params(request.GET).urlencode(),
        "choices": choices(),
        "libraries": Library.objects.only("name"),
        "is_filtered": bool(set(params) - {"sort", "state"}),
    }
    status = 422 if problem else 200
    return render_page(request, "insights/list.html", "rows", context, status=status)


@require_GET
def insight_group(request: HtmxHttpRequest, recommendation_id: int) -> HttpResponse:
    """The films of a group: versions of one film, or many alike."""
    found = get_object_or_404(
        with_films(Recommendation.objects.filter(pk=recommendation_id)), kind__in=list(KINDS)
    )
    files = recommendation_files(Recommendation.objects.filter(pk=found.pk))
    count = files.count()
    best = set(found.members.filter(is_best=True).values_list("file_id", flat=True))
    context = {
        "row": make_rows([found])[0],
        "files": files.select_related("library").order_by("-size_bytes", "pk")[:GROUP_FILES],
        "count": count,
        "more": max(0, count - GROUP_FILES),
        "best": best,
        "here": request.path,
    }
    return render(request, "insights/group.html", context)


@operator_required
@require_http_methods(["GET", "POST"])  # POST because a selection may be long; changes nothing
def decide_ask(request: HtmxHttpRequest, verb: str) -> HttpResponse:
    """The question before a decision: why not, or until when."""
    data = request.POST if request.method == "POST" else request.GET
    try:
        form = form_for(verb)
        selection = read_selection(data)
    except KeyError:
        raise Http404("There is no such decision.") from None
    except FilterProblem as problem:
        return answer_refused(request, problem.text, reverse("insights"))
    if selection.is_empty:
        text = "Tick the recommendations first; nothing was changed."
        return answer_refused(request, text, reverse("insights"))
    return _question(request, verb, form, selection, data.get("next", ""))


@operator_required
@require_POST
def decide_apply(request: HtmxHttpRequest, verb: str) -> HttpResponse:
    try:
        form = form_for(verb, request.POST)
        selection = read_selection(request.POST)
    except KeyError:
        raise Http404("There is no such decision.") from None
    except FilterProblem as problem:
        return answer_refused(request, problem.text, reverse("insights"))
    back = reverse("insights")
    if selection.is_empty:
        return answer_refused(request, "Nothing was changed: tick some first.", back)
    if not form.is_valid():
        return _question(request, verb, form, selection, request.POST.get("next", ""))
    try:
        changed = apply_decision(selection, form.decision(), request.user)
    except DecisionProblem as problem:
        return answer_refused(request, f"Nothing was changed: {problem.text}", back)
    return _answer_decided(request, verb, changed)


def _answer_decided(request: HtmxHttpRequest, verb: str, changed: int | Operation) -> HttpResponse:
    back = reverse("insights")
    if isinstance(changed, Operation):
        return answer_moved_on(request, "", reverse("operation", args=[changed.pk]))
    if not changed:
        text = "Nothing was changed: somebody has decided already."
        return answer_refused(request, text, back)
    noun = "recommendation" if changed == 1 else "recommendations"
    text = f"{changed:,} {noun} {DONE_WORDS[verb]}."
    return answer_moved_on(request, text, _came_from(request) or back)


def _came_from(request: HtmxHttpRequest) -> str:
    """The page with the button, if it is one of ours."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""


def _question(
    request: HtmxHttpRequest, verb: str, form: Form, selection: InsightSelection, back: str
) -> HttpResponse:
    count = selection.queryset.order_by()[:10_001].count()
    many = "10,000+" if count > 10_000 else f"{count:,}"
    what = "this recommendation" if count == 1 else f"{many} recommendations"
    context: dict[str, Any] = {
        "title": f"{verb.capitalize()} {what}?",
        "text": QUESTION_TEXTS[verb],
        "action": reverse("decide_apply", args=[verb]),
        "fields": list(form),
        "hidden": [*selection.fields(), {"name": "next", "value": back}],
        "verb": f"{verb.capitalize()} {many if count != 1 else 'it'}",
        "cancel_url": _came_from(request) or reverse("insights"),
    }
    return ask(request, context, status=422 if form.errors else 200)


@operator_required
@require_POST
def insight_queue(request: HtmxHttpRequest) -> HttpResponseBase:
    """Leads to the preview of the queue with the films of what is ticked; changes nothing."""
    try:
        values = _films_to_queue(read_selection(request.POST))
    except FilterProblem as problem:
        return answer_refused(request, problem.text, reverse("insights"))
    if len(values.getlist("ids")) > MOST_IN_ADDRESS:
        request.POST = values  # type: ignore[assignment]  # a selection too long for an address
        return enqueue_preview(request)
    return answer_moved_on(
        request, "", f"{reverse('transcode:enqueue_preview')}?{values.urlencode()}"
    )


def _films_to_queue(selection: InsightSelection) -> QueryDict:
    """What the preview is asked for. Raises FilterProblem where that is nothing, or too much."""
    if selection.is_empty:
        raise FilterProblem("ids", "Tick the recommendations to queue first.")
    values = QueryDict(mutable=True)
    if selection.is_all:
        params = shared_params(QueryDict(selection.query))
        params.setdefault("recommendation", "any")
        values["select"], values["q"] = "all", params.urlencode()
        kinds = read_query(params).kinds
    else:
        values.setlist("ids", _film_ids(selection))
        kinds = tuple(selection.queryset.order_by().values_list("kind", flat=True).distinct())
    _name_cause(values, selection, kinds)
    return values


def _film_ids(selection: InsightSelection) -> list[str]:
    found = recommendation_files(selection.queryset)
    ids = list(found.values_list("pk", flat=True)[: MAX_IDS + 1])
    if not ids:
        raise FilterProblem("ids", "There is no film to queue in that.")
    if len(ids) > MAX_IDS:
        raise FilterProblem("ids", TOO_MANY.format(found.count(), MAX_IDS))
    return [str(pk) for pk in ids]


def _name_cause(values: QueryDict, selection: InsightSelection, kinds: tuple[str, ...]) -> None:
    """One kind, or one group, can be named in the jobs; a mixture cannot."""
    if len(kinds) != 1 or kinds[0] not in KINDS:
        return
    kind = KINDS[kinds[0]]
    if kind.is_group and len(selection.ids) != 1:
        return
    values["cause"] = str(selection.ids[0]) if kind.is_group else kind.slug
    if kind.preset:
        values["preset"] = kind.preset


@operator_required
@require_POST
def look_again(request: HtmxHttpRequest) -> HttpResponse:
    """Start an analysis of one library or all."""
    wanted = request.POST.get("library", "")
    library = None
    if wanted:
        library = Library.objects.filter(pk=read_id(wanted) or 0).first()
        if library is None:
            text = "There is no such library; nothing was started."
            return answer_refused(request, text, reverse("insights"))
    start_analysis(library, request.user)
    url = reverse("insights")
    return redirect(f"{url}?library={library.pk}" if library else url)


@require_GET
def insight_runs(request: HtmxHttpRequest) -> HttpResponse:
    context = {"runs": read_runs(), "has_any": AnalysisRun.objects.exists()}
    return render(request, "insights/runs.html", context)
