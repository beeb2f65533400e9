"""Analytics: the storage and quality report as a page, as JSON and as a PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from library.analysis.figures import active_count, start_count
from library.models import Library
from mediaflow.analytics.charts import line_chart, savings_chart
from mediaflow.analytics.document import report_document
from mediaflow.analytics.report import ReportProblem, find_library, make_report
from mediaflow.analytics.savings import points_of
from mediaflow.base.access import operator_required
from mediaflow.base.htmx import render_page
from mediaflow.base.operation_fragment import operation_context

if TYPE_CHECKING:
    from mediaflow.analytics.report import Report
    from mediaflow.base.htmx import HtmxHttpRequest

NOT_COUNTED = "The library was not counted yet; count it on the analytics page."


@require_GET
def analytics(request: HtmxHttpRequest) -> HttpResponse:
    """All is in the address: `library`. A library that is not there is one sentence."""
    problem, report = "", None
    try:
        report = make_report(find_library(request.GET.get("library", "")))
    except ReportProblem as found:
        problem = found.text
    counting = active_count()
    context: dict[str, Any] = {
        "report": report,
        "problem": problem,
        "libraries": Library.objects.only("name"),
        "wanted": request.GET.get("library", ""),
        "operation": operation_context(counting, may_cancel=request.user.is_operator)
        if counting
        else None,
        **(_charts(report) if report else {}),
    }
    status = 422 if problem else 200
    return render_page(request, "analytics/analytics.html", "report", context, status=status)


def _charts(report: Report) -> dict[str, Any]:
    days = report.growth.days
    return {
        "growth_chart": line_chart(
            [day.day for day in days], [day.bytes for day in days], "Size of the library"
        )
        if report.growth.has_chart
        else None,
        "savings_chart": savings_chart(
            points_of(report.savings, "year"), report.savings.waiting
        ),
        "savings_points": list(reversed(points_of(report.savings, "year"))),
        "growth_rows": list(reversed(days))[:12],
        "query": urlencode({"library": report.library.pk}) if report.library else "",
    }  # fmt: skip


@require_GET
def report_json(request: HtmxHttpRequest) -> HttpResponse:
    report = _report_or_answer(request)
    if isinstance(report, HttpResponse):
        return report
    return JsonResponse(report_document(report), headers={"Cache-Control": "no-store"})


@require_GET
def report_pdf(request: HtmxHttpRequest) -> HttpResponse:
    from mediaflow.analytics.pdf import write_pdf  # reportlab costs half a second to load

    report = _report_or_answer(request)
    if isinstance(report, HttpResponse):
        return report
    name = f"mediaflow-report-{report.made_at:%Y-%m-%d}.pdf"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(write_pdf(report), content_type="application/pdf", headers=headers)


def _report_or_answer(request: HtmxHttpRequest) -> Report | HttpResponse:
    try:
        report = make_report(find_library(request.GET.get("library", "")))
    except ReportProblem as problem:
        return HttpResponse(f"{problem.text}\n", status=422, content_type="text/plain")
    if report is None:
        return HttpResponse(f"{NOT_COUNTED}\n", status=422, content_type="text/plain")
    return report


@operator_required
@require_POST
def count_again(request: HtmxHttpRequest) -> HttpResponse:
    start_count(request.user)
    return redirect(reverse("analytics"))
