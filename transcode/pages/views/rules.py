"""Rules and watch folders: the list, one rule with its log, what it would do, and its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from library.listing.filters import FilterProblem, files_matching
from library.pages.filter_pills import describe_query
from mediaflow.base.access import admin_required, operator_required
from mediaflow.base.htmx import ask_first, render_page
from mediaflow.base.ids import read_id
from mediaflow.base.models import Operation
from transcode.models import Rule, RuleRun
from transcode.pages.preset_words import badges_of
from transcode.pages.rule_form import RuleForm, initial_values
from transcode.pages.rule_rows import read_log, read_rows, run_words, verdict_counts, verdict_kind
from transcode.pages.views.answers import answer_done, answer_moved_on, answer_refused
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.rules import services
from transcode.rules.dry_run import forecast
from transcode.rules.plan import VERDICT_WORDS
from transcode.rules.services import RuleInputProblem

if TYPE_CHECKING:
    from mediaflow.base.htmx import HtmxHttpRequest
    from transcode.rules.dry_run import VerdictGroup

SHOWN_RUNS = 10
COUNTED_UP_TO = 10_000


@require_GET
def rule_list(request: HtmxHttpRequest) -> HttpResponse:
    rules = Rule.objects.select_related("preset", "library")
    return render(request, "transcode/rule_list.html", {"rows": read_rows(rules, timezone.now())})


@require_GET
def rule_detail(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    verdict, text = request.GET.get("verdict", ""), request.GET.get("text", "")[:200]
    counts = verdict_counts(rule)
    page = read_log(
        rule, verdict=verdict, text=text, before=read_id(request.GET.get("before", "")) or 0
    )
    context = {
        "row": read_rows([rule], timezone.now())[0],
        "rule": rule,
        "badges": _preset_badges(rule),
        "page": page,
        "tabs": _tabs(rule, counts, verdict),
        "verdict": verdict,
        "text": text,
        "older": urlencode({"verdict": verdict, "text": text, "before": page.before or ""}),
        "runs": [
            {"run": run, "words": run_words(run.by_verdict)}
            for run in rule.runs.order_by("-pk")[:SHOWN_RUNS]
        ],
    }
    return render_page(request, "transcode/rule_detail.html", "log", context)


def _tabs(rule: Rule, counts: dict[str, int], verdict: str) -> list[dict[str, Any]]:
    url = reverse("transcode:rule_detail", args=[rule.pk])
    all_tab = {"url": url, "label": "All", "is_current": not verdict, "count": sum(counts.values())}
    return [
        all_tab,
        *(
            {
                "url": f"{url}?{urlencode({'verdict': code})}",
                "label": VERDICT_WORDS.get(code, code),
                "is_current": verdict == code,
                "count": count,
            }
            for code, count in counts.items()
        ),
    ]


def _preset_badges(rule: Rule) -> Any:
    try:
        return badges_of(PresetSpec.from_json(rule.preset.spec))
    except PresetProblem:
        return []


@require_GET
def rule_dry_run(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    found = forecast(rule, timezone.now())
    context = {
        "rule": rule,
        "found": found,
        "left_out": [_group(group) for group in found.left_out],
        "queue": _group(found.queue) if found.queue else None,
    }
    return render(request, "transcode/rule_dry_run.html", context)


def _group(group: VerdictGroup) -> dict[str, Any]:
    return {"group": group, "kind": verdict_kind(group.code)}


@require_GET
def rule_words(request: HtmxHttpRequest) -> HttpResponse:
    """A filter that is being typed: in words, and how many films it finds; or what is wrong."""
    query = RuleForm(request.GET, owner_id=request.user.pk).chosen_query()[:2001]
    return render(request, "transcode/_rule_words.html", _words(query))


def _words(query: str) -> dict[str, Any]:
    try:
        count = files_matching(query)[: COUNTED_UP_TO + 1].count()
    except FilterProblem as problem:
        return {"words_problem": f"{problem.field}: {problem.text}"}
    return {
        "pills": describe_query(query),
        "count": min(count, COUNTED_UP_TO),
        "has_more": count > COUNTED_UP_TO,
    }


@admin_required
@require_http_methods(["GET", "POST"])
def rule_new(request: HtmxHttpRequest) -> HttpResponse:
    start = initial_values(
        None, query=request.GET.get("query", "")[:2000], kind=request.GET.get("kind", "")
    )
    form = RuleForm(request.POST or None, initial=start, owner_id=request.user.pk)
    if request.method == "POST" and form.is_valid():
        try:
            rule = services.save_rule(form.values(), actor=request.user)
            return answer_moved_on(request, f"{rule.name} is made.", _url(rule))
        except RuleInputProblem as problem:
            form.add_problem(problem)
    return _form_page(request, form, None)


@admin_required
@require_http_methods(["GET", "POST"])
def rule_edit(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    form = RuleForm(request.POST or None, initial=initial_values(rule), owner_id=request.user.pk)
    if request.method == "POST" and form.is_valid():
        try:
            services.save_rule(form.values(), rule=rule, actor=request.user)
            return answer_moved_on(request, f"{rule.name} is saved.", _url(rule))
        except RuleInputProblem as problem:
            form.add_problem(problem)
    return _form_page(request, form, rule)


def _form_page(request: HtmxHttpRequest, form: RuleForm, rule: Rule | None) -> HttpResponse:
    query = form.chosen_query() if form.is_bound else str(form.initial.get("query", ""))
    context = {"form": form, "rule": rule, **_words(query)}
    status = 422 if form.is_bound else 200
    return render(request, "transcode/rule_form.html", context, status=status)


@admin_required
@require_POST
def rule_copy(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    made = services.copy_rule(rule, actor=request.user)
    text = f"{made.name} is a copy of {rule.name}, switched off."
    return answer_moved_on(request, text, reverse("transcode:rule_edit", args=[made.pk]))


@operator_required
@require_POST
def rule_enable(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    """`is_enabled` is posted as 1 or 0."""
    rule = _get(rule_id)
    is_enabled = request.POST.get("is_enabled") == "1"
    services.set_rule_enabled(rule, is_enabled, actor=request.user)
    text = f"{rule.name} is {'on' if is_enabled else 'off'}."
    return answer_done(request, text, _url(rule))


@operator_required
@require_POST
def rule_run(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    done = services.run_now(rule, actor=request.user)
    if isinstance(done, Operation):
        return answer_moved_on(request, "", reverse("operation", args=[done.pk]))
    if done.note:
        return answer_refused(request, f"Nothing was queued. {done.note}", _url(rule))
    return answer_moved_on(request, _run_text(done), _url(rule))


def _run_text(run: RuleRun) -> str:
    if not run.matched:
        return "Nothing was queued: no film matches."
    if not run.queued:
        return f"Nothing new to queue: {run_words(run.by_verdict)}."
    return "1 film is queued." if run.queued == 1 else f"{run.queued:,} films are queued."


@admin_required
@require_GET
def rule_delete_ask(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    return ask_first(
        request,
        title=f"Delete {rule.name}?",
        text="What it has queued stays in the queue, and what it has done stays done. Its log"
        " of decisions goes.",
        action=reverse("transcode:rule_delete", args=[rule.pk]),
        verb="Delete the rule",
        cancel_url=_url(rule),
    )


@admin_required
@require_POST
def rule_delete(request: HtmxHttpRequest, rule_id: int) -> HttpResponse:
    rule = _get(rule_id)
    services.delete_rule(rule, actor=request.user)
    return answer_moved_on(request, f"{rule.name} is deleted.", _list_url())


def _get(rule_id: int) -> Rule:
    if rule_id >= 2**63:
        raise Http404("There is no such rule.")
    return get_object_or_404(Rule.objects.select_related("preset", "library"), pk=rule_id)


def _url(rule: Rule) -> str:
    return reverse("transcode:rule_detail", args=[rule.pk])


def _list_url() -> str:
    return reverse("transcode:rule_list")
