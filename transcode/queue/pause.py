"""The queue's pause: why, by whom, and who may end it. The only writer of these settings.

    a person        may pause and resume at any time, whoever paused before
    the trash       pauses a queue that runs, and ends that pause only (transcode/trash/room.py)
    a restore       stands before every other pause; at its end the queue is as it was before

A pause that nobody signed is a person's.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from mediaflow.base.audit import record_audit
from mediaflow.base.db_retry import retry_on_busy
from mediaflow.base.models import Setting
from mediaflow.base.settings_store import get_settings, set_setting
from mediaflow.base.wake import ring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.contrib.auth.models import AbstractBaseUser

# A row of its own beside the two settings that people see: {"by", "job_id"}, {} for a person.
SIGNED_KEY: Final = "queue_pause_signed"
PAUSE_KEYS: Final = ("queue_paused", "queue_paused_reason", SIGNED_KEY)
REASON_LENGTH: Final = 300


class PausedBy(StrEnum):
    PERSON = "person"
    TRASH = "trash"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Pause:
    """How it stands. `job_id`: whose original found no room, where the trash paused."""

    is_paused: bool
    reason: str
    by: PausedBy
    job_id: int | None


def read_pause() -> Pause:
    """Two queries."""
    signed = Setting.objects.filter(key=SIGNED_KEY).values_list("value", flat=True).first()
    return _pause_of(signed or {})


def pause_by_person(reason: str, *, actor: AbstractBaseUser | None) -> None:
    """No new job starts; running ones go on. Takes over whatever pause there is."""
    with _changing() as signed:
        _write(signed, True, reason, {}, actor)
        record_audit("queue.pause", actor=actor, detail=reason)


def resume_by_person(*, actor: AbstractBaseUser | None) -> None:
    """Whoever paused. The trash pauses again when the next original finds no room."""
    with _changing() as signed:
        _write(signed, False, "", {}, actor)
        record_audit("queue.resume", actor=actor)
    transaction.on_commit(ring)


def pause_for_trash(reason: str, *, job_id: int) -> bool:
    """False when the queue is paused already: that pause and its reason stay."""

    def write() -> bool:
        with _changing() as signed:
            if _pause_of(signed.value).is_paused:
                return False
            _write(signed, True, reason, {"by": PausedBy.TRASH, "job_id": job_id}, None)
            record_audit("queue.pause", detail=reason)
            return True

    return retry_on_busy(write)


def resume_from_trash(*, job_id: int | None) -> bool:
    """End the pause that was made for this job; any other one stays. True when it was ended."""

    def write() -> bool:
        with _changing() as signed:
            pause = _pause_of(signed.value)
            if not pause.is_paused or (pause.by, pause.job_id) != (PausedBy.TRASH, job_id):
                return False
            _write(signed, False, "", {}, None)
            record_audit("queue.resume", detail="The trash has room again.")
            return True

    is_ended = retry_on_busy(write)
    if is_ended:
        transaction.on_commit(ring)
    return is_ended


def pause_for_restore(reason: str) -> None:
    """Whose pause it was before is kept beside it."""
    with _changing() as signed:
        _write(signed, True, reason, _signed_by_restore(signed.value), None)


def rows_of_restore_pause(stored: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The same as rows, for a database that is not live yet. `stored`: its rows of PAUSE_KEYS."""
    signed = _signed_by_restore(stored.get(SIGNED_KEY) or {})
    return dict(zip(PAUSE_KEYS, (True, reason[:REASON_LENGTH], signed), strict=True))


def _signed_by_restore(signed: dict[str, Any]) -> dict[str, Any]:
    is_ours = signed.get("by") == PausedBy.RESTORE
    before = signed.get("before", {}) if is_ours else signed
    return {"by": PausedBy.RESTORE, "before": before}


def end_restore_pause(*, was_paused: bool, reason: str) -> None:
    """As it was before the restore, unless a person has paused the queue meanwhile."""
    with _changing() as signed:
        pause = _pause_of(signed.value)
        if pause.is_paused and pause.by is not PausedBy.RESTORE:
            return
        before = signed.value.get("before", {}) if was_paused else {}
        _write(signed, was_paused, reason if was_paused else "", before, None)
    transaction.on_commit(ring)


@contextmanager
def _changing() -> Iterator[Setting]:
    """One process at a time, under the lock of the row that says whose pause it is."""
    with transaction.atomic():
        Setting.objects.get_or_create(key=SIGNED_KEY, defaults={"value": {}})
        yield Setting.objects.select_for_update().get(key=SIGNED_KEY)


def _pause_of(signed: dict[str, Any]) -> Pause:
    found = get_settings("queue_paused", "queue_paused_reason")
    by = PausedBy(signed.get("by", PausedBy.PERSON))
    return Pause(found["queue_paused"], found["queue_paused_reason"], by, signed.get("job_id"))


def _write(
    signed: Setting,
    is_paused: bool,
    reason: str,
    value: dict[str, Any],
    actor: AbstractBaseUser | None,
) -> None:
    set_setting("queue_paused", is_paused, actor)
    set_setting("queue_paused_reason", reason[:REASON_LENGTH], actor)
    signed.value = value
    signed.save(update_fields=["value", "changed_at"])
