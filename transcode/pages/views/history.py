"""The history: its page, its CSV, undo of everything it shows, and the trash."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from django.db.models import Sum
from django.http import StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mediaflow.base.access import admin_required, operator_required
from mediaflow.base.htmx import ask, ask_first, render_page
from mediaflow.base.operation_fragment import shown_operation
from mediaflow.base.settings_store import get_setting
from mediaflow.templatetags._text import size
from transcode import services
from transcode.pages.history import HistoryForm, csv_rows, jobs_matching, read_page, read_totals
from transcode.pages.queue_work import start_purge
from transcode.pages.views.answers import answer_moved_on, answer_refused
from transcode.replacing.undoable import undoable_jobs
from transcode.trash.sweep import trash_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpResponse, QueryDict

    from mediaflow.base.htmx import HtmxHttpRequest
    from transcode.models import Job

FILTERS = ("text", "state", "preset", "library", "period", "since", "until", "undone", "cause")


@require_GET
def history(request: HtmxHttpRequest) -> HttpResponse:
    form = HistoryForm(request.GET)
    jobs = jobs_matching(form)
    query = _filter_query(request.GET)
    context = {
        "form": form,
        "page": read_page(jobs, request.GET.get("after", "")),
        "totals": read_totals(jobs),
        "trash": trash_summary(),
        "retention_days": get_setting("trash_retention_days"),
        "query": query,
        "is_filtered": bool(query),
        "operation": shown_operation(request),
    }
    return render_page(request, "transcode/history.html", "history-list", context)


@require_GET
def history_csv(request: HtmxHttpRequest) -> StreamingHttpResponse:
    """Everything the filters let through, streamed as it is read."""
    writer = csv.writer(_Echo())
    jobs = jobs_matching(HistoryForm(request.GET))
    lines: Iterator[str] = (writer.writerow(row) for row in csv_rows(jobs))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="mediaflow-history.csv"'
    return response


class _Echo:
    """What csv.writer writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


@operator_required
@require_GET
def undo_filtered_ask(request: HtmxHttpRequest) -> HttpResponse:
    jobs = _undoable(request.GET)
    count = jobs.count()
    if not count:
        text = (
            "None of these films can be put back: nothing was replaced, or the original has left"
            " the trash. The settings say for how many days originals are kept."
        )
        return answer_refused(request, text, _history_url(request.GET))
    total = jobs.aggregate(total=Sum("source_bytes"))["total"] or 0
    films = "1 original" if count == 1 else f"{count:,} originals"
    context = {
        "title": f"Put {films} back?",
        "text": f"{films}, {size(total).text}, take their places again and the new files are"
        " deleted. Each is read and compared first; what is not as it was is left alone.",
        "action": reverse("transcode:undo_filtered"),
        "hidden": [
            *({"name": name, "value": request.GET.get(name, "")} for name in FILTERS),
            {"name": "expected", "value": str(count)},
        ],
        "verb": f"Put {films} back",
        "danger": True,
        "cancel_url": _history_url(request.GET),
    }
    return ask(request, context)


@operator_required
@require_POST
def undo_filtered(request: HtmxHttpRequest) -> HttpResponse:
    """What the question counted; more than that (something ended meanwhile) asks again."""
    ids = list(_undoable(request.POST).order_by("pk").values_list("pk", flat=True))
    if not ids or str(len(ids)) != request.POST.get("expected", ""):
        text = "Nothing was undone: the list has changed since you were asked. Look again."
        return answer_refused(request, text, _history_url(request.POST))
    operation = services.undo_jobs(ids, actor=request.user)
    url = _history_url(request.POST)
    joined = "&" if "?" in url else "?"
    return answer_moved_on(request, "", f"{url}{joined}operation={operation.pk}")


@admin_required
@require_GET
def trash_purge_ask(request: HtmxHttpRequest) -> HttpResponse:
    trash = trash_summary()
    if not trash.kept_count:
        return answer_refused(request, "The trash is empty.", reverse("transcode:history"))
    films = "1 original" if trash.kept_count == 1 else f"{trash.kept_count:,} originals"
    return ask_first(
        request,
        title=f"Delete {films} for good?",
        text=f"{size(trash.kept_bytes).text} are freed now instead of later. This cannot be"
        " undone. Each new film is checked again first; an original whose new film does not pass"
        " stays.",
        action=reverse("transcode:trash_purge"),
        verb=f"Delete {films}",
        cancel_url=reverse("transcode:history"),
    )


@admin_required
@require_POST
def trash_purge(request: HtmxHttpRequest) -> HttpResponse:
    if not trash_summary().kept_count:
        return answer_refused(request, "The trash is empty.", reverse("transcode:history"))
    operation = start_purge(actor=request.user)
    url = f"{reverse('transcode:history')}?operation={operation.pk}"
    return answer_moved_on(request, "", url)


def _undoable(data: QueryDict) -> QuerySet[Job]:
    matching = jobs_matching(HistoryForm(data))
    return undoable_jobs().filter(pk__in=matching.values("pk"))


def _filter_query(data: QueryDict) -> str:
    kept = data.copy()
    for name in list(kept):
        if name not in FILTERS or not kept.get(name):
            del kept[name]
    return kept.urlencode()


def _history_url(data: QueryDict) -> str:
    query = _filter_query(data)
    return reverse("transcode:history") + (f"?{query}" if query else "")
