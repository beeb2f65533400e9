"""The audit log: one call per thing that people want to ask about later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mediaflow.base.models import AuditEvent

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def record_audit(
    action: str,
    *,
    actor: AbstractBaseUser | AnonymousUser | None = None,
    actor_name: str = "",
    subject: str = "",
    detail: str = "",
    address: str = "",
) -> None:
    """Append one event. Never give it a secret. Line breaks are neutralised, texts cut."""
    user = actor if actor is not None and actor.is_authenticated else None
    AuditEvent.objects.create(
        actor_id=user.pk if user else None,
        actor_name=_one_line(actor_name or (user.get_username() if user else "system"))[:150],
        action=action,
        subject=_one_line(subject)[:300],
        detail=_one_line(detail)[:1000],
        address=address[:64],
    )


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)
