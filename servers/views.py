"""The page of this machine's encoders. For operators and admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from mediaflow.base.access import operator_required
from mediaflow.base.audit import record_audit
from mediaflow.base.models import Operation
from mediaflow.base.operation_fragment import operation_context
from servers.encoder_check import KIND, start_encoder_check
from servers.encoder_words import encoder_groups

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest


@operator_required
@require_GET
def encoder_list(request: HtmxHttpRequest) -> HttpResponse:
    running = Operation.objects.filter(kind=KIND).order_by("-id").first()
    is_active = running is not None and running.is_active
    context = {
        "groups": encoder_groups(),
        "operation": operation_context(running, may_cancel=True) if running and is_active else None,
    }
    return render(request, "servers/encoder_list.html", context)


@operator_required
@require_POST
def encoder_check(request: HtmxHttpRequest) -> HttpResponse:
    operation = start_encoder_check(request.user)
    record_audit("encoders.check", actor=request.user)
    return redirect("operation", operation_id=operation.pk)
