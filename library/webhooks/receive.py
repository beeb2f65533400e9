"""The address that others call: no login, no token of ours but the secret in the path.

It answers in milliseconds: the call is stored, a task works on it. A wrong secret, a disabled
webhook and one that was removed all answer the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import transaction
from django.http import HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from library.models import Webhook, WebhookEvent
from library.webhooks import limits
from library.webhooks.payloads import HookCall, PayloadProblem, read_call
from library.webhooks.services import find_webhook

if TYPE_CHECKING:
    from django.http import HttpRequest

# Plex sends the poster along; Sonarr's and Radarr's bodies are a few kilobytes.
MAX_BYTES: Final = 4 * 1024**2


@csrf_exempt
@login_not_required
@never_cache
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    """POST only. 200 stored, 400 not what it should be, 403 wrong address, 413, 429."""
    if request.method != "POST":
        return _answer(405, "Only POST.")
    address = str(request.META.get("REMOTE_ADDR", ""))
    if limits.is_guessing(address):
        return _answer(429, "Too many calls.")
    webhook = find_webhook(secret)
    if webhook is None or not webhook.is_enabled:
        limits.is_over("wrong", address, limits.WRONG_PER_ADDRESS)
        return _answer(403, "There is no such address.")
    if limits.is_over("calls", str(webhook.pk), limits.CALLS_PER_WEBHOOK):
        return _answer(429, "Too many calls.")
    if _length(request) > MAX_BYTES:
        return _answer(413, "Too large.")
    try:
        call = read_call(webhook.kind, _body(request, webhook.kind))
    except PayloadProblem as problem:
        return _answer(400, str(problem))
    _store(webhook, call)
    return _answer(200, "Thank you.")


def _answer(status: int, text: str) -> HttpResponse:
    response = HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _length(request: HttpRequest) -> int:
    """A body without a stated length is empty to Django."""
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else MAX_BYTES + 1


def _body(request: HttpRequest, kind: str) -> Any:
    """Plex: the field `payload` of a form; the others: the body. Raises PayloadProblem."""
    try:
        is_form = kind == "plex" and request.content_type == "multipart/form-data"
        text: str | bytes = request.POST.get("payload", "") if is_form else request.body
    except (RequestDataTooBig, MultiPartParserError, SuspiciousOperation, OSError):
        raise PayloadProblem("The body cannot be read.") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PayloadProblem("The body is no JSON.") from None


def _store(webhook: Webhook, call: HookCall) -> None:
    now = timezone.now()
    with transaction.atomic():
        WebhookEvent.objects.create(webhook=webhook, at=now, event=call.event, payload=call.facts)
        Webhook.objects.filter(pk=webhook.pk).update(used_at=now)
        transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    from library.tasks import work_on_webhooks

    work_on_webhooks()
