"""Making, switching and removing webhooks. The secret leaves this module once, when it is made."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.models import Webhook, WebhookEvent
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

SECRET_BYTES: Final = 32  # 256 bit
KEPT_EVENTS: Final = 200  # of each webhook
KEPT_FOR: Final = timedelta(days=30)


def make_webhook(*, kind: str, name: str, actor: User | None) -> tuple[Webhook, str]:
    """A new webhook and its secret, which is stored nowhere."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    webhook = Webhook.objects.create(kind=kind, name=name, secret_digest=digest_of(secret))
    record_audit("webhook.add", actor=actor, subject=webhook.name, detail=webhook.kind)
    return webhook, secret


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def find_webhook(secret: str) -> Webhook | None:
    """The webhook of a secret. What is looked up is the digest: its prefixes tell nothing."""
    digest = digest_of(secret)
    webhook = Webhook.objects.filter(secret_digest=digest).first()
    if webhook is None or not hmac.compare_digest(webhook.secret_digest, digest):
        return None
    return webhook


def set_webhook_enabled(webhook: Webhook, *, is_enabled: bool, actor: User | None) -> None:
    webhook.is_enabled = is_enabled
    webhook.save(update_fields=["is_enabled"])
    action = "webhook.enable" if is_enabled else "webhook.disable"
    record_audit(action, actor=actor, subject=webhook.name)


def remove_webhook(webhook: Webhook, *, actor: User | None) -> None:
    """With its calls; the address answers like one that never was."""
    record_audit("webhook.remove", actor=actor, subject=webhook.name, detail=webhook.kind)
    webhook.delete()


def prune_events() -> int:
    """Remove old calls that were worked on. Returns how many."""
    old = WebhookEvent.objects.filter(at__lt=timezone.now() - KEPT_FOR, done_at__isnull=False)
    count = old.delete()[0]
    for webhook_id in Webhook.objects.values_list("pk", flat=True):
        events = WebhookEvent.objects.filter(webhook_id=webhook_id).order_by("-id")
        last_kept = events.values_list("pk", flat=True)[KEPT_EVENTS - 1 : KEPT_EVENTS].first()
        if last_kept is not None:
            surplus = WebhookEvent.objects.filter(
                webhook_id=webhook_id, pk__lt=last_kept, done_at__isnull=False
            )
            count += surplus.delete()[0]
    return count
