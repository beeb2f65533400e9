"""The fragment of a long operation, the same everywhere, and its Cancel button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from mediaflow.base.access import operator_required
from mediaflow.base.audit import record_audit
from mediaflow.base.models import Operation
from mediaflow.base.operation_fragment import operation_context
from mediaflow.base.operations import request_cancel

if TYPE_CHECKING:
    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def operation(request: HtmxHttpRequest, operation_id: int) -> HttpResponse:
    row = get_object_or_404(Operation, pk=operation_id)
    context = {"operation": operation_context(row, may_cancel=request.user.is_operator)}
    if not request.htmx or request.htmx.boosted:
        return render(request, "mediaflow/operation.html", context)
    response = render(request, "components/_operation.html", context)
    if not row.is_active and request.htmx.trigger == f"operation-{row.pk}":  # it ended meanwhile
        response.headers["HX-Trigger-After-Settle"] = "mf:operation-ended"
    return response


@operator_required
@require_POST
def operation_cancel(request: HtmxHttpRequest, operation_id: int) -> HttpResponse:
    row = get_object_or_404(Operation, pk=operation_id)
    if request_cancel(row.pk, request.user):
        record_audit("operation.cancel", actor=request.user, subject=row.title)
    elif not request.htmx:
        messages.info(request, "It had ended already.")
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("operation", operation_id=row.pk)
