"""What the fragment of a long operation shows; the same on every page that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from mediaflow.base.ids import read_id
from mediaflow.base.models import Operation, OperationStatus

if TYPE_CHECKING:
    from mediaflow.base.htmx import HtmxHttpRequest


def shown_operation(request: HtmxHttpRequest) -> dict[str, Any] | None:
    """The operation that the address names (`?operation=`), for a page that tells how far it is."""
    row = Operation.objects.filter(pk=read_id(request.GET.get("operation", "")) or 0).first()
    return operation_context(row, may_cancel=request.user.is_operator) if row else None


# Icon and colour of a state (components/_state.html).
_KINDS: Final = {
    OperationStatus.QUEUED: "wait",
    OperationStatus.RUNNING: "run",
    OperationStatus.COMPLETED: "ok",
    OperationStatus.FAILED: "bad",
    OperationStatus.CANCELLED: "skip",
}


def operation_context(operation: Operation, *, may_cancel: bool) -> dict[str, Any]:
    """The context of `components/_operation.html`. No queries."""
    done, total, rate = operation.done_count, operation.total_count, operation.rate_per_s
    left = (total - done) / rate if total and rate and total > done else None
    result = operation.result or {}
    return {
        "id": operation.pk,
        "title": operation.title,
        "kind": _KINDS[OperationStatus(operation.status)],
        "word": operation.get_status_display(),
        "is_active": operation.is_active,
        "url": reverse("operation", args=[operation.pk]),
        "percent": min(100.0, 100 * done / total) if total else None,
        "done": done,
        "total": total,
        "noun": operation.unit.removesuffix("s"),
        "current": operation.current,
        "rate": f"{rate:,.0f} {operation.unit}/s" if rate else "",
        "eta_s": left,
        "detail": operation.message,
        "error": operation.message if operation.status == OperationStatus.FAILED else "",
        "cancel_url": reverse("operation_cancel", args=[operation.pk]) if may_cancel else "",
        "result_url": result.get("url", ""),
        "result_text": result.get("url_text", ""),
    }
