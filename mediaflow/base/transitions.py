"""Status changes of jobs and operations: one table of allowed steps, one conditional UPDATE.

A row changes only while it still has the status and the lease token that the caller saw. Zero rows
changed means that somebody else won; the caller stops and writes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

if TYPE_CHECKING:
    from collections.abc import Mapping


class IllegalTransition(Exception):
    """The table does not allow this step. A programming error, never the result of a race."""


@dataclass(frozen=True, slots=True)
class TransitionTable:
    """Allowed steps of one kind of row, and where its events are written.

    `event_model` has fields `subject` (foreign key), `from_status`, `to_status`, `reason_code`,
    `reason` and `at`.
    """

    model: type[models.Model]
    event_model: type[models.Model]
    allowed: Mapping[str, frozenset[str]]
    active: frozenset[str]
    terminal: frozenset[str]
    leased: frozenset[str] = field(default_factory=frozenset)  # statuses that carry a lease token


def change_status(
    table: TransitionTable,
    pk: int,
    *,
    from_status: str,
    to_status: str,
    token: str = "",
    reason_code: str = "",
    reason: str = "",
    updates: Mapping[str, Any] | None = None,
) -> bool:
    """Move one row and append its event, in one transaction. True when this caller won.

    `token` must be the row's lease token ("" for statuses without a lease). The new row's token is
    cleared unless `to_status` is a leased one, where `updates["lease_token"]` must be given.
    Raises IllegalTransition when the table has no such step.
    """
    if to_status not in table.allowed.get(from_status, frozenset()):
        raise IllegalTransition(f"{table.model.__name__}: {from_status} -> {to_status}")
    values: dict[str, Any] = {"lease_token": "", **(updates or {}), "status": to_status}
    if (to_status in table.leased) != bool(values["lease_token"]):
        raise IllegalTransition(f"{table.model.__name__}: {to_status} and its lease do not agree")
    rows = table.model._default_manager.filter(pk=pk, status=from_status, lease_token=token)
    with transaction.atomic():
        if rows.update(**values) == 0:
            return False
        table.event_model._default_manager.create(
            subject_id=pk,
            from_status=from_status,
            to_status=to_status,
            reason_code=reason_code,
            reason=reason,
        )
    return True
