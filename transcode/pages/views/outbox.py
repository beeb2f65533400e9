"""What others have still to be told after swaps and undos. For admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from mediaflow.base.access import admin_required
from mediaflow.base.wake import ring
from transcode.after_swap import outbox as entries
from transcode.models import OutboxEntry
from transcode.pages.outbox_words import OutboxLine

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

SHOWN_OPEN: Final = 100
SHOWN_DONE: Final = 20


@admin_required
@require_GET
def outbox(request: HtmxHttpRequest) -> HttpResponse:
    waiting = entries.open_entries().order_by("-given_up_at", "not_before", "id")
    done = OutboxEntry.objects.filter(done_at__isnull=False).exclude(kind__in=entries.FAN_OUT)
    context = {
        "tab": "outbox",
        "waiting": [OutboxLine.of(row) for row in waiting[:SHOWN_OPEN]],
        "waiting_count": entries.open_entries().count(),
        "given_up": entries.given_up_count(),
        "done": [OutboxLine.of(row) for row in done.order_by("-done_at")[:SHOWN_DONE]],
    }
    return render(request, "transcode/outbox.html", context)


@admin_required
@require_POST
def outbox_retry(request: HtmxHttpRequest, entry_id: int) -> HttpResponse:
    if entries.try_again(entry_id, actor=request.user):
        ring()
        messages.success(request, "It is tried again now.")
    else:
        messages.error(request, "It is done, or being told at this moment.")
    return redirect("transcode:outbox")


@admin_required
@require_POST
def outbox_retry_all(request: HtmxHttpRequest) -> HttpResponse:
    """All that were given up."""
    count = entries.try_all_again(actor=request.user)
    ring()
    messages.success(request, f"{count:,} {'is' if count == 1 else 'are'} tried again now.")
    return redirect("transcode:outbox")


@admin_required
@require_POST
def outbox_drop(request: HtmxHttpRequest, entry_id: int) -> HttpResponse:
    if entries.drop(entry_id, actor=request.user):
        messages.success(request, "It is dropped: nobody is told of it any more.")
    else:
        messages.error(request, "It is done, or being told at this moment.")
    return redirect("transcode:outbox")
