"""Who pauses the queue, whose pause stays, and who may end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mediaflow.base import wake
from mediaflow.base.models import AuditEvent, Setting
from transcode import services
from transcode.queue.pause import (
    PAUSE_KEYS,
    PausedBy,
    end_restore_pause,
    pause_for_restore,
    pause_for_trash,
    read_pause,
    resume_from_trash,
    rows_of_restore_pause,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from mediaflow.accounts.models import User

    Commits = Callable[..., AbstractContextManager[object]]

pytestmark = pytest.mark.django_db
FULL, HEAT = "The trash is full.", "It is too hot."


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the consumer was woken."""
    found: list[str] = []
    monkeypatch.setattr(wake, "_ringers", [lambda: found.append("rung")])
    return found


def _audited() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(action__startswith="queue.").order_by("pk")
    return list(rows.values_list("action", "detail"))


def test_the_trash_pauses_and_resumes_on_record_and_wakes_the_consumer(
    rung: list[str],
    django_capture_on_commit_callbacks: Commits,
) -> None:
    assert pause_for_trash(FULL, job_id=7)
    pause = read_pause()
    assert (pause.is_paused, pause.reason) == (True, FULL)
    assert (pause.by, pause.job_id) == (PausedBy.TRASH, 7)
    with django_capture_on_commit_callbacks(execute=True):
        assert resume_from_trash(job_id=7)
    assert not read_pause().is_paused
    assert _audited() == [("queue.pause", FULL), ("queue.resume", "The trash has room again.")]
    assert rung == ["rung"]


def test_the_trash_leaves_a_persons_pause_and_its_reason_alone(admin_user: User) -> None:
    services.pause_queue(HEAT, actor=admin_user)
    assert not pause_for_trash(FULL, job_id=7)
    assert not resume_from_trash(job_id=7)
    pause = read_pause()
    assert (pause.is_paused, pause.reason, pause.by) == (True, HEAT, PausedBy.PERSON)
    services.resume_queue(actor=admin_user)
    assert pause_for_trash(FULL, job_id=7), "still full: the next film pauses again"
    assert read_pause().reason == FULL


def test_a_person_who_pauses_takes_the_pause_over_from_the_trash(admin_user: User) -> None:
    pause_for_trash(FULL, job_id=7)
    services.pause_queue(HEAT, actor=admin_user)
    assert not resume_from_trash(job_id=7)
    assert read_pause().reason == HEAT


def test_the_first_film_without_room_keeps_the_pause_and_only_it_ends_it() -> None:
    assert pause_for_trash(FULL, job_id=7)
    assert not pause_for_trash("Also full.", job_id=8)
    assert not resume_from_trash(job_id=8)
    assert (read_pause().reason, read_pause().job_id) == (FULL, 7)


@pytest.mark.parametrize("is_restored_twice", [False, True])
def test_after_a_restore_the_pause_of_the_trash_is_its_own_again(is_restored_twice: bool) -> None:
    pause_for_trash(FULL, job_id=7)
    for _ in range(1 + is_restored_twice):
        pause_for_restore("A backup was restored.")
    assert not resume_from_trash(job_id=7), "nothing runs before the disks were compared"
    assert not pause_for_trash(FULL, job_id=8)
    end_restore_pause(was_paused=True, reason=FULL)
    pause = read_pause()
    assert (pause.is_paused, pause.reason, pause.by) == (True, FULL, PausedBy.TRASH)
    assert resume_from_trash(job_id=7)


@pytest.mark.parametrize("before", ["runs", "trash", "person", "restore"])
def test_rows_for_a_database_that_is_not_live_say_what_a_restore_would_write(before: str) -> None:
    if before == "trash":
        pause_for_trash(FULL, job_id=7)
    elif before == "person":
        services.pause_queue(HEAT)
    elif before == "restore":
        pause_for_restore("An older backup was restored.")
    stored = dict(Setting.objects.values_list("key", "value"))
    pause_for_restore("A backup was restored.")
    wanted = dict(Setting.objects.filter(key__in=PAUSE_KEYS).values_list("key", "value"))
    assert rows_of_restore_pause(stored, "A backup was restored.") == wanted


def test_a_pause_that_a_person_made_during_a_restore_outlasts_it(admin_user: User) -> None:
    pause_for_restore("A backup was restored.")
    services.pause_queue(HEAT, actor=admin_user)
    end_restore_pause(was_paused=False, reason="")
    assert (read_pause().is_paused, read_pause().reason) == (True, HEAT)


def test_a_queue_that_ran_before_a_restore_runs_after_it() -> None:
    pause_for_restore("A backup was restored.")
    end_restore_pause(was_paused=False, reason="left over")
    assert (read_pause().is_paused, read_pause().reason) == (False, "")
